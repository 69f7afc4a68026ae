"""root-key on the API server that an operator works on: shares and recovery."""

from __future__ import annotations

import asyncio
import io
import re
import stat
from pathlib import Path

import pytest
from typer.testing import Result

from leeward.formats.rootkey import RootKey, RootKeyring
from leeward.keystore.records import root_secret
from leeward.keystore.rootkey import ROTATE_ANNOTATION
from leeward.plans.shared.model import KeysetInfo, KeysetOf, Manifest
from unit.cli.installation_world import EXPORT, Installation
from unit.keystore.keystore_world import CLINIC, OPERATOR, encoded
from unit.keystore.rotating_world import ROOT


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def shown(result: Result) -> str:
    return str(result.stdout + result.stderr)


def assert_secret(here: Installation, *texts: str) -> None:
    """None of these texts holds the key, in any form in which it stands anywhere."""
    raw = here.key.raw()
    for form in (raw.hex(), here.key.material.get_secret_value(), repr(raw)):
        assert not [text for text in texts if form in text]


def test_shares_are_files_for_their_holders_alone(here: Installation) -> None:
    pages = here.pages()
    assert len(pages) == 5
    assert {stat.S_IMODE(page.stat().st_mode) for page in pages} == {0o600}
    assert stat.S_IMODE(pages[0].parent.stat().st_mode) == 0o700
    texts = [page.read_text() for page in pages]
    assert_secret(here, *texts)
    for number, text in enumerate(texts, 1):
        assert f"SHARE {number} OF 5" in text
        assert here.key.id in text
        assert "2027-03-01T12:00:00Z" in text


def test_no_command_shows_the_key_or_a_word(here: Installation) -> None:
    out = here.folder / "shares"
    results = [here.leeward(*EXPORT, "--out", out)]
    pages = sorted(out.iterdir())
    results += [here.give("verify", pages[:3]), here.leeward("root-key", "status")]
    here.lose_root_key()
    results.append(here.give("restore", pages[:3]))
    assert [result.exit_code for result in results] == [0, 0, 0, 0]
    everything = " ".join(map(shown, results))
    assert_secret(here, everything)
    words = set(re.findall(r"\d ([a-z]+)", pages[0].read_text().partition("Words:")[2]))
    assert len(words) > 20
    assert len(words & set(everything.split())) < 4  # ordinary English among them


def test_a_file_is_never_written_over(here: Installation) -> None:
    pages = here.pages()
    before = [page.read_text() for page in pages]
    assert len(here.pages()) == 10
    assert [page.read_text() for page in pages] == before


def test_without_a_folder_each_share_has_a_screen_of_its_own(here: Installation) -> None:
    screen = io.StringIO()
    result = here.leeward(*EXPORT, screen=screen, visible="\n" * 5)
    assert result.exit_code == 0, result.stderr
    text = screen.getvalue()
    enter, leave = "\x1b[?1049h", "\x1b[?1049l"
    screens = [part.split(leave)[0] for part in text.split(enter)[1:]]
    assert [f"SHARE {n} OF 5" in part for n, part in enumerate(screens, 1)] == [True] * 5
    assert [part.count("Words:") for part in screens] == [1] * 5
    assert max(part.count("\n") for part in screens) < 24
    outside = "".join(part.split(leave)[-1] for part in text.split(enter))
    assert "Words:" not in outside


def test_shares_do_not_all_go_into_one_stream(here: Installation) -> None:
    result = here.leeward(*EXPORT)
    assert result.exit_code == 2
    assert "--out" in result.stderr


@pytest.mark.parametrize(("shares", "threshold"), [(5, 1), (3, 4), (17, 2)])
def test_impossible_numbers_are_refused(here: Installation, shares: int, threshold: int) -> None:
    args = ("root-key", "export", "--shares", shares, "--threshold", threshold, "--out", "x")
    assert here.leeward(*args).exit_code == 2


def test_shares_with_a_passphrase_ask_for_it(here: Installation) -> None:
    phrase = "correct horse"
    pages = here.pages("--passphrase", hidden=[phrase, phrase])
    assert here.give("verify", pages[:3], hidden=[phrase]).exit_code == 0
    wrong = here.give("verify", pages[:3], hidden=["correct hors"])
    assert wrong.exit_code == 1
    assert "passphrase" in wrong.stderr
    nobody = here.give("verify", pages[:3])
    assert nobody.exit_code == 1
    assert "--passphrase-file" in nobody.stderr
    assert "--share" not in nobody.stderr
    file = here.folder / "phrase"
    file.write_text(f"{phrase}\n")
    assert here.give("verify", pages[:3], "--passphrase-file", file).exit_code == 0


@pytest.mark.parametrize("hidden", [["one", "other"], ["", ""], []])
def test_a_passphrase_that_is_not_sure_is_refused(here: Installation, hidden: list[str]) -> None:
    out = here.folder / "none"
    result = here.leeward(*EXPORT, "--out", out, "--passphrase", hidden=hidden)
    assert result.exit_code == 1
    assert not out.exists()


def test_there_is_nothing_to_export_where_there_is_no_root_key(here: Installation) -> None:
    here.lose_root_key()
    result = here.leeward(*EXPORT, "--out", here.folder / "x")
    assert result.exit_code == 1
    assert "leeward root-key restore" in result.stderr


def test_while_a_rotation_is_under_way_no_shares_are_made(here: Installation) -> None:
    here.world.request()
    asked = here.leeward(*EXPORT, "--out", here.folder / "x")
    asyncio.run(here.rotation.step())
    begun = here.leeward(*EXPORT, "--out", here.folder / "x")
    for result in (asked, begun):
        assert result.exit_code == 1
        assert "root-key status" in result.stderr
    asyncio.run(here.world.finish(here.rotation))
    assert here.give("verify", here.pages()[:3]).exit_code == 0


def test_shares_of_before_a_rotation_are_told_from_those_of_today(here: Installation) -> None:
    pages, old = here.pages(), here.key.id
    here.world.request()
    asyncio.run(here.rotation.step())
    asyncio.run(here.world.finish(here.rotation))
    result = here.give("verify", pages[:3])
    assert result.exit_code == 1
    assert here.key.id in result.stderr
    assert here.give("verify", pages[:3], "--id", old).exit_code == 0


def test_verify_reads_nothing_where_the_id_is_given_and_writes_nothing(here: Installation) -> None:
    pages, key = here.pages(), here.key.id
    before = list(here.world.api.history)
    here.world.api.calls.clear()
    assert here.give("verify", pages[:3], "--id", key).exit_code == 0
    assert here.world.api.calls == []
    assert here.give("verify", pages).exit_code == 0
    assert here.world.api.history == before


def test_a_lost_root_key_is_made_again_from_any_three_shares(here: Installation) -> None:
    pages, key = here.pages(), here.key
    here.lose_root_key()
    assert not here.readable()
    result = here.give("restore", pages[1:4])
    assert result.exit_code == 0, result.stderr
    assert here.key.is_same(key)
    assert here.readable()
    assert here.world.secret(ROOT)["metadata"]["labels"]["leeward.dev/role"] == "root-key"
    again = here.give("restore", pages[2:])
    assert again.exit_code == 0
    assert "there already" in again.stdout


def test_an_operator_that_runs_takes_the_restored_key_up_by_itself(here: Installation) -> None:
    pages = here.pages()
    here.lose_root_key()
    running = here.store
    assert asyncio.run(running.ensure_root_key()) == "Lost"
    assert here.give("restore", pages[:3]).exit_code == 0
    info = asyncio.run(running.look(KeysetOf(CLINIC, "records")))
    assert isinstance(info, KeysetInfo)
    assert info.readable


def test_words_are_typed_at_the_terminal_where_there_are_no_files(here: Installation) -> None:
    pages, key = here.pages(), here.key
    here.lose_root_key()
    typed = [page.read_text().partition("Words:")[2].partition("\n\n")[0] for page in pages]
    lines = [" ".join(text.split()) for text in typed]
    broken = lines[1].replace("1 ", "1 x", 1)
    result = here.leeward("root-key", "restore", hidden=[lines[0], broken, lines[1], lines[2]])
    assert result.exit_code == 0, result.stderr
    assert "word 1 is not in the list" in result.stderr
    assert here.key.is_same(key)


def test_typed_words_add_to_files_and_are_shown_only_on_request(here: Installation) -> None:
    pages = here.pages()
    line = " ".join(pages[2].read_text().partition("Words:")[2].partition("\n\n")[0].split())
    hidden = here.give("verify", pages[:2], "--ask", hidden=[line])
    assert hidden.exit_code == 0
    assert line not in shown(hidden)
    echoed = here.give("verify", pages[:2], "--ask", "--echo", visible=line + "\n")
    assert echoed.exit_code == 0


def test_typing_can_be_given_up(here: Installation) -> None:
    pages = here.pages()
    result = here.give("restore", pages[:1], "--ask", hidden=[""])
    assert result.exit_code == 1
    assert "1 share" in result.stderr


def test_too_few_shares_restore_nothing(here: Installation) -> None:
    pages = here.pages()
    here.lose_root_key()
    result = here.give("restore", pages[:2])
    assert result.exit_code == 1
    assert "2 shares given, 3 needed" in result.stderr
    assert here.world.names(ROOT) == []


def test_another_root_key_is_not_written_over(here: Installation) -> None:
    pages, key = here.pages(), here.key.id
    stranger = here.put_stranger()
    before = here.world.secret(ROOT)
    result = here.give("restore", pages[:3])
    assert result.exit_code == 1
    assert key in result.stderr
    assert stranger.id in result.stderr
    assert here.world.secret(ROOT) == before


def test_another_root_key_can_be_joined_by_ours_which_is_then_given_up(here: Installation) -> None:
    pages = here.pages()
    stranger = here.put_stranger()
    here.world.request("asked for meanwhile")
    here.store, here.rotation = here.world.process()
    assert not here.readable()
    assert here.give("restore", pages[:3], "--add").exit_code == 0
    annotations = here.world.secret(ROOT)["metadata"]["annotations"]
    assert annotations == {ROTATE_ANNOTATION: "asked for meanwhile"}
    assert here.readable()
    asyncio.run(here.world.finish(here.rotation))
    assert [key.id for key in here.world.keyring.keys] == [stranger.id]
    assert here.readable()


@pytest.mark.parametrize("data", [{"root-key.json": "AAAA"}, {}, {"root-key.json": "e30="}])
@pytest.mark.parametrize("add", [(), ("--add",)])
def test_a_damaged_root_key_is_not_written_over(
    here: Installation, data: Manifest, add: tuple[str, ...]
) -> None:
    pages = here.pages()
    here.world.overwrite(here.world.secret(ROOT), data)
    before = here.world.secret(ROOT)
    result = here.give("restore", pages[:3], *add)
    assert result.exit_code == 1
    assert "damaged" in result.stderr
    assert "delete it" in " ".join(result.stderr.split())
    assert here.world.secret(ROOT) == before
    assert here.leeward("root-key", "status").exit_code == 1


def test_a_root_key_of_that_id_with_other_content_is_told(here: Installation) -> None:
    pages, key = here.pages(), here.key
    lie = RootKeyring.of(RootKey.of(b"x" * 32, id_=key.id))
    here.world.overwrite(here.world.secret(ROOT), root_secret(OPERATOR, lie)["data"])
    for command in ("verify", "restore"):
        result = here.give(command, pages[:3])
        assert result.exit_code == 1
        assert "damaged" in result.stderr


def test_a_root_key_that_nothing_there_is_wrapped_by_is_not_restored(
    here: Installation, tmp_path: Path
) -> None:
    other = Installation(tmp_path / "other")
    other.folder.mkdir()
    other.put_stranger()
    pages = other.pages()
    here_key = here.key.id
    here.lose_root_key()
    result = here.give("restore", pages[:3])
    assert result.exit_code == 1
    assert here_key in result.stderr
    assert here.world.names(ROOT) == []


def test_a_namespace_that_is_not_there_is_told(here: Installation) -> None:
    pages = here.pages()
    result = here.give("restore", pages[:3], "--operator-namespace", "elsewhere")
    assert result.exit_code == 1
    assert "kubectl create namespace elsewhere" in result.stderr


def test_a_root_key_of_an_earlier_release_survives_export_and_restore(here: Installation) -> None:
    material = here.key.material.get_secret_value()
    old = {"formatVersion": 1, "id": "ab" * 16, "material": material}
    here.world.overwrite(here.world.secret(ROOT), {"root-key.json": encoded(old)})
    for name in here.world.names("keyset-"):
        here.world.api.remove("Secret", OPERATOR, name)
    pages = here.pages()
    here.lose_root_key()
    assert here.give("restore", pages[:3]).exit_code == 0
    assert here.key.id == "ab" * 16
    assert here.key.material.get_secret_value() == material

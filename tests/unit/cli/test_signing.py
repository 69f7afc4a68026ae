"""sign, verify, keys generate: on files and streams, without a cluster."""

import contextlib
import json
import os
import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from golden.rsa.keys import rsa_key
from leeward.formats.certificates import LeafRequest, SignerRequest
from leeward.formats.keyset import PodKeyset
from leeward.formats.material import fingerprint
from leeward.keystore.certificates import issue_signer
from unit.cli.fake_cluster import NOW, leeward
from unit.keystore.certificate_world import WARD, VaultAuthority

DATA = b"patient_id,name\nP1,Ada\n" * 1000
SIGNING = ("RSA_PSS", "ECDSA_P256", "ECDSA_P384", "ED25519", "ML_DSA_65")


def pair(folder: Path, algorithm: str = "ED25519", name: str = "alice") -> Path:
    result = leeward("keys", "generate", "--algorithm", algorithm, "-o", str(folder / name))
    assert result.exit_code == 0, result.stderr
    return folder / name


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "visits.csv"
    path.write_bytes(DATA)
    return path


@pytest.mark.parametrize("algorithm", SIGNING)
@pytest.mark.parametrize("bare", [(), ("--bare",)])
def test_a_signed_file_verifies(file: Path, algorithm: str, bare: tuple[str, ...]) -> None:
    key = pair(file.parent, algorithm)
    signed = leeward("sign", str(file), "--key", f"{key}.key", *bare)
    assert signed.exit_code == 0, signed.stderr
    good = leeward("verify", str(file), "--key", f"{key}.pub.pem", *bare)
    assert good.exit_code == 0, good.stderr
    assert f"good signature by key {key_id(file, key)} ({algorithm})" in good.stdout
    file.write_bytes(DATA + b"x")
    bad = leeward("verify", str(file), "--key", f"{key}.pub.pem", *bare)
    assert (bad.exit_code, bad.stdout) == (1, "")
    assert "visits.csv" in bad.stderr


def key_id(file: Path, key: Path) -> str:
    """What an envelope by this key calls it."""
    named = file.with_name("named.sig")
    leeward("sign", str(file), "--key", f"{key}.key", "-o", str(named))
    found: str = json.loads(named.read_bytes())["signatures"][0]["keyid"]
    return found


def test_streams(tmp_path: Path) -> None:
    key = pair(tmp_path)
    signed = leeward("sign", "--key", f"{key}.key", stdin=DATA)
    assert signed.exit_code == 0, signed.stderr
    (tmp_path / "s").write_bytes(signed.stdout_bytes)
    verify = ("verify", "--key", f"{key}.pub.pem", "--signature", str(tmp_path / "s"))
    assert leeward(*verify, stdin=DATA).exit_code == 0
    assert leeward(*verify, stdin=DATA[:-1]).exit_code == 1


def test_an_existing_signature_is_kept_unless_forced(file: Path) -> None:
    key = pair(file.parent)
    signature = file.with_name("visits.csv.sig")
    signature.write_text("mine")
    sign = ("sign", str(file), "--key", f"{key}.key")
    refused = leeward(*sign)
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert signature.read_text() == "mine"
    onto_itself = leeward(*sign, "--force", "-o", str(file))
    assert (onto_itself.exit_code, file.read_bytes()) == (1, DATA)
    assert leeward(*sign, "--force").exit_code == 0
    assert leeward("verify", str(file), "--key", f"{key}.pub.pem").exit_code == 0


def test_another_key_is_named(file: Path) -> None:
    alice, bob = pair(file.parent), pair(file.parent, "ECDSA_P256", "bob")
    leeward("sign", str(file), "--key", f"{alice}.key")
    said = leeward("verify", str(file), "--key", f"{bob}.pub.pem")
    assert said.exit_code == 1
    assert key_id(file, alice) in said.stderr
    assert key_id(file, bob) in said.stderr


@pytest.mark.parametrize("bare", [(), ("--bare",)])
def test_any_key_of_a_file_may_have_signed(file: Path, bare: tuple[str, ...]) -> None:
    names = ("rsa", "RSA_PSS"), ("alice", "ED25519"), ("bob", "ECDSA_P256"), ("eve", "ECDSA_P256")
    rsa, alice, bob, eve = (pair(file.parent, algorithm, name) for name, algorithm in names)
    trusted = file.with_name("signing.pem")
    trusted.write_text("".join(Path(f"{k}.pub.pem").read_text() for k in (rsa, alice, bob)))
    verify = ("verify", str(file), "--key", str(trusted), *bare)
    for signer, algorithm in ((rsa, "RSA_PSS"), (alice, "ED25519"), (bob, "ECDSA_P256")):
        leeward("sign", str(file), "--force", "--key", f"{signer}.key", *bare)
        good = leeward(*verify)
        assert good.exit_code == 0, good.stderr
        assert f"good signature by key {named(signer)} ({algorithm})" in good.stdout
    file.write_bytes(DATA + b"x")
    changed = leeward(*verify)
    assert (changed.exit_code, changed.stdout) == (1, "")
    file.write_bytes(DATA)
    leeward("sign", str(file), "--force", "--key", f"{eve}.key", *bare)
    foreign = leeward(*verify)
    assert (foreign.exit_code, foreign.stdout) == (1, "")
    assert "none of the 3 keys" in foreign.stderr
    assert all(named(key) in foreign.stderr for key in (rsa, alice, bob))


def named(key: Path) -> str:
    """What messages call the pair."""
    return fingerprint(Path(f"{key}.pub.pem").read_bytes()).hex()


def test_several_keys_and_a_stream(file: Path) -> None:
    alice, bob = pair(file.parent), pair(file.parent, "ECDSA_P256", "bob")
    trusted, signature = file.with_name("signing.pem"), file.with_name("s")
    trusted.write_text("".join(Path(f"{key}.pub.pem").read_text() for key in (alice, bob)))
    verify = ("verify", "--key", str(trusted), "--signature", str(signature))
    leeward("sign", str(file), "--key", f"{bob}.key", "-o", str(signature))
    assert leeward(*verify, stdin=DATA).exit_code == 0
    assert "another file" in leeward(*verify, stdin=DATA[:-1]).stderr
    pipe = file.with_name("pipe")
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(DATA,), daemon=True)
    writer.start()
    piped = leeward("verify", str(pipe), *verify[1:])
    assert piped.exit_code == 0, piped.stderr
    writer.join(10)
    leeward("sign", str(file), "--bare", "--force", "--key", f"{bob}.key", "-o", str(signature))
    once = leeward(*verify, "--bare", stdin=DATA)
    assert once.exit_code == 2
    assert "read once" in once.stderr


def test_a_key_for_sealing_among_those_to_verify_by_is_refused(file: Path) -> None:
    alice, box = pair(file.parent), pair(file.parent, "HPKE_P256", "box")
    trusted = file.with_name("signing.pem")
    trusted.write_text("".join(Path(f"{key}.pub.pem").read_text() for key in (alice, box)))
    leeward("sign", str(file), "--key", f"{alice}.key")
    result = leeward("verify", str(file), "--key", str(trusted))
    assert result.exit_code == 1
    assert "made for sealing (HPKE_P256)" in result.stderr


def test_what_a_key_was_made_for_is_all_that_it_does(file: Path) -> None:
    signing = pair(file.parent, "ECDSA_P256", "signing")
    sealing = pair(file.parent, "HPKE_P256", "sealing")
    for args, words in (
        (("sign", str(file), "--force", "--key", f"{sealing}.key"), "made for sealing (HPKE_P256)"),
        (("verify", str(file), "--key", f"{sealing}.pub.pem"), "made for sealing"),
        (("seal", str(file), "--to", f"{signing}.pub.pem"), "made for signing (ECDSA_P256)"),
        (("open", str(file), "-o", "x", "--key", f"{signing}.key"), "made for signing"),
    ):
        (file.parent / "visits.csv.sig").write_text("")
        result = leeward(*args)
        assert result.exit_code == 1
        assert words in result.stderr


def test_an_encrypted_key_asks_for_its_passphrase(file: Path) -> None:
    key = pair(file.parent)
    encrypted = encrypt(key, b"correct horse")
    sign = ("sign", str(file), "--force", "--key", str(encrypted))
    assert leeward(*sign, answers=["correct horse"]).exit_code == 0
    assert leeward("verify", str(file), "--key", f"{key}.pub.pem").exit_code == 0
    wrong = leeward(*sign, answers=["wrong horse"])
    assert wrong.exit_code == 1
    assert "passphrase" in wrong.stderr
    assert "horse" not in wrong.stderr
    nobody = leeward(*sign)
    assert nobody.exit_code == 1
    assert "--passphrase-file" in nobody.stderr
    assert leeward(*sign, answers=[""]).exit_code == 1


def encrypt(key: Path, passphrase: bytes) -> Path:
    private = serialization.load_pem_private_key(Path(f"{key}.key").read_bytes(), None)
    path = key.with_name("encrypted.key")
    path.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase),
        )
    )
    return path


def test_a_passphrase_from_a_file_or_a_descriptor(file: Path) -> None:
    encrypted = encrypt(pair(file.parent), b"correct horse")
    sign = ("sign", str(file), "--force", "--key", str(encrypted))
    said = file.with_name("passphrase")
    said.write_bytes(b"correct horse\r\nsecond line")
    assert leeward(*sign, "--passphrase-file", str(said)).exit_code == 0
    reading, writing = os.pipe()
    os.write(writing, b"correct horse")
    os.close(writing)
    try:
        assert leeward(*sign, "--passphrase-fd", str(reading)).exit_code == 0
    finally:
        os.close(reading)
    both = leeward(*sign, "--passphrase-file", str(said), "--passphrase-fd", "0")
    assert both.exit_code == 2
    assert "cannot be read" in leeward(*sign, "--passphrase-fd", str(reading)).stderr
    assert "is a folder" in leeward(*sign, "--passphrase-file", str(file.parent)).stderr
    said.write_bytes(b"\ncorrect horse")
    assert "first line" in leeward(*sign, "--passphrase-file", str(said)).stderr


def test_a_passphrase_for_a_key_that_has_none_is_not_ignored(file: Path) -> None:
    key = pair(file.parent)
    said = file.with_name("passphrase")
    said.write_text("x")
    result = leeward("sign", str(file), "--key", f"{key}.key", "--passphrase-file", str(said))
    assert result.exit_code == 1
    assert "not encrypted" in result.stderr


@pytest.fixture
def folder(file: Path) -> Path:
    """All kinds of files that may be mixed up."""
    folder = file.parent
    pair(folder)
    pair(folder, "HPKE_X25519", "box")
    pair(folder, "AES256_GCM", "symmetric")
    weak = rsa_key("2048")
    (folder / "weak.key").write_bytes(
        weak.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    ssh = serialization.load_pem_private_key((folder / "alice.key").read_bytes(), None)
    (folder / "ssh.key").write_bytes(
        ssh.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
    )
    (folder / "ca.pem").write_text(VaultAuthority(now=NOW).pem)
    (folder / "two.key").write_bytes(
        (folder / "alice.key").read_bytes() + (folder / "weak.key").read_bytes()
    )
    (folder / "large").write_bytes(bytes((1 << 20) + 1))
    (folder / "damaged.key").write_text(
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    )
    assert leeward("sign", str(file), "--key", str(folder / "alice.key")).exit_code == 0
    return folder


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("sign visits.csv --key alice.pub.pem -o x", "holds a public key"),
        ("sign visits.csv --key ca.pem -o x", "certificate and no private key"),
        ("sign visits.csv --key visits.csv -o x", "no private key"),
        ("sign visits.csv --key damaged.key -o x", "cannot be read"),
        ("sign visits.csv --key ssh.key -o x", "ssh-keygen"),
        ("sign visits.csv --key weak.key -o x", "2048 bits"),
        ("sign visits.csv --key two.key -o x", "several private keys"),
        ("sign visits.csv --key large -o x", "larger than any key"),
        ("sign visits.csv --key . -o x", "is a folder"),
        ("sign . --key alice.key -o x", "is a folder"),
        ("sign visits.csv --key alice.key -o no/where", "no folder"),
        ("sign nothing --key alice.key", "No such file"),
        ("sign visits.csv --key box.key -o x", "made for sealing"),
        ("verify visits.csv --key alice.key", "keep this file secret"),
        ("verify visits.csv --key ca.pem", "--certificate and --ca"),
        ("verify visits.csv --key symmetric.keyset.json", "no public key"),
        ("verify visits.csv --key alice.pub.pem --signature visits.csv", "no signature envelope"),
        ("verify visits.csv --key alice.pub.pem --signature large", "larger than any"),
        ("verify visits.csv --key alice.pub.pem --signature none", "No such file"),
        ("verify visits.csv --key alice.pub.pem --bare", "does not fit"),
        ("verify visits.csv", "whose signature"),
        ("verify visits.csv --key alice.pub.pem --certificate ca.pem --ca ca.pem", "one way"),
        ("verify visits.csv --certificate ca.pem", "belong together"),
        ("verify visits.csv --key alice.pub.pem --ca ca.pem", "belong together"),
        ("verify visits.csv --key alice.pub.pem --identity spiffe://a/b", "about a certificate"),
        ("verify visits.csv --certificate ca.pem --ca ca.pem", "signs certificates"),
        ("verify visits.csv --certificate alice.pub.pem --ca ca.pem", "no certificate"),
        ("verify visits.csv --certificate ca.pem --ca ca.pem --at yesterday", "no time"),
        ("verify visits.csv --certificate ca.pem --ca ca.pem --at 2027-03-01", "no time"),
        ("verify - --key alice.pub.pem", "--signature"),
        ("verify ca.pem --key alice.pub.pem", "no ca.pem.sig"),
        ("verify - --key - --signature visits.csv.sig", "one thing only"),
        ("keys generate -o alice --algorithm ED25519", "exists already"),
        ("keys generate -o x --algorithm ROT13", "no algorithm"),
        ("keys generate -o x --algorithm rsa-2048", "rsa-2048 is banned"),
        ("keys generate -o x --algorithm 3DES", "(Sweet32); use AES256_GCM"),
        ("keys generate -o x --algorithm AES256_SIV", "KeyVault"),
    ],
)
def test_what_does_not_fit_is_named(folder: Path, command: str, words: str) -> None:
    before = set(folder.iterdir())
    with contextlib.chdir(folder):
        result = leeward(*command.split())
    assert result.exit_code in (1, 2)
    assert result.stdout == ""
    assert result.stderr.startswith("leeward: ")
    assert words in result.stderr
    assert set(folder.iterdir()) == before


AUTHORITY = VaultAuthority(now=NOW)
WHO = SignerRequest(
    "clinic.example", "clinic", "vault", "signing", "kd", "clinic", "ward", "u1", "ED25519"
)


@pytest.fixture
def certified(file: Path) -> Path:
    """A file that a holder of a certificate signed."""
    leaf = issue_signer(AUTHORITY.pem, "ECDSA_P256", AUTHORITY.material, WHO, NOW, os.urandom)
    file.with_name("leaf.key").write_text(leaf.private_key_pem)
    file.with_name("leaf.pem").write_text(leaf.certificate_pem)
    file.with_name("ca.pem").write_text(AUTHORITY.pem)
    assert leeward("sign", str(file), "--key", str(file.with_name("leaf.key"))).exit_code == 0
    return file


def verified(file: Path, *args: str, certificate: str = "leaf.pem") -> tuple[int, str]:
    result = leeward(
        "verify", str(file), "--certificate", str(file.with_name(certificate)),
        "--ca", str(file.with_name("ca.pem")), *args,
    )  # fmt: skip
    return result.exit_code, result.stdout + result.stderr


def test_a_certificate_says_who_signed(certified: Path) -> None:
    code, said = verified(certified)
    assert code == 0, said
    assert f"certified for {WHO.spiffe_id}" in said
    assert verified(certified, "--identity", str(WHO.spiffe_id))[0] == 0


def test_another_identity_is_refused(certified: Path) -> None:
    code, said = verified(certified, "--identity", "spiffe://clinic.example/other")
    assert code == 1
    assert str(WHO.spiffe_id) in said


def test_a_certificate_counts_at_its_time(certified: Path) -> None:
    assert verified(certified, "--at", "2028-02-01T00:00:00Z")[0] == 0
    code, said = verified(certified, "--at", "2029-01-01T00:00:00+01:00")
    assert code == 1
    assert "2028-12-31T23:00:00Z" in said


def test_a_certificate_of_another_key_does_not_fit(certified: Path) -> None:
    other = issue_signer(AUTHORITY.pem, "ECDSA_P256", AUTHORITY.material, WHO, NOW, os.urandom)
    certified.with_name("other.pem").write_text(other.certificate_pem)
    assert verified(certified, certificate="other.pem")[0] == 1


def test_several_certificates_where_one_is_expected(certified: Path) -> None:
    both = certified.with_name("both.pem")
    both.write_text(certified.with_name("leaf.pem").read_text() + AUTHORITY.pem)
    code, said = verified(certified, certificate="both.pem")
    assert code == 1
    assert "--ca" in said


def test_a_certificate_for_tls_does_not_sign_files(certified: Path) -> None:
    tls = AUTHORITY.issue(LeafRequest("KeyDelivery clinic/ward", (), WARD))
    certified.with_name("tls.pem").write_text(tls.certificate_pem)
    code, said = verified(certified, certificate="tls.pem")
    assert code == 1
    assert "codeSigning" in said


@pytest.mark.parametrize("algorithm", ["HPKE_X25519", "HPKE_MLKEM768_X25519", *SIGNING])
def test_a_pair_is_two_files(tmp_path: Path, algorithm: str) -> None:
    key = pair(tmp_path, algorithm)
    private, public = Path(f"{key}.key"), Path(f"{key}.pub.pem")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert private.read_text().startswith(f"Leeward-Algorithm: {algorithm}\n-----BEGIN PRIVATE")
    assert public.read_text().startswith(f"Leeward-Algorithm: {algorithm}\n-----BEGIN PUBLIC KEY")


def test_a_symmetric_key_is_a_keyset(tmp_path: Path) -> None:
    path = Path(f"{pair(tmp_path, 'AES256_GCM')}.keyset.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [key.algorithm for key in PodKeyset.parse(path.read_bytes()).keys] == ["AES256_GCM"]


def test_half_a_pair_in_the_way_stops_the_other(tmp_path: Path) -> None:
    (tmp_path / "alice.pub.pem").symlink_to("elsewhere")
    result = leeward("keys", "generate", "-o", str(tmp_path / "alice"))
    assert result.exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["alice.pub.pem"]

"""keys advise: every combination has an answer, and the right ones have the right answer."""

import io
import os
from collections.abc import Iterator
from itertools import combinations, product
from typing import get_args

import pytest
import yaml

from leeward.api.algorithms import ALGORITHMS, OPERATIONS_BY_ALGORITHM, Profile, allowed
from leeward.api.keyvault import KeyVaultSpec
from leeward.cli.advice import CAVEATS, RULES, Advice, Trait, Use, advise
from leeward.formats.sealed import HpkeHybridPrivateKey, seal_stream
from leeward.formats.sealed.errors import TooManyRecipients
from unit.cli.fake_cluster import leeward

PROFILES: tuple[Profile, ...] = get_args(Profile)
NEEDS = {
    Use.SEAL: {"Seal", "Open"},
    Use.MASK: {"Mask"},
    Use.SIGN: {"Sign"},
    Use.ISSUE: {"Issue"},
}
Case = tuple[Use, frozenset[Trait], Profile]


def every_case() -> Iterator[Case]:
    traits = list(Trait)
    subsets = [frozenset(c) for n in range(len(traits) + 1) for c in combinations(traits, n)]
    yield from product(Use, subsets, PROFILES)


@pytest.fixture(scope="module")
def answers() -> dict[Case, Advice]:
    return {case: advise(*case) for case in every_case()}


def test_every_answer_is_allowed_and_fit_for_the_use(answers: dict[Case, Advice]) -> None:
    assert len(answers) == len(Use) * 2 ** len(Trait) * len(PROFILES)
    for (use, _, profile), advice in answers.items():
        assert advice.algorithm in allowed(profile)
        assert NEEDS[use] <= OPERATIONS_BY_ALGORITHM[advice.algorithm]
        assert advice.reason
        assert advice.caveats


def test_every_fragment_is_one_that_a_keyvault_takes(answers: dict[Case, Advice]) -> None:
    seen = set()
    for (use, traits, profile), advice in answers.items():
        if (found := repr(advice.spec)) in seen:
            continue
        seen.add(found)
        spec = KeyVaultSpec.model_validate(yaml.safe_load(yaml.safe_dump(advice.spec)))
        (key,) = spec.keys
        (grant,) = key.grants
        assert (spec.profile, key.algorithm) == (profile, advice.algorithm)
        assert set(grant.operations) <= OPERATIONS_BY_ALGORITHM[key.algorithm]
        assert (key.authority is None) == (use not in (Use.SIGN, Use.ISSUE))
        sealing = "Seal" in grant.operations
        assert not (sealing and Trait.OUTSIDE in traits), "outsiders have the public half"
        assert not (sealing and "Open" not in grant.operations), "symmetric keys do both"
        assert "DatasetPreview" not in grant.kinds or grant.operations == ["Open"]


def test_sealing_by_outsiders_never_needs_a_secret(answers: dict[Case, Advice]) -> None:
    for (use, traits, _), advice in answers.items():
        if use is Use.SEAL:
            expected = "PublicKey" if Trait.OUTSIDE in traits else "Symmetric"
            assert ALGORITHMS[advice.algorithm].key_class == expected


def test_what_must_hold_long_resists_quantum_computers_or_says_so(
    answers: dict[Case, Advice],
) -> None:
    for (use, traits, profile), advice in answers.items():
        if Trait.LONG not in traits:
            continue
        if use is Use.SIGN:
            assert advice.algorithm == "ML_DSA_65"
        if use is Use.SEAL and Trait.OUTSIDE in traits:
            if profile == "Approved":
                assert any("HPKE_MLKEM768_X25519" in caveat for caveat in advice.caveats)
            else:
                assert advice.algorithm == "HPKE_MLKEM768_X25519"


def test_masking_does_what_was_asked_for_or_says_that_it_does_not(
    answers: dict[Case, Advice],
) -> None:
    for (use, traits, profile), advice in answers.items():
        if use is not Use.MASK:
            continue
        said = " ".join(advice.caveats)
        if Trait.EQUAL in traits:
            assert advice.algorithm in {"AES256_SIV", "FF1_AES256", "HMAC_SHA256"}
        if advice.algorithm in {"AES256_SIV", "FF1_AES256", "HMAC_SHA256"}:
            assert "equality and frequency" in said
        if advice.algorithm == "FF1_AES256":
            assert Trait.WIDE in traits, "FF1 needs a domain of at least 10^6"
        elif Trait.FORMAT in traits:
            assert "the format is not kept" in said
        if Trait.BACK in traits and advice.algorithm == "HMAC_SHA256":
            assert profile == "Approved"
            assert "does not lead back" in said


def test_no_rule_and_no_caveat_is_dead(answers: dict[Case, Advice]) -> None:
    reasons = {advice.reason for advice in answers.values()}
    assert [rule.reason for rule in RULES if rule.reason not in reasons] == []
    said = {caveat for advice in answers.values() for caveat in advice.caveats}
    assert [caveat.text for caveat in CAVEATS if caveat.text not in said] == []


@pytest.mark.parametrize(
    ("args", "algorithm"),
    [
        ("--use seal", "AES256_GCM"),
        ("--use seal --size 4GiB --without-aes", "CHACHA20_POLY1305"),
        ("--use seal --without-aes --profile Approved", "AES256_GCM"),
        ("--use seal --parties 2", "HPKE_X25519"),
        ("--use seal --parties 2 --lifetime 10y", "HPKE_X25519"),
        ("--use seal --parties 2 --lifetime 3653d", "HPKE_MLKEM768_X25519"),
        ("--use seal --parties 2 --lifetime 121mo", "HPKE_MLKEM768_X25519"),
        ("--use seal --parties 2 --lifetime 30y --profile Approved", "HPKE_P256"),
        ("--use seal --parties 1 --lifetime 30y", "AES256_GCM"),
        ("--use mask --join --reversible", "AES256_SIV"),
        ("--use mask --search --reversible", "AES256_SIV"),
        ("--use mask --join", "HMAC_SHA256"),
        ("--use mask --reversible", "AES256_GCM"),
        ("--use mask", "HMAC_SHA256"),
        ("--use mask --keep-format --domain 1000000", "FF1_AES256"),
        ("--use mask --keep-format --domain 999999 --join --reversible", "AES256_SIV"),
        ("--use mask --join --reversible --domain 1000000 --profile Approved", "FF1_AES256"),
        ("--use mask --join --reversible --profile Approved", "HMAC_SHA256"),
        ("--use sign", "ED25519"),
        ("--use sign --lifetime 12y", "ML_DSA_65"),
        ("--use sign --parties 3 --profile Compatible", "ECDSA_P256"),
        ("--use issue", "ECDSA_P256"),
        ("--use issue --lifetime 20y", "ECDSA_P384"),
    ],
)
def test_what_is_printed_is_part_of_a_manifest(args: str, algorithm: str) -> None:
    result = leeward("keys", "advise", *args.split())
    assert result.exit_code == 0, result.stderr
    spec = KeyVaultSpec.model_validate(yaml.safe_load(result.stdout))
    assert [key.algorithm for key in spec.keys] == [algorithm]
    assert f"# {algorithm} (" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("", "--use"),
        ("--profile Modern", "--use"),
        ("--use seal --join", "--join has no effect for --use seal"),
        ("--use seal --keep-format --domain 9", "--keep-format has no effect"),
        ("--use issue --size 4GiB", "--size has no effect"),
        ("--use sign --without-aes", "--without-aes has no effect"),
        ("--use mask --keep-format", "--domain"),
        ("--use seal --size large", "no size"),
        ("--use seal --lifetime long", "no lifetime"),
        ("--use seal --lifetime 0y", "no lifetime"),
    ],
)
def test_what_makes_no_sense_is_named(args: str, words: str) -> None:
    result = leeward("keys", "advise", *args.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


@pytest.mark.parametrize(
    ("size", "words"),
    [("4294967297", "2^32"), ("5G", "2^32"), ("4294967296", ""), ("1000", "")],
)
def test_too_many_values_under_one_key(size: str, words: str) -> None:
    said = leeward("keys", "advise", "--use", "mask", "--reversible", "--size", size).stdout
    assert ("2^32" in said) == bool(words)


@pytest.mark.parametrize(
    ("answers", "algorithm"),
    [
        (["seal", "", "y", "12y"], "HPKE_MLKEM768_X25519"),
        (["se", "mod", "n", "", "y"], "CHACHA20_POLY1305"),
        (["", "", "", "", ""], "AES256_GCM"),
        (["m", "approved", "n", "y", "yes", "n", "5"], "HMAC_SHA256"),
        (["mask", "Modern", "n", "n", "n", "y", "many", "10000000"], "FF1_AES256"),
        (["sign", "C", "y", "forever", "5y"], "ECDSA_P256"),
        (["s", "issue", "", "maybe", "n", ""], "ECDSA_P256"),
    ],
)
def test_it_asks_at_a_terminal(answers: list[str], algorithm: str) -> None:
    result = leeward("keys", "advise", answers=answers)
    assert result.exit_code == 0, result.stderr
    assert yaml.safe_load(result.stdout)["keys"][0]["algorithm"] == algorithm


def test_the_end_of_input_ends_the_questions() -> None:
    assert leeward("keys", "advise", answers=["seal", ""]).exit_code == 2


def test_the_command_offers_what_the_rules_know() -> None:
    offered = leeward("keys", "advise", "--help").stdout
    assert f"<{'|'.join(Use)}>" in offered
    assert f"<{'|'.join(PROFILES)}>" in offered


def test_six_hybrid_recipients_fit_as_the_caveat_says() -> None:
    keys = [HpkeHybridPrivateKey.generate(os.urandom) for _ in range(7)]
    recipients = [key.public_key for key in keys]
    seal_stream(io.BytesIO(), io.BytesIO(), recipients[:6])
    with pytest.raises(TooManyRecipients):
        seal_stream(io.BytesIO(), io.BytesIO(), recipients)

"""Which algorithm? The rules as data: the first that applies and that the profile allows counts.

docs/choosing-algorithms.md is the long form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from leeward.api.algorithms import ALGORITHMS, Profile, allowed


class Use(StrEnum):
    """What the key is for."""

    SEAL = "seal"
    MASK = "mask"
    SIGN = "sign"
    ISSUE = "issue"


class Trait(StrEnum):
    """What a use is like, so far as it matters for the choice."""

    OUTSIDE = "outside"
    """Somebody else than the cluster's own workloads seals, verifies, or has the key, too."""
    LONG = "long"
    """It must hold for more than ten years."""
    EQUAL = "equal"
    """Equal values must get equal results: to search, to join."""
    BACK = "back"
    """Somebody with the key must be able to lead a result back."""
    FORMAT = "format"
    """The result must look like the value."""
    WIDE = "wide"
    """There are at least a million possible values."""
    MANY = "many"
    """There are more than 2**32 values under one key."""
    LARGE = "large"
    """A file is larger than 256 MiB."""
    HUGE = "huge"
    """A file is larger than 4 PiB."""
    NO_AES = "no-aes"
    """The processors have no instructions for AES."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table.

    Attributes:
        needs: All of these traits must be there.
        profiles: Only for these; None: for all that allow the algorithm.
    """

    use: Use
    needs: frozenset[Trait]
    algorithm: str
    reason: str
    profiles: frozenset[Profile] | None = None


@dataclass(frozen=True, slots=True)
class Caveat:
    """What an algorithm does not protect against, or what must be done besides.

    Attributes:
        needs, lacks: Traits that must be there, and that must not.
        algorithms: Only for these; empty: for all.
        uses: Only for these; empty: for all.
    """

    text: str
    algorithms: frozenset[str] = frozenset()
    needs: frozenset[Trait] = frozenset()
    lacks: frozenset[Trait] = frozenset()
    uses: frozenset[Use] = frozenset()


@dataclass(frozen=True, slots=True)
class Advice:
    """The answer.

    Attributes:
        caveats: At least one.
        spec: The part of a KeyVault's spec, as for YAML.
    """

    algorithm: str
    reason: str
    caveats: tuple[str, ...]
    spec: Mapping[str, Any]


def _traits(*traits: Trait) -> frozenset[Trait]:
    return frozenset(traits)


_OUTSIDE, _LONG, _EQUAL, _BACK = Trait.OUTSIDE, Trait.LONG, Trait.EQUAL, Trait.BACK
_FORMAT, _WIDE, _NO_AES = Trait.FORMAT, Trait.WIDE, Trait.NO_AES

RULES: Final = (
    Rule(
        Use.SEAL,
        _traits(_OUTSIDE, _LONG),
        "HPKE_MLKEM768_X25519",
        "others seal with the public half and cannot open. It must hold for more than ten years:"
        " what is recorded today could be opened by a quantum computer then (harvest now, decrypt"
        " later). ML-KEM-768 is made against that, and X25519 still holds if ML-KEM is broken.",
    ),
    Rule(
        Use.SEAL,
        _traits(_OUTSIDE),
        "HPKE_X25519",
        "others seal with the public half and cannot open. X25519 is fast, its keys have 32 bytes,"
        " and it is hard to implement wrongly.",
    ),
    Rule(
        Use.SEAL,
        _traits(_OUTSIDE),
        "HPKE_P256",
        "others seal with the public half and cannot open. Of the NIST-approved ones it is the"
        " fastest, with the smallest keys.",
    ),
    Rule(
        Use.SEAL,
        _traits(_NO_AES),
        "CHACHA20_POLY1305",
        "one key seals and opens. Without instructions for AES it is several times faster than"
        " AES-GCM, and its software leaks nothing by its timing.",
    ),
    Rule(
        Use.SEAL,
        _traits(),
        "AES256_GCM",
        "the same workloads seal and open, so one symmetric key is enough. It is the fastest where"
        " processors have instructions for AES, and no quantum computer threatens it.",
    ),
    Rule(
        Use.MASK,
        _traits(_FORMAT, _WIDE),
        "FF1_AES256",
        "the result keeps length and alphabet, for systems that accept nothing else, and leads back"
        " with the key.",
    ),
    Rule(
        Use.MASK,
        _traits(_EQUAL, _BACK),
        "AES256_SIV",
        "equal values get equal tokens, so tables can be joined and searched by them, and tokens"
        " lead back with the key; a changed one is refused.",
    ),
    Rule(
        Use.MASK,
        _traits(_EQUAL, _BACK, _WIDE),
        "FF1_AES256",
        "equal values get equal results and lead back with the key; it is the only NIST-approved"
        " algorithm here that does both.",
    ),
    Rule(
        Use.MASK,
        _traits(_EQUAL),
        "HMAC_SHA256",
        "equal values get equal pseudonyms, so tables can be joined and searched by them; nothing"
        " leads back but trying values with the key.",
    ),
    Rule(
        Use.MASK,
        _traits(_BACK),
        "AES256_GCM",
        "equal values get different results, so not even frequencies show, and they lead back with"
        " the key.",
    ),
    Rule(
        Use.MASK,
        _traits(),
        "HMAC_SHA256",
        "nothing leads back but trying values with the key. If nothing needs to stay, take the"
        " transform redact instead: it needs no key at all.",
    ),
    Rule(
        Use.SIGN,
        _traits(_LONG),
        "ML_DSA_65",
        "signatures must be believed for more than ten years, when a quantum computer could forge"
        " the others.",
    ),
    Rule(
        Use.SIGN,
        _traits(_OUTSIDE),
        "ECDSA_P256",
        "others verify, and with this profile perhaps by old programs, smart cards or hardware"
        " modules: all of them know it.",
        frozenset({"Compatible"}),
    ),
    Rule(
        Use.SIGN,
        _traits(),
        "ED25519",
        "it is fast, its keys and signatures are small, and it needs no random numbers to sign.",
    ),
    Rule(
        Use.ISSUE,
        _traits(_LONG),
        "ECDSA_P384",
        "every TLS library verifies it, and it has the larger margin for an authority that lives"
        " long. Certificates with ML-DSA are not verified by OpenSSL 3.0, Go and others yet.",
    ),
    Rule(
        Use.ISSUE,
        _traits(),
        "ECDSA_P256",
        "every TLS library verifies it; Ed25519 certificates are refused by some.",
    ),
)

_EQUALITY: Final = frozenset({"AES256_SIV", "FF1_AES256", "HMAC_SHA256"})
_SYMMETRIC: Final = frozenset(n for n, a in ALGORITHMS.items() if a.key_class == "Symmetric")
_CLASSICAL: Final = frozenset({"HPKE_X25519", "HPKE_P256"})
_FORGEABLE: Final = frozenset({"ED25519", "ECDSA_P256"})

CAVEATS: Final = (
    Caveat(
        "equality and frequency: who sees the results sees which are equal and how often, and may"
        " recognise values that are common.",
        _EQUALITY,
        uses=frozenset({Use.MASK}),
    ),
    Caveat(
        "trying values: who has the key, or can have values masked under it, can try all that are"
        " likely. Keep the scope small (Job before Dataset before Vault).",
        _EQUALITY,
        uses=frozenset({Use.MASK}),
    ),
    Caveat(
        "changes: a changed result leads back to another value and is not noticed.",
        frozenset({"FF1_AES256"}),
    ),
    Caveat(
        "short or mixed values: only text of one alphabet with at least 10^6 possible values is"
        " encrypted, others fail the job or are redacted (SP 800-38G Rev. 1).",
        frozenset({"FF1_AES256"}),
    ),
    Caveat(
        "holders of the key: it leads back, although you do not need that. Grant it to few.",
        frozenset({"FF1_AES256"}),
        lacks=_traits(_BACK),
    ),
    Caveat(
        "the format is not kept: below 10^6 possible values all could be tried, and format-"
        "preserving encryption is refused (SP 800-38G Rev. 1).",
        needs=_traits(_FORMAT),
        lacks=_traits(_WIDE),
    ),
    Caveat(
        "it does not lead back, which you asked for: in profile Approved nothing does where equal"
        " values must stay equal and there may be fewer than 10^6. Keep the value in a second"
        " column, encrypted with a key of AES256_GCM, or use profile Modern (AES256_SIV).",
        frozenset({"HMAC_SHA256"}),
        needs=_traits(_EQUAL, _BACK),
    ),
    Caveat(
        "the length of the value shows.",
        frozenset({"AES256_GCM", "AES256_SIV"}),
        uses=frozenset({Use.MASK}),
    ),
    Caveat(
        "too many values: one key may encrypt 2^32 of them (random nonces, SP 800-38D). Use scope"
        " Job and several jobs.",
        frozenset({"AES256_GCM"}),
        needs=_traits(Trait.MANY),
        uses=frozenset({Use.MASK}),
    ),
    Caveat(
        "the other parties: all who need equal results have the same key, and with it can lead back"
        " or try values. Have one of you mask for all, or grant the key to as few as can be.",
        needs=_traits(_OUTSIDE),
        uses=frozenset({Use.MASK}),
    ),
    Caveat(
        "who may seal may open: with a symmetric key the two cannot be told apart.",
        _SYMMETRIC,
        uses=frozenset({Use.SEAL}),
    ),
    Caveat(
        "the length of the file shows, and who can open it (ids of keys).",
        uses=frozenset({Use.SEAL}),
    ),
    Caveat(
        "origin: who has the public half can seal. Have files signed, too (leeward sign).",
        uses=frozenset({Use.SEAL}),
        needs=_traits(_OUTSIDE),
    ),
    Caveat(
        "quantum computers: what is recorded today could be opened then. In profile Approved no"
        " algorithm for sealing prevents it; for data that must stay secret this long use profile"
        " Modern (HPKE_MLKEM768_X25519), or seal inside the cluster with AES256_GCM.",
        _CLASSICAL,
        needs=_traits(_LONG),
    ),
    Caveat(
        "quantum computers: fine for ten years or less; ask again if the data must stay secret"
        " longer.",
        _CLASSICAL,
        lacks=_traits(_LONG),
    ),
    Caveat(
        "size: each recipient adds about 1.2 kB to a file, so 6 fit into one.",
        frozenset({"HPKE_MLKEM768_X25519"}),
    ),
    Caveat(
        "size: one sealed file holds at most 4 PiB. Split it.",
        needs=_traits(Trait.HUGE),
        uses=frozenset({Use.SEAL}),
    ),
    Caveat(
        "quantum computers: they could forge signatures. What is verified soon does not suffer, for"
        " there are none today; sign anew with ML_DSA_65 what must be believed later.",
        _FORGEABLE,
        uses=frozenset({Use.SIGN}),
    ),
    Caveat(
        "a lie: it shows who signed and that nothing was changed, not that it is true.",
        uses=frozenset({Use.SIGN}),
    ),
    Caveat(
        "old programs: few verify ML-DSA yet (OpenSSL from 3.5). Signatures have 3.3 kB.",
        frozenset({"ML_DSA_65"}),
    ),
    Caveat(
        "bare signatures (leeward sign --bare) of files over 256 MiB: Ed25519 needs the whole file"
        " in memory. The usual ones, in an envelope, are of any size.",
        frozenset({"ED25519"}),
        needs=_traits(Trait.LARGE),
        uses=frozenset({Use.SIGN}),
    ),
    Caveat(
        "a stolen key of a workload: its certificate counts until it ends. Keep maxDuration short.",
        uses=frozenset({Use.ISSUE}),
    ),
    Caveat(
        "quantum computers: they could forge certificates. Rotate the authority long before; what"
        " is signed in a TLS handshake today cannot be forged afterwards.",
        uses=frozenset({Use.ISSUE}),
    ),
)

_NAMES: Final = {Use.SIGN: "signing", Use.ISSUE: "authority"}
_ROTATION: Final = {"every": "365d"}
_AUTHORITY: Final = {"trustDomain": "clinic.example"}


def advise(use: Use, traits: frozenset[Trait], profile: Profile) -> Advice:
    """The algorithm for a use, in a profile."""
    names = allowed(profile)
    rule = next(
        rule
        for rule in RULES
        if rule.use == use
        and rule.needs <= traits
        and rule.algorithm in names
        and (rule.profiles is None or profile in rule.profiles)
    )
    caveats = tuple(
        caveat.text
        for caveat in CAVEATS
        if (not caveat.algorithms or rule.algorithm in caveat.algorithms)
        and (not caveat.uses or use in caveat.uses)
        and caveat.needs <= traits
        and not caveat.lacks & traits
    )
    spec = {"profile": profile, "keys": [_key(use, rule.algorithm, traits)]}
    return Advice(rule.algorithm, rule.reason, caveats, spec)


def _key(use: Use, algorithm: str, traits: frozenset[Trait]) -> dict[str, Any]:
    key: dict[str, Any] = {
        "name": _name(use, traits),
        "algorithm": algorithm,
        "origin": {"generate": {}},
        "rotation": dict(_ROTATION),
    }
    if use in (Use.SIGN, Use.ISSUE):
        key["authority"] = dict(_AUTHORITY)
    kinds, operations = _granted(use, traits)
    key["grants"] = [{"name": "work", "kinds": kinds, "operations": operations}]
    return key


def _name(use: Use, traits: frozenset[Trait]) -> str:
    if use is Use.SEAL:
        return "intake" if Trait.OUTSIDE in traits else "data"
    if use is Use.MASK:
        return "tokens" if Trait.EQUAL in traits else "values"
    return _NAMES[use]


def _granted(use: Use, traits: frozenset[Trait]) -> tuple[list[str], list[str]]:
    if use is Use.SEAL:
        if Trait.OUTSIDE in traits:
            return ["MaskingJob", "DatasetPreview"], ["Open"]
        return ["MaskingJob"], ["Seal", "Open"]
    if use is Use.MASK:
        return ["MaskingJob"], ["Mask"]
    return ["KeyDelivery"], ["Sign" if use is Use.SIGN else "Issue"]

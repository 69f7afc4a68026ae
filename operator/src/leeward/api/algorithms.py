"""The algorithms that a vault key may have: what each is for, and which profiles allow it.

Names are those of the field; what they stand for byte by byte is in ``leeward.formats``.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from leeward.api.meta import Cel

Operation = Literal["Seal", "Open", "Mask", "Unmask", "Sign", "Verify", "Issue"]
Profile = Literal["Modern", "Approved", "Compatible"]
KeyClass = Literal["Symmetric", "PublicKey", "Signing"]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One algorithm.

    Attributes:
        key_class: Symmetric (one key does and undoes), PublicKey (whoever has the public half
            seals, only the private half opens), Signing.
        operations: What a key of it may be granted for. Seal and Open are of files, Mask and Unmask
            of values in columns; Issue makes X.509 certificates for TLS, which neither OpenSSL 3.0
            nor Go verify where they are signed with ML-DSA.
        profiles: Which allow it. Approved: NIST-approved algorithms; the module is not validated.
        source: The standard.
    """

    name: str
    key_class: KeyClass
    operations: frozenset[Operation]
    profiles: frozenset[Profile]
    source: str


_FILES: Final[frozenset[Operation]] = frozenset({"Seal", "Open"})
_DIGESTS: Final[frozenset[Operation]] = frozenset({"Mask"})
_VALUES: Final[frozenset[Operation]] = frozenset({"Mask", "Unmask"})
_SIGNS: Final[frozenset[Operation]] = frozenset({"Sign", "Verify", "Issue"})

_ALL: Final[frozenset[Profile]] = frozenset({"Modern", "Approved", "Compatible"})
_MODERN: Final[frozenset[Profile]] = frozenset({"Modern", "Compatible"})
_APPROVED: Final[frozenset[Profile]] = frozenset({"Approved", "Compatible"})
_COMPATIBLE: Final[frozenset[Profile]] = frozenset({"Compatible"})

ALGORITHMS: Final[dict[str, Algorithm]] = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm("AES256_GCM", "Symmetric", _FILES | _VALUES, _ALL, "NIST SP 800-38D"),
        Algorithm("CHACHA20_POLY1305", "Symmetric", _FILES, _MODERN, "RFC 8439"),
        Algorithm("FERNET", "Symmetric", _FILES | _VALUES, _COMPATIBLE, "Fernet specification"),
        Algorithm("AES256_SIV", "Symmetric", _VALUES, _MODERN, "RFC 5297"),
        Algorithm("FF1_AES256", "Symmetric", _VALUES, _ALL, "NIST SP 800-38G Rev. 1"),
        Algorithm("HMAC_SHA256", "Symmetric", _DIGESTS, _ALL, "FIPS 198-1"),
        Algorithm("HPKE_X25519", "PublicKey", _FILES, _MODERN, "RFC 9180"),
        Algorithm("HPKE_P256", "PublicKey", _FILES, _ALL, "RFC 9180, NIST SP 800-56A"),
        Algorithm(
            "HPKE_MLKEM768_X25519", "PublicKey", _FILES, _MODERN, "RFC 9180, X-Wing, FIPS 203"
        ),
        Algorithm("RSA3072_OAEP", "PublicKey", _FILES, _APPROVED, "RFC 8017, NIST SP 800-56B"),
        Algorithm("RSA4096_OAEP", "PublicKey", _FILES, _APPROVED, "RFC 8017, NIST SP 800-56B"),
        Algorithm("RSA_PSS", "Signing", _SIGNS, _APPROVED, "RFC 8017, FIPS 186-5"),
        Algorithm("ECDSA_P256", "Signing", _SIGNS, _ALL, "FIPS 186-5"),
        Algorithm("ECDSA_P384", "Signing", _SIGNS, _ALL, "FIPS 186-5"),
        Algorithm("ED25519", "Signing", _SIGNS, _ALL, "RFC 8032, FIPS 186-5"),
        Algorithm("ML_DSA_65", "Signing", _SIGNS - {"Issue"}, _ALL, "FIPS 204"),
    )
}
"""By name."""

OPERATIONS_BY_ALGORITHM: Final[dict[str, frozenset[Operation]]] = {
    name: algorithm.operations for name, algorithm in ALGORITHMS.items()
}


def allowed(profile: Profile) -> tuple[str, ...]:
    """Names of the algorithms of a profile."""
    return tuple(name for name, known in ALGORITHMS.items() if profile in known.profiles)


_SWEET32: Final = "its 64-bit block leaks after 32 GiB (Sweet32); use AES256_GCM"

BANNED_ALGORITHMS: Final[dict[str, str]] = {
    "ECB": "equal blocks stay visible; use AES256_GCM, or AES256_SIV for equal tokens",
    "^([23]?TDE[AS]|3DES|DESEDE|DES3|TRIPLEDES)": _SWEET32,
    "^DES": "its 56-bit key is found in hours; use AES256_GCM",
    "^(BLOWFISH|CAST5|CAST128|IDEA)": _SWEET32,
    "^A?RC2": "its short keys and 64-bit block are broken; use AES256_GCM",
    "^(A?RC4|ARCFOUR)": "its key stream is biased (RFC 7465); use AES256_GCM",
    "^HMAC.*MD[245]|MD[245].*HMAC": "MD5 is broken as a hash; use HMAC_SHA256",
    "^HMACSHA1?$": "SHA-1 is withdrawn by NIST; use HMAC_SHA256",
    "OAEP.*(MD[245]|SHA1?$)": "SHA-1 and MD5 are withdrawn by NIST; use RSA3072_OAEP",
    "(RSA|DSA|PSS|PKCS1).*(MD[245]|SHA1?$)|(MD[245]|SHA1).*(RSA|DSA|PSS)": (
        "SHA-1 and MD5 signatures can be forged; use ED25519 or ECDSA_P256"
    ),
    "MD[245]": "collisions are made in seconds; use HMAC_SHA256",
    "SHA1?$": "collisions are practical (SHAttered); use HMAC_SHA256",
    "^AES[0-9]*(CBC|CFB|OFB|CTR)": "it is not authenticated; use AES256_GCM",
    "^(RSA.*)?PKCS1(PADDING|V?15)?(3072|4096)?$|^RSA(ES)?15$": (
        "padding oracles recover plaintexts (Bleichenbacher); use RSA3072_OAEP"
    ),
    "^RSA[A-Z]*(768|1024)([^0-9]|$)": "RSA of 1024 bits can be factored; use RSA3072_OAEP",
    "^RSA[A-Z]*(1536|2048)([^0-9]|$)": (
        "RSA below 3072 bits is below 128-bit strength; use RSA3072_OAEP"
    ),
    "^DSA": "withdrawn by NIST for signing (FIPS 186-5); use ED25519 or ECDSA_P256",
    "^FF3V?1": "withdrawn by NIST (SP 800-38G Rev. 1, 2025); use FF1_AES256",
    "^FF3": "broken (Durak and Vaudenay, 2017); use FF1_AES256",
}
"""Refused with the reason and the replacement (checked by CEL at apply).

A name is compared in capitals, letters and digits only: ``aes-128/ecb`` is AES128ECB. The first
regular expression (RE2) that finds something in it says why.
"""


_MARKS: Final = "_-/. "
"""Left out of a name before it is compared."""


def why_banned(name: str) -> str | None:
    """Why an algorithm is banned, and what to use instead; None: it is not, by that name."""
    spelled = name.upper().translate(str.maketrans("", "", _MARKS))
    found = (why for pattern, why in BANNED_ALGORITHMS.items() if re.search(pattern, spelled))
    return next(found, None)


def quoted(names: Iterable[str]) -> str:
    """The members of a CEL list of strings."""
    return ", ".join(f"'{name}'" for name in names)


def algorithm_rules() -> tuple[Cel, ...]:
    """What CEL says of ``self.algorithm`` where it is banned or not known."""
    known = f"use one of {', '.join(ALGORITHMS)}"
    spelled = "self.algorithm.upperAscii()"
    for mark in _MARKS:
        spelled += f".replace('{mark}', '')"
    is_known = f"self.algorithm in [{quoted(ALGORITHMS)}]"
    is_banned = f"{spelled}.matches('{'|'.join(BANNED_ALGORITHMS)}')"
    reasons = " : ".join(
        f"s.matches('{pattern}') ? '{why}'" for pattern, why in BANNED_ALGORITHMS.items()
    )
    return (
        Cel(
            f"{is_known} || !{is_banned}",
            f"this algorithm is banned: {known}",
            "'algorithm ' + self.algorithm + ' is banned: '"
            f" + [{spelled}].map(s, {reasons} : '')[0]",
            field_path=".algorithm",
        ),
        Cel(
            f"{is_known} || {is_banned}",
            f"unknown algorithm: {known}",
            f"'unknown algorithm ' + self.algorithm + ': {known}'",
            field_path=".algorithm",
        ),
    )


def profile_rules() -> tuple[Cel, ...]:
    """What CEL says of a spec in which an algorithm is not of the profile."""
    return tuple(
        Cel(
            f"self.profile != '{profile}' || self.keys.all(k,"
            f" !(k.algorithm in [{quoted(ALGORITHMS)}])"
            f" || k.algorithm in [{quoted(allowed(profile))}])",
            f"profile {profile} does not allow the algorithm of a key: use one of"
            f" {', '.join(allowed(profile))}, or another profile",
            field_path=".keys",
        )
        for profile in get_args(Profile)
        if set(allowed(profile)) != set(ALGORITHMS)
    )

"""Keys and passphrases that a steward brings along. The first byte chooses the algorithm."""

from __future__ import annotations

import base64
import dataclasses
import json
import random
from collections.abc import Callable
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from fuzz.harness import Harness
from fuzz.mutating import after_a_byte, change_bytes, change_json, change_pem, seeded
from fuzz.planted import Planted
from leeward.formats.material import (
    ALGORITHMS,
    RSA_BITS,
    SIZES,
    InvalidMaterial,
    check,
    load_private,
    load_public,
    public_pem,
)
from leeward.formats.sealed import InvalidKey, recipient_from_pem, unwrapper_from_pem
from leeward.keystore.origins import (
    Derivation,
    OriginError,
    from_passphrase,
    import_key,
)
from leeward.keystore.origins.importing.expected import is_symmetric
from unit.keystore.origins.sample_keys import FITTING, pair, pem, random_bytes

PASSWORD = b"Zq8-vK2mW!x7"
_URL = "type.googleapis.com/google.crypto.tink."
_JOSE: dict[str, Any] = {
    "HPKE_X25519": OKPKey,
    "ED25519": OKPKey,
    "HPKE_P256": ECKey,
    "ECDSA_P256": ECKey,
    "ECDSA_P384": ECKey,
}


def chosen(algorithm: str, data: bytes) -> bytes:
    """`data`, to be taken for a key of the algorithm."""
    return bytes([ALGORITHMS.index(algorithm)]) + data


def imported(data: bytes) -> None:
    """A key, and if it is taken, one that is of the algorithm in full.

    RSA keys are not checked again: that takes a tenth of a second.
    """
    algorithm = ALGORITHMS[data[0] % len(ALGORITHMS)] if data else ALGORITHMS[0]
    encrypted = b"ENCRYPTED" in data
    material = import_key(
        {"key": data[1:], "password": PASSWORD},
        algorithm,
        passphrase="password" if encrypted else None,
    )
    if algorithm not in RSA_BITS:
        check(algorithm, material)


@cache
def pems() -> list[bytes]:
    kinds = {name: kind for name, kind in FITTING.items() if not name.startswith("RSA")}
    plain = [chosen(name, pem(pair(kind))) for name, kind in kinds.items()]
    traditional = [
        chosen(name, pem(pair(FITTING[name]), traditional=True))
        for name in ("HPKE_P256", "ECDSA_P384")
    ]
    by_password = serialization.BestAvailableEncryption(PASSWORD)
    encrypted = [
        chosen(name, pem(pair(FITTING[name]), encryption=by_password))
        for name in ("ED25519", "ECDSA_P256")
    ]
    return plain + traditional + encrypted


@cache
def jwks() -> list[bytes]:
    made = []
    for algorithm in ALGORITHMS:
        if is_symmetric(algorithm):
            key: Any = OctKey.import_key(random_bytes(algorithm, SIZES[algorithm]))
        elif algorithm in _JOSE:
            key = _JOSE[algorithm].import_key(pair(FITTING[algorithm]))
        else:
            continue
        made.append(chosen(algorithm, json.dumps(key.as_dict(private=True)).encode()))
    return made


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited field of a protocol buffer."""
    size = len(value)
    length = bytes([size]) if size < 0x80 else bytes([0x80 | size & 0x7F, size >> 7])
    return bytes([number << 3 | 2]) + length + value


@cache
def tinks() -> list[bytes]:
    """Keysets of Tink, written by hand: the tests of interoperability have those of Tink itself."""
    scalar = pair("P-256").private_numbers().private_value.to_bytes(32, "big")
    values = {
        "AES256_GCM": ("AesGcmKey", _field(3, random_bytes("tink", 32))),
        "AES256_SIV": ("AesSivKey", _field(2, random_bytes("tink", 64))),
        "CHACHA20_POLY1305": ("ChaCha20Poly1305Key", _field(2, random_bytes("tink", 32))),
        "HMAC_SHA256": (
            "HmacKey",
            _field(2, bytes([8, 3, 16, 32])) + _field(3, random_bytes("tink", 32)),
        ),
        "HPKE_X25519": (
            "HpkePrivateKey",
            _field(2, _field(2, bytes([8, 1, 16, 1, 24, 2]))) + _field(3, random_bytes("tink", 32)),
        ),
        "ED25519": ("Ed25519PrivateKey", _field(2, random_bytes("tink", 32))),
        "ECDSA_P256": (
            "EcdsaPrivateKey",
            _field(2, _field(2, bytes([8, 3, 16, 2, 24, 2]))) + _field(3, scalar),
        ),
        "ML_DSA_65": (
            "MlDsaPrivateKey",
            _field(2, random_bytes("tink", 32)) + _field(3, _field(3, bytes([8, 1]))),
        ),
    }
    return [chosen(name, _keyset(*value)) for name, value in values.items()]


def _rsa_keyset(kind: str) -> bytes:
    rsa = pair(kind).private_numbers()
    public = rsa.public_numbers
    size = pair(kind).key_size // 8
    shared = _field(2, bytes([8, 3, 16, 3, 24, 32])) + _field(3, public.n.to_bytes(size, "big"))
    value = _field(2, shared + _field(4, public.e.to_bytes(3, "big")))
    value += _field(3, rsa.d.to_bytes(size, "big"))
    halves = (rsa.p, rsa.q, rsa.dmp1, rsa.dmq1, rsa.iqmp)
    for number, half in enumerate(halves, 4):
        value += _field(number, half.to_bytes(size // 2, "big"))
    return chosen("RSA_PSS", _keyset("RsaSsaPssPrivateKey", value))


def _rsa_pem(kind: str, *, traditional: bool = False) -> bytes:
    return chosen("RSA_PSS", pem(pair(kind), traditional=traditional))


def _rsa_jwk(kind: str) -> bytes:
    document = RSAKey.import_key(pair(kind)).as_dict(private=True)
    return chosen("RSA_PSS", json.dumps(document).encode())


@cache
def rsa_keys() -> list[bytes]:
    """Keys that are taken: each time costs a tenth of a second, for the test of the factors."""
    kind = "RSA-3072"
    return [_rsa_pem(kind), _rsa_pem(kind, traditional=True), _rsa_jwk(kind), _rsa_keyset(kind)]


@cache
def small_rsa_keys() -> list[list[bytes]]:
    """Keys that are refused for their size, before that test: in PEM, as JWK, of Tink."""
    kind = "RSA-2048"
    pems_ = [_rsa_pem(kind), _rsa_pem(kind, traditional=True)]
    return [pems_, [_rsa_jwk(kind)], [_rsa_keyset(kind)]]


def _keyset(name: str, value: bytes) -> bytes:
    data = {"typeUrl": _URL + name, "value": base64.b64encode(value).decode()}
    data["keyMaterialType"] = "SYMMETRIC"
    key = {"keyData": data, "status": "ENABLED", "keyId": 7, "outputPrefixType": "TINK"}
    return json.dumps({"primaryKeyId": 7, "key": [key]}).encode()


@cache
def planted() -> Planted:
    """Material of all seeds, and what their texts hold of it."""
    secrets = [random_bytes(name, SIZES[name]) for name in ALGORITHMS if name in SIZES]
    secrets += [random_bytes("tink", 64), random_bytes("x-wing", 32)]
    in_pem, in_jwk, of_tink = small_rsa_keys()
    with_armour = [*pems(), *in_pem, *rsa_keys()[:2]]
    bodies = ["\n".join(seed[1:].decode().split("\n")[1:-2]) for seed in with_armour]
    # What is in front is the same in all keys of a kind.
    texts = [line for body in bodies for line in body[32:].split("\n")]
    for seed in [*jwks(), *in_jwk, rsa_keys()[2]]:
        members = json.loads(seed[1:])
        texts += [
            members[name] for name in ("k", "d", "p", "q", "dp", "dq", "qi") if name in members
        ]
    keysets = [*tinks(), *of_tink, rsa_keys()[3]]
    texts += [json.loads(seed[1:])["key"][0]["keyData"]["value"] for seed in keysets]
    return Planted([*secrets, PASSWORD], [*texts, PASSWORD.decode()])


@cache
def publics() -> list[bytes]:
    return [
        (public_pem(name, import_key({"key": pem(pair(kind))}, name)) or "").encode()
        for name, kind in FITTING.items()
    ]


def read_public(data: bytes) -> None:
    """A public half, of whatever it is, and as a recipient of files."""
    load_public(data)
    recipient_from_pem(data)


def read_private(data: bytes) -> None:
    """A private half that somebody has in a file."""
    load_private(data)
    unwrapper_from_pem(data)


def judged(data: bytes) -> None:
    """A passphrase, up to the point where it would be stretched."""
    from_passphrase(data, _NO_WORK, "ED25519")


_NO_WORK = Derivation.model_construct(
    kdf="PBKDF2_SHA256", salt=base64.b64encode(bytes(16)).decode(), iterations=1
)
PASSPHRASES = [
    b"glacier mandolin copper thistle harbour quilt\n",
    "\u0441\u0435\u043a\u0440\u0435\u0442 \u4e2d\u6587 e\u0301 9x!Qz-7vK2mW".encode(),
    b"4@8({[<369!1|0$+7%2z-2019-12-24",
]


def _importing(
    name: str,
    seeds: Callable[[], list[bytes]],
    change: Any,
    refused: Callable[[], list[bytes]] = list,
) -> Harness:
    return Harness(
        name=f"import-{name}",
        parse=imported,
        declared=(OriginError,),
        seeds=seeds,
        mutate=seeded(after_a_byte(change)),
        planted=planted(),
        refused=refused,
    )


def _change_rsa(data: bytes, source: random.Random) -> bytes:
    return (change_json if data.startswith(b"{") else change_pem)(data, source)


def _any() -> list[bytes]:
    fernet = base64.urlsafe_b64encode(random_bytes("FERNET", 32))
    return [*pems()[:2], *jwks()[:2], *tinks()[:2], chosen("FERNET", fernet)]


def harnesses() -> tuple[Harness, ...]:
    """All of them; makes pairs of RSA, so it takes a second."""
    return (
        _importing("pem", pems, change_pem, lambda: small_rsa_keys()[0]),
        _importing("jwk", jwks, change_json, lambda: small_rsa_keys()[1]),
        _importing("tink", tinks, change_json, lambda: small_rsa_keys()[2]),
        _importing("any", _any, change_bytes),
        dataclasses.replace(_importing("rsa", rsa_keys, _change_rsa), examples=20, soaks=False),
        Harness(
            "public-pem",
            read_public,
            (InvalidMaterial, InvalidKey),
            publics,
            seeded(change_pem),
            accepts_seeds=False,
        ),
        Harness(
            "private-pem",
            read_private,
            (InvalidMaterial, InvalidKey),
            lambda: [seed[1:] for seed in pems()],
            seeded(change_pem),
            planted(),
            accepts_seeds=False,
        ),
        Harness(
            "passphrase",
            judged,
            (OriginError,),
            lambda: PASSPHRASES,
            seeded(change_bytes),
            max_size=4096,
            examples=20,
            soaks=False,
        ),
    )

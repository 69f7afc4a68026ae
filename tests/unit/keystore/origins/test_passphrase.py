"""Keys from passphrases: by others' vectors, by the openssl program, and what is refused."""

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cryptography_vectors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from leeward.formats.material import ALGORITHMS, SIZES, check
from leeward.keystore.origins import (
    Derivation,
    Kdf,
    NotDerivableError,
    PassphraseError,
    from_passphrase,
)
from leeward.keystore.origins.passphrase import prepared, stretch

PASSPHRASE = "glacier mandolin copper thistle harbour quilt"
SALT = bytes(range(16))
KDFS: tuple[Kdf, ...] = ("PBKDF2_SHA256", "SCRYPT", "ARGON2ID")
PARAMETERS = {
    "PBKDF2_SHA256": {"iterations"},
    "SCRYPT": {"n", "r", "p"},
    "ARGON2ID": {"iterations", "lanes", "memoryKib"},
}


def of_a_vector(kdf: Kdf, salt: bytes, **parameters: Any) -> Derivation:
    """Parameters below what a derivation may have."""
    text = base64.b64encode(salt).decode()
    return Derivation.model_construct(kdf=kdf, salt=text, **parameters)


def vectors(name: str) -> list[dict[str, str]]:
    """The blocks of a file of NAME = VALUE lines."""
    with cryptography_vectors.open_vector_file(f"KDF/{name}.txt", "r") as file:
        lines = [line.strip() for line in file if not line.startswith("#")]
    blocks: list[dict[str, str]] = []
    for line in lines:
        key, mark, value = (part.strip() for part in line.partition("="))
        if key == "COUNT":
            blocks.append({})
        elif mark:
            blocks[-1][key] = value
    return blocks


@pytest.mark.parametrize(
    ("secret", "salt", "iterations", "expected"),
    [
        (
            "passwd",
            "salt",
            1,
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
            "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
        ),
        (
            "Password",
            "NaCl",
            80000,
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
            "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
        ),
    ],
)
def test_pbkdf2_of_rfc_7914(secret: str, salt: str, iterations: int, expected: str) -> None:
    derivation = of_a_vector("PBKDF2_SHA256", salt.encode(), iterations=iterations)
    assert stretch(secret.encode(), derivation, 64).hex() == expected


@pytest.mark.parametrize("vector", vectors("scrypt")[:3], ids=lambda v: f"N={v['N']}")
def test_scrypt_of_rfc_7914(vector: dict[str, str]) -> None:
    n, r, p = (int(vector[name]) for name in ("N", "r", "p"))
    derivation = of_a_vector("SCRYPT", vector["SALT"].encode(), n=n, r=r, p=p)
    made = stretch(vector["PASSWORD"].encode(), derivation, int(vector["LENGTH"]))
    assert made.hex() == vector["DERIVED_KEY"]


@pytest.mark.parametrize(
    "vector", [v for v in vectors("argon2id") if "secret" not in v], ids=lambda v: v["memcost"]
)
def test_argon2id_of_rfc_9106(vector: dict[str, str]) -> None:
    derivation = of_a_vector(
        "ARGON2ID",
        bytes.fromhex(vector["salt"]),
        iterations=int(vector["iter"]),
        lanes=int(vector["lanes"]),
        memory_kib=int(vector["memcost"]),
    )
    made = stretch(bytes.fromhex(vector["pass"]), derivation, int(vector["length"]))
    assert made.hex() == vector["output"]


@pytest.mark.parametrize("kdf", ["PBKDF2_SHA256", "SCRYPT"])
@pytest.mark.parametrize("algorithm", ["AES256_GCM", "AES256_SIV"])
def test_openssl_makes_the_same_key(kdf: Kdf, algorithm: str) -> None:
    """But for Argon2id, which Debian 12's openssl does not have."""
    derivation = Derivation.new(kdf, lambda size: SALT[:size])
    made = from_passphrase(f"{PASSPHRASE}\n".encode(), derivation, algorithm)
    assert made == by_openssl(json.loads(derivation.canonical()), SIZES[algorithm])


def by_openssl(derivation: dict[str, Any], size: int) -> bytes:
    """As docs/guides/importing-keys.md says."""
    salt = base64.b64decode(derivation["salt"]).hex()
    options = [f"pass:{PASSPHRASE}", f"hexsalt:{salt}"]
    if derivation["kdf"] == "PBKDF2_SHA256":
        function = "PBKDF2"
        options += ["digest:SHA256", f"iter:{derivation['iterations']}"]
    else:
        function = "SCRYPT"
        options += [f"{name}:{derivation[name]}" for name in ("n", "r", "p")]
        options.append("maxmem_bytes:201326592")
    given = [part for option in options for part in ("-kdfopt", option)]
    command = ["openssl", "kdf", "-keylen", str(size), *given, function]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return bytes.fromhex(printed.strip().replace(":", ""))


@pytest.mark.parametrize("kdf", KDFS)
def test_the_program_in_the_guide_makes_the_same_key(kdf: Kdf, tmp_path: Path) -> None:
    guide = (Path(__file__).parents[4] / "docs/guides/importing-keys.md").read_text()
    program = guide.split("```python\n")[1].split("```")[0]
    derivation = Derivation.new(kdf, lambda size: SALT[:size])
    (tmp_path / "derivation.json").write_bytes(derivation.canonical())
    printed = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "derivation.json"],
        input=f"{PASSPHRASE}\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    made = from_passphrase(PASSPHRASE.encode(), derivation, "ED25519")
    assert bytes.fromhex(printed) == made


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_key_of_every_algorithm_that_is_any_bytes(algorithm: str) -> None:
    derivation = Derivation.new("ARGON2ID", lambda size: SALT[:size])
    if algorithm in SIZES:
        check(algorithm, from_passphrase(PASSPHRASE.encode(), derivation, algorithm))
        return
    with pytest.raises(NotDerivableError, match=f"{algorithm} is not made.*HPKE_X25519.*generate"):
        from_passphrase(PASSPHRASE.encode(), derivation, algorithm)


def test_unknown_algorithm_is_named() -> None:
    derivation = Derivation.new("ARGON2ID", lambda size: SALT[:size])
    with pytest.raises(NotDerivableError, match="no algorithm AES128"):
        from_passphrase(PASSPHRASE.encode(), derivation, "AES128")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (b"one\n", "one"),
        (b"one\r\n", "one"),
        (b" one ", " one "),
        (b"one\r", None),
        (b"one\n\n", None),
        (b"one\ntwo", None),
        (b"tab\there", None),
        (b"", None),
        (b"\n", None),
        (b"\xff\xfe", None),
        ("e\u0301te\u0301".encode(), "\u00e9t\u00e9"),
        ("\u00e9t\u00e9".encode(), "\u00e9t\u00e9"),
        ("one\u3000two\u00a0three".encode(), "one two three"),
        ("\ufb01ne".encode(), "\ufb01ne"),
        ("a\u2028b".encode(), None),
        ("\U000e0fff".encode(), None),
        (b"x" * 1024, "x" * 1024),
        (b"x" * 1025, None),
    ],
)
def test_text_that_is_meant(typed: bytes, meant: str | None) -> None:
    if meant is not None:
        assert prepared(typed) == meant
        return
    with pytest.raises(PassphraseError, match=r"the passphrase .*: ") as caught:
        prepared(typed)
    assert type(caught.value) is PassphraseError


@given(st.text(min_size=1, max_size=50))
def test_preparing_twice_changes_nothing_more(text: str) -> None:
    try:
        once = prepared(text.encode(errors="surrogatepass"))
    except PassphraseError:
        return
    assert prepared(once.encode()) == once


@pytest.mark.parametrize("kdf", KDFS)
def test_new_derivation_has_a_random_salt_and_reads_back(kdf: Kdf) -> None:
    drawn: list[int] = []

    def random(size: int) -> bytes:
        drawn.append(size)
        return hashlib.sha256(bytes([len(drawn)])).digest()[:size]

    first, second = (Derivation.new(kdf, random) for _ in range(2))
    assert drawn == [16, 16]
    assert first.salt != second.salt
    assert Derivation.parse(first.canonical()) == first
    members = set(json.loads(first.canonical()))
    assert members == {"formatVersion", "kdf", "salt"} | PARAMETERS[kdf]


BAD_PARAMETERS: list[tuple[Kdf, dict[str, Any], str]] = [
    ("PBKDF2_SHA256", {"iterations": 599_999}, "iterations.*600000"),
    ("PBKDF2_SHA256", {"iterations": 10_000_001}, "iterations.*10000000"),
    ("PBKDF2_SHA256", {"iterations": None}, "iterations"),
    ("PBKDF2_SHA256", {"n": 131072}, "no parameter n"),
    ("SCRYPT", {"n": 65536}, "n of SCRYPT"),
    ("SCRYPT", {"n": 262144}, "n of SCRYPT"),
    ("SCRYPT", {"p": 17}, "p of SCRYPT"),
    ("ARGON2ID", {"memoryKib": 65535}, "memory_kib"),
    ("ARGON2ID", {"memoryKib": 131073}, "memory_kib"),
    ("ARGON2ID", {"iterations": 2}, "iterations"),
    ("ARGON2ID", {"lanes": 9}, "lanes"),
    ("ARGON2ID", {"salt": "AAAA"}, "16 to 64 bytes, not 3"),
    ("ARGON2ID", {"salt": "no base64!"}, "salt is base64"),
    ("ARGON2ID", {"kdf": "BCRYPT"}, "kdf"),
    ("ARGON2ID", {"formatVersion": 2}, "formatVersion"),
    ("ARGON2ID", {"pepper": "x"}, "pepper"),
]


@pytest.mark.parametrize(("kdf", "change", "why"), BAD_PARAMETERS)
def test_parameters_outside_their_bounds(kdf: Kdf, change: dict[str, Any], why: str) -> None:
    document = json.loads(Derivation.new(kdf, lambda size: SALT[:size]).canonical()) | change
    with pytest.raises(ValidationError, match=why):
        Derivation.model_validate(document)


def test_number_of_iterations_can_be_chosen() -> None:
    chosen = Derivation.new("PBKDF2_SHA256", lambda size: SALT[:size], iterations=1_000_000)
    assert chosen.iterations == 1_000_000
    with pytest.raises(ValidationError, match="from 600000 to 10000000"):
        Derivation.new("PBKDF2_SHA256", lambda size: SALT[:size], iterations=10_000)
    with pytest.raises(ValidationError, match="SCRYPT has no parameter iterations"):
        Derivation.new("SCRYPT", lambda size: SALT[:size], iterations=1_000_000)


PEAK = """
import re, threading
from pathlib import Path
from leeward.keystore.origins import Derivation, from_passphrase

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) >> 10

derivation = Derivation.new("SCRYPT", bytes)
before = peak()
threads = [
    threading.Thread(target=from_passphrase, args=(b"%s", derivation, "ED25519")) for _ in "123"
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(peak() - before)
"""


def test_derivations_at_once_take_the_memory_of_one() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", PEAK % PASSPHRASE],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert 100 < int(printed) < 200

"""Keys from passphrases, other keys and elsewhere, as a steward and a partner use them."""

import base64
import hashlib
import json
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from cluster.clinic import (
    WORK,
    Clinic,
    Kubectl,
    Manifest,
    dataset,
    masking_job,
    resource,
)

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]
OPERATOR = "leeward-system"
WORDS = "glacier mandolin copper thistle harbour quilt"

Given = Callable[..., None]


@pytest.fixture(scope="module")
def given(kubectl: Kubectl, namespace: str) -> Iterator[Given]:
    """Puts a Secret into the operator's namespace, for one vault of this test's namespace."""
    made = set()

    def put(name: str, vault: str, **values: str | Path) -> None:
        full = f"{namespace}-{name}"
        files = [
            f"--from-file={key}={value}"
            if isinstance(value, Path)
            else f"--from-literal={key}={value}"
            for key, value in values.items()
        ]
        create = ["create", "secret", "generic", full, *files, "--dry-run=client", "-o", "json"]
        manifest = json.loads(kubectl("-n", OPERATOR, *create).stdout)
        manifest["metadata"]["annotations"] = {"leeward.dev/for": f"{namespace}/{vault}"}
        kubectl("-n", OPERATOR, "apply", "-f", "-", stdin=json.dumps(manifest))
        made.add(full)

    yield put
    for name in made:
        kubectl("-n", OPERATOR, "delete", "secret", name, "--ignore-not-found")


def openssl(*args: str) -> str:
    done = subprocess.run(["openssl", *args], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def from_secret(clinic: Clinic, kind: str, name: str, key: str = "key", **more: str) -> Manifest:
    return {kind: {"secretRef": {"name": f"{clinic.namespace}-{name}", "key": key}, **more}}


def vault_of(name: str, *keys: Manifest, **fields: str) -> Manifest:
    return resource("KeyVault", name, {"keys": list(keys), **fields})


def vault_key(name: str, algorithm: str, *operations: str, **fields: Manifest) -> Manifest:
    grants = [{"name": "work", "kinds": WORK, "operations": list(operations)}]
    return {"name": name, "algorithm": algorithm, "grants": grants if operations else [], **fields}


def key_state(clinic: Clinic, vault: str, key: str) -> Manifest:
    keys = clinic.get("keyvault", vault)["status"]["keys"]
    return dict(next(state for state in keys if state["name"] == key))


def test_keys_of_every_origin(clinic: Clinic, given: Given, tmp_path: Path) -> None:
    pem, jwk = tmp_path / "pair.pem", tmp_path / "key.jwk"
    openssl("genpkey", "-algorithm", "ed25519", "-out", str(pem))
    material = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    jwk.write_text(json.dumps({"kty": "oct", "k": material}))
    given("pem", "origins", key=pem)
    given("jwk", "origins", key=jwk)
    given("words", "origins", key=WORDS)
    clinic.apply(
        vault_of(
            "origins",
            vault_key("signing", "ED25519", origin=from_secret(clinic, "import", "pem")),
            vault_key("partner", "AES256_GCM", origin=from_secret(clinic, "import", "jwk")),
            vault_key("archive", "AES256_GCM", origin=from_secret(clinic, "passphrase", "words")),
            vault_key(
                "exports",
                "AES256_SIV",
                origin={"derive": {"from": "archive", "info": "exports to the registry"}},
            ),
        )
    )
    clinic.reason("keyvault", "origins", "KeysReady")
    shared = clinic.condition("keyvault", "origins", "SharedKey")
    assert shared["status"] == "True"
    assert "partner, archive, exports" in shared["message"]
    line = clinic.run("get", "keyvault", "origins", "--no-headers").split()
    assert line[:3] == ["origins", "embedded", "4"]
    public = openssl("pkey", "-in", str(pem), "-pubout")
    published = clinic.get("configmap", "kv-origins-public-keys")["data"]
    assert published["signing.pem"] == public
    (known,) = json.loads(published["signing.jwks.json"])["keys"]
    assert (known["kty"], known["crv"]) == ("OKP", "Ed25519")
    events = clinic.run("events", "--for", "keyvault/origins")
    assert f"was made of Secret {clinic.namespace}-jwk, which is not needed" in events
    derivation = json.loads(key_state(clinic, "origins", "exports")["derivation"])
    assert (derivation["kdf"], derivation["from"]) == ("HKDF_SHA256", "archive")
    everything = json.dumps(clinic.get("keyvault", "origins")) + events
    assert WORDS not in everything
    assert material not in everything


def test_a_weak_passphrase_is_refused_until_it_is_mended(clinic: Clinic, given: Given) -> None:
    given("weak", "weak", key="correcthorse1")
    clinic.apply(
        vault_of(
            "weak",
            vault_key("data", "AES256_GCM"),
            vault_key(
                "archive",
                "AES256_GCM",
                origin=from_secret(clinic, "passphrase", "weak", kdf="PBKDF2_SHA256"),
            ),
        )
    )
    refused = clinic.reason("keyvault", "weak", "WeakPassphrase")
    assert "key archive" in refused["message"]
    assert "guesses" in refused["message"]
    assert "correcthorse1" not in json.dumps(clinic.get("keyvault", "weak"))
    assert key_state(clinic, "weak", "data")["primaryVersion"] == 1
    given("weak", "weak", key=WORDS)
    clinic.run("annotate", "keyvault", "weak", "clinic.example/mended=yes")
    clinic.reason("keyvault", "weak", "KeysReady")
    how = json.loads(key_state(clinic, "weak", "archive")["derivation"])
    assert (how["kdf"], how["iterations"]) == ("PBKDF2_SHA256", 600_000)


@pytest.mark.parametrize(
    ("name", "value", "algorithm", "said"),
    [
        (
            "public",
            "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n",
            "ED25519",
            "public key",
        ),
        ("truncated", '{"kty":"oct","k"', "AES256_GCM", "JSON that cannot be read"),
        ("short", "too short", "AES256_GCM", "import.format"),
    ],
)
def test_what_is_no_key_is_refused(
    clinic: Clinic, given: Given, name: str, value: str, algorithm: str, said: str
) -> None:
    given(name, name, key=value)
    origin = from_secret(clinic, "import", name)
    clinic.apply(vault_of(name, vault_key("partner", algorithm, origin=origin)))
    refused = clinic.reason("keyvault", name, "InvalidImport")
    assert said in refused["message"]


def test_a_secret_for_another_vault_is_not_used(clinic: Clinic, given: Given) -> None:
    given("others", "owner", key=WORDS)
    origin = from_secret(clinic, "passphrase", "others")
    clinic.apply(vault_of("thief", vault_key("archive", "AES256_GCM", origin=origin)))
    refused = clinic.reason("keyvault", "thief", "SecretMissing")
    assert f"leeward.dev/for={clinic.namespace}/thief" in refused["message"]


def both(clinic: Clinic) -> Manifest:
    """A vault of which every key is one that others have, too."""
    partner = from_secret(clinic, "import", "both", "partner", format="Hex")
    archive = from_secret(clinic, "passphrase", "both", "words", kdf="ARGON2ID")
    imported = from_secret(clinic, "import", "both", "fernet")
    stretched = from_secret(clinic, "passphrase", "both", "words", kdf="PBKDF2_SHA256")
    return vault_of(
        "both",
        vault_key("partner", "AES256_GCM", "Seal", "Open", origin=partner),
        vault_key("imported", "FERNET", "Mask", origin=imported),
        vault_key("stretched", "FERNET", "Mask", origin=stretched),
        vault_key("archive", "AES256_GCM", "Seal", "Open", origin=archive),
        profile="Compatible",
    )


def of_both(key: str) -> Manifest:
    return {"vault": {"name": "both"}, "key": key}


def made_elsewhere(clinic: Clinic, key: str, folder: Path) -> bytes:
    """The key, by the program that the guide gives to people without Leeward."""
    guide = (ROOT / "docs/guides/importing-keys.md").read_text()
    program = re.search(r"```python\n(.*?)```", guide, re.DOTALL)
    assert program is not None
    derivation = folder / f"{key}.json"
    derivation.write_text(key_state(clinic, "both", key)["derivation"])
    command = [sys.executable, "-c", program[1], str(derivation)]
    done = subprocess.run(command, input=WORDS, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return bytes.fromhex(done.stdout)


def test_data_goes_both_ways_by_keys_that_others_have(
    clinic: Clinic, given: Given, leeward: Callable[..., str], tmp_path: Path
) -> None:
    """A partner seals with the key that was imported; whoever has the passphrase opens."""
    partner, fernet = secrets.token_bytes(32), Fernet.generate_key()
    (tmp_path / "both.hex").write_text(partner.hex())
    given("both", "both", partner=tmp_path / "both.hex", fernet=fernet.decode(), words=WORDS)
    clinic.apply(both(clinic))
    clinic.reason("keyvault", "both", "KeysReady")
    plain, sealed = tmp_path / "visits.csv", tmp_path / "visits.csv.lwe1"
    plain.write_text("id,name\n1,Ada\n2,Grace\n")
    leeward("seal", str(plain), "--key", brought(leeward, tmp_path, partner), "-o", str(sealed))
    clinic.put("raw/both.csv.lwe1", sealed)
    columns: list[Manifest] = [
        {"name": "id", "encrypt": {"key": of_both("stretched")}},
        {"name": "name", "encrypt": {"key": of_both("imported")}},
    ]
    job = masking_job("both", "both", columns)
    job["spec"]["output"] |= {"sealedWith": of_both("archive"), "format": "CSV"}
    clinic.apply(dataset("both", "raw/both.csv.lwe1", sealedWith=of_both("partner")), job)
    clinic.reason("dataset", "both", "Inspected")
    clinic.reason("maskingjob", "both", "Published")
    output: Manifest = clinic.get("maskingjob", "both")["status"]["output"]
    path = f"/data/{output['path']}"
    written, opened = tmp_path / "masked.csv.lwe1", tmp_path / "masked.csv"
    written.write_bytes(base64.b64decode(clinic.run("exec", "loader", "--", "base64", path)))
    archive = brought(leeward, tmp_path, made_elsewhere(clinic, "archive", tmp_path))
    leeward("open", str(written), "--key", archive, "-o", str(opened))
    stretched = base64.urlsafe_b64encode(made_elsewhere(clinic, "stretched", tmp_path))
    rows = [line.replace('"', "").split(",") for line in opened.read_text().split()[1:]]
    assert [
        (Fernet(stretched).decrypt(id_).decode(), Fernet(fernet).decrypt(name).decode())
        for id_, name in rows
    ] == [("1", "Ada"), ("2", "Grace")]


def brought(leeward: Callable[..., str], folder: Path, key: bytes) -> str:
    """A key file on a laptop."""
    name = folder / hashlib.sha256(key).hexdigest()[:8]
    name.with_suffix(".hex").write_text(key.hex())
    where = ("--from-hex", str(name.with_suffix(".hex")), "-o", str(name))
    leeward("keys", "generate", "--algorithm", "AES256_GCM", *where)
    return f"{name}.keyset.json"


def test_a_new_version_is_made_of_another_secret(clinic: Clinic, given: Given) -> None:
    given("turn", "turn", key=secrets.token_hex(32))
    origin = from_secret(clinic, "import", "turn", format="Hex")

    def asked(moment: str) -> Manifest:
        rotation = {"renewedAfter": moment}
        return vault_of(
            "turn", vault_key("partner", "AES256_GCM", origin=origin, rotation=rotation)
        )

    clinic.apply(asked("2020-01-01T00:00:00Z"))
    clinic.reason("keyvault", "turn", "KeysReady")
    made = key_state(clinic, "turn", "partner")["createdAt"]
    moment = datetime.fromisoformat(made) + timedelta(seconds=1)
    clinic.apply(asked(moment.strftime("%Y-%m-%dT%H:%M:%SZ")))
    refused = clinic.reason("keyvault", "turn", "SecretUnchanged", "RotationComplete")
    assert "put the new one there" in refused["message"]
    given("turn", "turn", key=secrets.token_hex(32))
    clinic.run("annotate", "keyvault", "turn", "clinic.example/renewed=yes")
    clinic.reason("keyvault", "turn", "Complete", "RotationComplete")
    assert key_state(clinic, "turn", "partner")["primaryVersion"] == 2


def key_with(**fields: object) -> Manifest:
    return resource("KeyVault", "vault", {"keys": [{"name": "key", **fields}]})


def derived(name: str, parent: str) -> Manifest:
    origin = {"derive": {"from": parent, "info": "x"}}
    return {"name": name, "algorithm": "AES256_GCM", "origin": origin}


BAD: dict[str, tuple[Manifest, list[str]]] = {
    "derivation from a key that is not there": (
        key_with(algorithm="AES256_GCM", origin={"derive": {"from": "nobody", "info": "x"}}),
        ["spec.keys", "derive.from names another key of this vault that is not derived itself"],
    ),
    "derivation from itself": (
        key_with(algorithm="AES256_GCM", origin={"derive": {"from": "key", "info": "x"}}),
        ["spec.keys", "derive.from names another key of this vault that is not derived itself"],
    ),
    "two keys derived from each other": (
        resource("KeyVault", "vault", {"keys": [derived("a", "b"), derived("b", "a")]}),
        ["spec.keys", "derive.from names another key of this vault that is not derived itself"],
    ),
    "two origins": (
        key_with(
            algorithm="AES256_GCM",
            origin={"generate": {}, "import": {"secretRef": {"name": "a", "key": "b"}}},
        ),
        ["spec.keys[0].origin", "name exactly one origin: generate, passphrase, derive or import"],
    ),
    "name that leads elsewhere": (
        key_with(
            algorithm="AES256_GCM",
            origin={"import": {"secretRef": {"name": "../configmaps/a", "key": "b"}}},
        ),
        ["spec.keys[0].origin.import.secretRef.name", "must be the name of an object"],
    ),
    "RSA key from a passphrase": (
        key_with(
            algorithm="RSA3072_OAEP",
            origin={"passphrase": {"secretRef": {"name": "a", "key": "b"}}},
        ),
        ["spec.keys[0].origin", "cannot be made from a passphrase", "HPKE_X25519 or ED25519"],
    ),
    "key derivation function that is not approved": (
        resource(
            "KeyVault",
            "vault",
            {
                "profile": "Approved",
                "keys": [
                    {
                        "name": "k",
                        "algorithm": "AES256_GCM",
                        "origin": {
                            "passphrase": {
                                "secretRef": {"name": "a", "key": "b"},
                                "kdf": "SCRYPT",
                            }
                        },
                    }
                ],
            },
        ),
        ["spec.keys", "profile Approved has the key derivation function PBKDF2_SHA256 only"],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_origin_is_refused(run_kubectl: Kubectl, namespace: str, name: str) -> None:
    manifest, said = BAD[name]
    done = run_kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(manifest))
    assert done.returncode == 1
    assert [part for part in said if part not in done.stderr] == []

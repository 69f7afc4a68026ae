"""Files and values under keys of every algorithm, from the owner's laptop to a masked Dataset."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.clinic import Clinic, Manifest, dataset, key_ref, masking_job, resource
from leeward.formats.sealed import inspect_file

pytestmark = pytest.mark.cluster

WORK = ["MaskingJob", "DatasetPreview"]
SOURCES = {
    "p256": ("HPKE_P256", "hpke-p256"),
    "rsa": ("RSA3072_OAEP", "rsa-oaep-sha256"),
    "hybrid": ("HPKE_MLKEM768_X25519", "hpke-mlkem768-x25519"),
}
OUTPUTS = {"chacha": "CHACHA20_POLY1305", "fernet": "FERNET"}
CARD = "4111111111111111"
PEOPLE = (
    "patient,card,name\n"
    f"P1,{CARD},Zebulon Quackenbush\n"
    "P2,5500005555555559,Ottoline Featherstone\n"
    f"P1,{CARD},Zebulon Quackenbush\n"
)


def vault_key(name: str, algorithm: str, *operations: str) -> Manifest:
    grants = [{"name": "work", "kinds": WORK, "operations": list(operations)}]
    return {"name": name, "algorithm": algorithm, "grants": grants}


@pytest.fixture(scope="module")
def every(clinic: Clinic) -> Clinic:
    """A vault with a key of each algorithm that seals or masks, beside the first one."""
    keys = [vault_key(name, algorithm, "Open") for name, (algorithm, _) in SOURCES.items()]
    keys.append(vault_key("chacha", OUTPUTS["chacha"], "Seal", "Open"))
    keys.append(vault_key("fernet", OUTPUTS["fernet"], "Seal", "Open", "Mask"))
    keys.append(vault_key("formats", "FF1_AES256", "Mask"))
    clinic.apply(resource("KeyVault", "every", {"profile": "Compatible", "keys": keys}))
    clinic.reason("keyvault", "every", "KeysReady")
    return clinic


def of_every(key: str) -> Manifest:
    return key_ref(key) | {"vault": {"name": "every"}}


def rules(encrypting: str) -> list[Manifest]:
    return [
        {"name": "patient", "encrypt": {"key": of_every(encrypting)}},
        {
            "name": "card",
            "formatPreserving": {
                "key": of_every("formats"),
                "alphabet": "Digits",
                "keepLast": 4,
                "checkDigit": "None",
            },
        },
        {"name": "name", "redact": {}},
    ]


@pytest.mark.parametrize("name", SOURCES)
def test_a_file_is_sealed_on_a_laptop_and_masked_in_the_cluster(
    name: str, every: Clinic, leeward: Callable[..., str], tmp_path: Path
) -> None:
    _, kind = SOURCES[name]
    path = f"raw/{name}.csv.lwe1"
    made = dataset(name, path, csv={})
    made["spec"]["sealedWith"] = of_every(name)
    every.apply(made)
    every.reason("dataset", name, "AwaitingData")

    plain, pem, sealed = tmp_path / "people.csv", tmp_path / "key.pem", tmp_path / "people.lwe1"
    plain.write_text(PEOPLE)
    pem.write_text(leeward("dataset", "public-key", name, "-n", every.namespace))
    leeward("seal", str(plain), "--to", str(pem), "-o", str(sealed))
    assert [r.kind for r in inspect_file(sealed).recipients] == [kind]
    every.put(path, sealed)
    every.run("annotate", "dataset", name, "leeward.dev/inspect=now", "--overwrite")
    every.reason("dataset", name, "Inspected")

    outputs = list(OUTPUTS)
    for output in outputs:
        job = masking_job(f"{name}-{output}", name, rules("fernet"))
        job["spec"]["output"]["sealedWith"] = of_every(output)
        job["spec"]["output"]["format"] = "CSV"
        every.apply(job)
    for output in outputs:
        every.reason("maskingjob", f"{name}-{output}", "Published")
        rows = leeward(
            *("dataset", "preview", f"{name}-{output}-out", "--purpose", "research"),
            *("--rows", "3", "-n", every.namespace, "-o", "json"),
        )
        assert "Zebulon" not in rows
        assert CARD not in rows
        assert rows.count("gAAAAA") == 3, "a Fernet token in every row"
        assert rows.count("1111") >= 2, "the last four digits stay"
    every.delete("maskingjob", f"{name}-{outputs[0]}")


def test_a_date_is_not_encrypted_as_a_format(every: Clinic) -> None:
    every.put("raw/dates.csv", b"born\n1950-02-03\n")
    every.apply(dataset("dates", "raw/dates.csv"))
    every.reason("dataset", "dates", "Inspected")
    rule = {"key": of_every("formats"), "alphabet": "Digits"}
    every.apply(masking_job("dates", "dates", [{"name": "born", "formatPreserving": rule}]))
    refused = every.reason("maskingjob", "dates", "UnsuitableColumn", "Admitted")
    assert "formatPreserving" in refused["message"]
    every.delete("maskingjob", "dates")

"""Dataset as its owner meets it: sealed before it enters the cluster, inspected before its use."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.clinic import Clinic, dataset

pytestmark = pytest.mark.cluster

SECRET_NAME = "Zebulon Quackenbush"


def test_owner_seals_to_the_public_half(
    clinic: Clinic, leeward: Callable[..., str], tmp_path: Path
) -> None:
    clinic.apply(dataset("intake", "raw/intake.csv.lwe1", sealed=True))
    waiting = clinic.reason("dataset", "intake", "AwaitingData")
    assert "leeward seal" in waiting["message"]
    pem = leeward("dataset", "public-key", "intake", "-n", clinic.namespace)
    assert "-----BEGIN PUBLIC KEY-----" in pem
    published = clinic.get("configmap", "lds-intake-public-key")["data"]
    assert published["public.pem"].strip() in pem

    plain, key, sealed = tmp_path / "plain.csv", tmp_path / "key.pem", tmp_path / "sealed.lwe1"
    plain.write_text(f"id,name\n1,{SECRET_NAME}\n2,Ada\n")
    key.write_text(pem)
    leeward("seal", str(plain), "--to", str(key), "-o", str(sealed))
    clinic.put("raw/intake.csv.lwe1", sealed)
    clinic.run("annotate", "dataset", "intake", "leeward.dev/inspect=now", "--overwrite")
    clinic.reason("dataset", "intake", "Inspected")
    status = clinic.get("dataset", "intake")["status"]
    assert status["rows"] == 2
    assert status["sealed"] is True
    assert [(c["name"], c["type"]) for c in status["columns"]] == [
        ("id", "Integer"),
        ("name", "String"),
    ]
    line = clinic.run("get", "dataset", "intake", "--no-headers").split()
    assert line[:6] == ["intake", "CSV", "Raw", "2", "true", "True"]


def test_bad_files_are_named_with_place_and_remedy(clinic: Clinic) -> None:
    bad = {
        "empty": (b"", "FileEmpty", ""),
        "ragged": (
            f"id,name\n1,Ada\n2,{SECRET_NAME},3,4\n".encode(),
            "MalformedData",
            "row 2",
        ),
        "latin": ("id,name\n1,Ada\n2,Zo\xeb\n".encode("latin-1"), "WrongEncoding", "row 2"),
        "twice": (b"id,id\n1,2\n", "DuplicateColumn", "id"),
    }
    for name, (content, _, _) in bad.items():
        clinic.put(f"bad/{name}.csv", content)
    clinic.apply(*(dataset(name, f"bad/{name}.csv") for name in bad))
    for name, (_, reason, place) in bad.items():
        condition = clinic.reason("dataset", name, reason)
        assert condition["status"] == "False"
        assert place in condition["message"]
        assert "Zebulon" not in condition["message"]
    for name in bad:
        clinic.delete("dataset", name)

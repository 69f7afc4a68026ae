"""Planted values of data and keys are nowhere but in the data and in Secrets."""

import base64
import json

import pytest

from cluster.clinic import Clinic, Kubectl, dataset, key_ref, masking_job

pytestmark = pytest.mark.cluster

NAME = "Wilhelmina Abernathy-Featherstonehaugh"
TOKEN = "tok-9f8e7d6c5b4a39281706"
PEOPLE = f"id,name,token\n1,{NAME},{TOKEN}\n2,Ada,x\n"
BROKEN = f"id,name,token\n1,{NAME},{TOKEN}\n2,{NAME},{TOKEN},{TOKEN}\n"


def secret_values(kubectl: Kubectl, namespace: str) -> set[str]:
    """Every value of every Secret there, as text and as base64, that is long enough to matter."""
    done = kubectl("-n", namespace, "get", "secrets", "-o", "json")
    values: set[str] = set()
    for item in json.loads(done.stdout)["items"]:
        for encoded in item.get("data", {}).values():
            values.add(encoded)
            text = base64.b64decode(encoded)
            try:
                document = json.loads(text)
            except ValueError:
                continue
            for key in document.get("keys", []) if isinstance(document, dict) else []:
                values.update(str(key[field]) for field in ("material",) if field in key)
    return {value for value in values if len(value) >= 16}


def everything_told(clinic: Clinic, kubectl: Kubectl, run_kubectl: Kubectl) -> str:
    """Logs, events, statuses, ConfigMaps, pod specs and metrics of the operator and the jobs."""
    told = []
    for namespace in (clinic.namespace, "leeward-system"):
        told.append(
            kubectl(
                *("-n", namespace, "get", "-o", "yaml"),
                "leeward,events,configmaps,pods,jobs,networkpolicies,leases",
            ).stdout
        )
        pods = kubectl("-n", namespace, "get", "pods", "-o", "name").stdout.split()
        for pod in pods:
            told.append(
                run_kubectl("-n", namespace, "logs", pod, "--all-containers", "--tail=-1").stdout
            )
    fetch = "import urllib.request as u;print(u.urlopen('http://127.0.0.1:9090/metrics').read().decode())"
    for pod in kubectl(
        *("-n", "leeward-system", "get", "pods", "-l", "app.kubernetes.io/component=operator"),
        *("-o", "name"),
    ).stdout.split():
        told.append(
            kubectl("-n", "leeward-system", "exec", pod, "--", "python", "-c", fetch).stdout
        )
    return "\n".join(told)


def test_planted_values_are_told_nowhere(
    clinic: Clinic, kubectl: Kubectl, run_kubectl: Kubectl
) -> None:
    clinic.put("raw/planted.csv", PEOPLE.encode())
    clinic.put("raw/broken.csv", BROKEN.encode())
    clinic.apply(dataset("planted", "raw/planted.csv"), dataset("broken", "raw/broken.csv"))
    clinic.reason("dataset", "planted", "Inspected")
    clinic.reason("dataset", "broken", "MalformedData")
    clinic.apply(
        masking_job(
            "planted",
            "planted",
            [
                {"name": "id", "keep": {}},
                {"name": "name", "tokenize": {"key": key_ref("tokens")}},
                {"name": "token", "encrypt": {"key": key_ref("data")}},
            ],
        )
    )
    clinic.until("its pod is there", lambda: clinic.items("pods", "leeward.dev/name=planted"))
    keys = secret_values(kubectl, clinic.namespace) | secret_values(kubectl, "leeward-system")
    assert len(keys) >= 3, "the test must have found key material to look for"
    clinic.reason("maskingjob", "planted", "Published")
    told = everything_told(clinic, kubectl, run_kubectl)
    assert '"planted"' in told or "name: planted" in told
    assert [value for value in (NAME, TOKEN) if value in told] == []
    assert len([value for value in keys if value in told]) == 0

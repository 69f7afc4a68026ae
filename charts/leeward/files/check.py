"""helm test: the operator is ready and gives metrics, and the API server serves its kinds."""

import json
import os
import ssl
import sys
import time
import urllib.request

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
DEADLINE = time.monotonic() + 60


def get(url: str, **options: object) -> str:
    with urllib.request.urlopen(url, timeout=5, **options) as answer:
        return answer.read().decode()


def until(what: str, look) -> None:
    """Look until it works; end the test with the reason where it does not."""
    while True:
        try:
            look()
            print(f"ok: {what}", flush=True)
            return
        except Exception as error:
            if time.monotonic() > DEADLINE:
                sys.exit(f"{what}: {type(error).__name__}: {error}")
            time.sleep(1)


def metrics() -> None:
    if "leeward_" not in get(f"http://{os.environ['SERVICE']}:9090/metrics"):
        raise ValueError("no metric begins with leeward_")


def kinds() -> None:
    with open(f"{TOKEN}/token") as file:
        headers = {"Authorization": f"Bearer {file.read()}"}
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    host = f"[{host}]" if ":" in host else host
    url = f"https://{host}:{port}/apis/leeward.dev/v1alpha1"
    context = ssl.create_default_context(cafile=f"{TOKEN}/ca.crt")
    served = json.loads(get(urllib.request.Request(url, headers=headers), context=context))
    missing = set(os.environ["KINDS"].split(",")) - {r["kind"] for r in served["resources"]}
    if missing:
        raise ValueError(f"not served: {', '.join(sorted(missing))}")


until("a replica is ready", lambda: get(f"http://{os.environ['SERVICE']}:8081/readyz"))
until("metrics", metrics)
until("kinds are served", kinds)

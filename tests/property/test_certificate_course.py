"""The course of certificates, one thing at a time: renewal, clocks, names, signing, verifying."""

from __future__ import annotations

import copy
import datetime
from typing import Any

import pytest
from cryptography import x509

from fakeapi.store import Manifest
from leeward.api.keydelivery import SHOWN_VERSIONS, KeyDeliveryStatus
from leeward.engine.inventory import Key
from leeward.formats.certificates import CertificatePair
from leeward.formats.certificates.verification import certified_key
from property.wardcourse import CLINIC, SYSTEM, VAULT, Course

WARD = Key("KeyDelivery", CLINIC, "ward")


class Ward(Course):
    """One KeyDelivery with one pod, and nobody who disturbs it."""

    def __init__(self) -> None:
        super().__init__(seed=1, wards=("ward",))
        self.steady = True
        self.operator = self.process(0.0)[0]

    async def settle(self, times: int = 6) -> Manifest:
        """Reconcile until nothing is left to do; the status."""
        for _ in range(times):
            for key in (VAULT, WARD):
                await self.operator.reconcile(key)
            self.mount_all()
        return self.status

    @property
    def status(self) -> Manifest:
        """Of the KeyDelivery."""
        found = self.api.one("KeyDelivery", CLINIC, "ward")
        assert found is not None
        status: Manifest = found["status"]
        return status

    def reason(self, type_: str) -> str:
        """Of one condition."""
        return next(str(c["reason"]) for c in self.status["conditions"] if c["type"] == type_)

    def edit(self, kind: str, name: str, change: Any) -> None:
        """Somebody edits a spec."""
        found = self.api.one(kind, CLINIC, name)
        assert found is not None
        spec = copy.deepcopy(found["spec"])
        change(spec)
        self.api.edit({**found, "spec": spec})

    def items(self, *items: Manifest) -> None:
        """Give the KeyDelivery other items."""
        self.edit("KeyDelivery", "ward", lambda spec: spec.update(items=list(items)))

    @property
    def certificate(self) -> Manifest:
        """What the status says of its certificate."""
        found: Manifest = self.status["items"][0]["certificate"]
        return found


@pytest.fixture
async def ward() -> Ward:
    course = Ward()
    await course.begin()
    await course.settle()
    course.come()
    await course.settle()
    return course


async def test_a_certificate_is_renewed_at_two_thirds_of_its_life(ward: Ward) -> None:
    first, begun = ward.certificate, ward.now
    ends = begun + datetime.timedelta(hours=24)
    assert first["notAfter"] == f"{ends:%Y-%m-%dT%H:%M:%SZ}"
    renew = datetime.datetime.fromisoformat(first["renewAt"])
    assert 0.61 * 24 < (renew - begun).total_seconds() / 3600 < 0.67 * 24
    ward.now = renew - datetime.timedelta(seconds=1)
    await ward.settle()
    assert ward.certificate == first
    settled = await ward.operator.reconcile(WARD)
    assert settled.requeue_after is not None
    assert settled.requeue_after < 2
    ward.now = renew + datetime.timedelta(seconds=1)
    await ward.settle()
    assert ward.certificate["id"] != first["id"]
    assert ward.certificate["versions"] == [1]
    assert ward.reason("Acknowledged") == "AllAcknowledged"
    ward.check()


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_that_jumps_an_hour_leaves_certificates_valid(ward: Ward, hours: int) -> None:
    true = ward.now
    for moment in range(0, 30, 5):
        ward.now = true + datetime.timedelta(hours=moment + hours * (moment % 2))
        await ward.settle()
        ward.check()
        pair = ward.pair()
        shown = x509.load_pem_x509_certificate(pair.certificate_pem.encode())
        now = true + datetime.timedelta(hours=moment)
        assert shown.not_valid_before_utc <= now - datetime.timedelta(hours=1)
        assert now + datetime.timedelta(hours=1) <= shown.not_valid_after_utc


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dnsNames": ["kubernetes.default.svc"]}, "NameNotAllowed"),
        ({"dnsNames": ["ward.example"]}, "NameNotAllowed"),
        ({"dnsNames": ["*.clinic.svc"]}, "CertificateRefused"),
        ({"duration": "30d"}, "CertificateTooLong"),
        ({"key": "nothing"}, "KeyMissing"),
    ],
)
async def test_what_the_authority_may_not_issue_is_refused(
    ward: Ward, change: Manifest, reason: str
) -> None:
    asked = {"vault": {"name": "vault"}, "key": "mesh", **change}
    held = ward.status["secret"]
    ward.items({"name": "mesh", "certificate": asked})
    await ward.settle()
    assert ward.reason("Admitted") == reason
    if reason != "KeyMissing":
        assert ward.status["secret"] == held, "what pods have they keep"


async def test_names_below_the_suffixes_of_the_authority_are_issued() -> None:
    course = Ward()
    await course.begin()

    def allow(spec: Manifest) -> None:
        spec["keys"][0]["authority"]["dnsSuffixes"] = ["wards.example"]

    course.edit("KeyVault", "vault", allow)
    asked = {"vault": {"name": "vault"}, "key": "mesh", "dnsNames": ["a.wards.example"]}
    course.items({"name": "mesh", "certificate": asked})
    await course.settle()
    course.come()
    await course.settle()
    shown = x509.load_pem_x509_certificate(course.pair().certificate_pem.encode())
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.wards.example"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        "spiffe://clinic.example/ns/clinic/kd/ward"
    ]


async def test_pods_sign_with_a_pair_of_their_own_that_others_verify(ward: Ward) -> None:
    key = {"vault": {"name": "vault"}, "key": "mesh"}

    def grant(spec: Manifest) -> None:
        spec["keys"][0]["grants"][0]["operations"] = ["Issue", "Sign", "Verify"]

    ward.items({"name": "signer", "signing": key}, {"name": "trusted", "verification": key})
    await ward.settle()
    assert ward.reason("Admitted") == "KeyNotGranted"
    ward.edit("KeyVault", "vault", grant)
    await ward.settle()
    ward.come()
    await ward.settle()
    assert ward.reason("Acknowledged") == "AllAcknowledged"
    loaded = ward.pods[max(ward.pods)].loaded
    assert loaded is not None
    assert {k.role for k in loaded.keys} == {"signer", "trusted"}
    pair = CertificatePair.from_material(loaded.by_role("signer").raw())
    leaf = x509.load_pem_x509_certificate(pair.certificate_pem.encode())
    trusted = x509.load_pem_x509_certificates(loaded.by_role("trusted").raw())
    certified_key(leaf, trusted, ward.now)


async def test_of_more_versions_than_the_status_has_room_for_the_newest_are_named(
    ward: Ward,
) -> None:
    def keep(spec: Manifest) -> None:
        spec["keys"][0]["rotation"] = {}
        spec["keys"][0]["grants"][0]["operations"] = ["Verify"]

    ward.edit("KeyVault", "vault", keep)
    ward.items(
        {"name": "trusted", "verification": {"vault": {"name": "vault"}, "key": "mesh"}},
    )
    for _ in range(SHOWN_VERSIONS + 1):
        ward.rotate()
        await ward.operator.reconcile(VAULT)
    await ward.settle()
    ward.come()
    await ward.settle()
    (item,) = KeyDeliveryStatus.model_validate(ward.status).items
    assert item.trust is not None
    assert item.trust.acknowledged
    assert item.trust.versions == list(range(3, SHOWN_VERSIONS + 3))
    loaded = ward.pods[max(ward.pods)].loaded
    assert loaded is not None
    bundle = x509.load_pem_x509_certificates(loaded.by_role("trusted").raw())
    assert len(bundle) == SHOWN_VERSIONS + 2


async def test_a_vault_that_is_deleted_takes_certificates_with_it(ward: Ward) -> None:
    ward.api.remove("KeyVault", CLINIC, "vault")
    await ward.operator.reconcile(WARD)
    assert ward.reason("Admitted") == "VaultMissing"
    assert ward.api.one("Secret", CLINIC, "ward-keys") is None
    assert ward.api.find("Pod") == []


async def test_a_vault_of_the_same_name_with_other_keys_issues_anew(ward: Ward) -> None:
    vault, before = ward.vault(), ward.certificate
    for secret in ward.api.find("Secret", SYSTEM):
        if secret["metadata"]["name"].startswith("keyset-"):
            ward.api.remove("Secret", SYSTEM, secret["metadata"]["name"])
    ward.api.remove("KeyVault", CLINIC, "vault")
    ward.add("KeyVault", "vault", vault["spec"])
    await ward.settle()
    assert ward.vault()["status"]["vaultId"] != vault["status"]["vaultId"]
    assert ward.certificate["id"] != before["id"]
    assert ward.reason("Ready") == "KeysDelivered"
    assert ward.reason("Acknowledged") == "AllAcknowledged"
    ward.check()


async def test_a_pod_that_hangs_holds_up_the_old_authority_and_is_named() -> None:
    course = Course(seed=2, wards=("lab", "ward"))
    course.steady = True
    operator = course.process(0.0)[0]
    await course.begin()
    keys = (VAULT, WARD, Key("KeyDelivery", CLINIC, "lab"))

    async def settle(*, hangs: str = "") -> None:
        for _ in range(8):
            course.pass_time(20)
            for key in keys:
                await operator.reconcile(key)
            course.mount_all(but=hangs)

    await settle()
    course.come("lab")
    course.come("ward")
    await settle()
    (hanging,) = (name for name in course.pods if name.startswith("lab"))
    course.rotate()
    await settle(hangs=hanging)
    ward = course.api.one("KeyDelivery", CLINIC, "ward")
    lab = course.api.one("KeyDelivery", CLINIC, "lab")
    assert ward is not None
    assert lab is not None
    assert ward["status"]["items"][0]["certificate"]["version"] == 1
    told = next(c for c in lab["status"]["conditions"] if c["type"] == "Acknowledged")
    assert (told["reason"], hanging in told["message"]) == ("ConsumersNotAcknowledged", True)
    vault = next(
        c for c in course.vault()["status"]["conditions"] if c["type"] == "RotationComplete"
    )
    assert vault["reason"] == "AwaitingConsumers"
    assert "clinic/lab" in vault["message"]
    course.check()
    await settle()
    for _ in range(3):
        await settle()
    states = [v["state"] for v in course.vault()["status"]["keys"][0]["versions"]]
    assert states == ["Primary", "Destroyed"]
    course.check()

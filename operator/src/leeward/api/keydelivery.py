"""KeyDelivery: keys and certificates of long-lived pods, kept up to date while they run."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from leeward.api.meta import (
    AGE,
    IMMUTABLE,
    READY,
    REASON,
    Cel,
    Column,
    Hex128,
    KeyRef,
    Kind,
    ListMap,
    Model,
    Name,
    Ref,
    Rules,
    Status,
    StatusModel,
    Text,
    Timestamp,
)
from leeward.api.workload import LabelKey, LabelValue

TRUST_SUFFIX: Final = "-trust"
"""Ends the role of the authorities that belong to a certificate's role."""
SHOWN_VERSIONS: Final = 64
"""Versions of a vault key that the status names, the newest; nobody is kept from having more."""

LeafDuration = Annotated[
    str,
    Field(max_length=16, description="10m to 90d, with one unit: 24h."),
    Text(
        r"^([1-9][0-9]{1,5}m|[1-9][0-9]{0,3}h|([1-9]|[1-8][0-9]|90)d)$",
        "must be 10m to 90d, a whole number and one unit of m, h, d, as 24h",
    ),
]


class PodSelector(Model):
    """Which pods are given the keys."""

    match_labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=16)] = Field(
        description="Labels that the pods have, all of them."
    )
    cel: ClassVar = (
        Cel(
            "self.matchLabels.size() > 0",
            "no label would select every pod: name those of yours, as app: ward",
            field_path=".matchLabels",
        ),
    )


class CertificateRequest(KeyRef):
    """A short-lived certificate for mutual TLS, from an authority of a KeyVault."""

    dns_names: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=253)]], Field(max_length=32)
    ] = Field(
        default=[],
        description="Names that it holds, as ward.clinic.svc: of Services and pods of this"
        " namespace, or below authority.dnsSuffixes of the key.",
    )
    usages: Annotated[list[Literal["server", "client"]], Field(min_length=1, max_length=2)] = Field(
        default=["server", "client"], description="As what it may stand in a handshake."
    )
    duration: LeafDuration = Field(
        default="24h",
        description="How long it is valid; it is renewed at two thirds of that. From 7h on it"
        " outlasts clocks that are an hour off.",
    )
    algorithm: Literal["ECDSA_P256", "ED25519"] = Field(
        default="ECDSA_P256", description="Of its key pair."
    )


class DeliveryItem(Model):
    """One thing that the pods are given. Exactly one of its members says what."""

    name: Name = Field(description="Its role in keyset.json.")
    dataset: Ref | None = Field(
        default=None, description="The key that opens this sealed Dataset (operation Open)."
    )
    certificate: CertificateRequest | None = Field(
        default=None, description="A certificate for mutual TLS (operation Issue)."
    )
    signing: KeyRef | None = Field(
        default=None,
        description="A key pair of its own to sign with, certified by this key (operation Sign).",
    )
    verification: KeyRef | None = Field(
        default=None, description="The public halves of this signing key (operation Verify)."
    )
    cel: ClassVar = (
        Cel(
            "(has(self.dataset) ? 1 : 0) + (has(self.certificate) ? 1 : 0)"
            " + (has(self.signing) ? 1 : 0) + (has(self.verification) ? 1 : 0) == 1",
            "exactly one of dataset, certificate, signing and verification per item: split it",
        ),
        Cel(
            f"!self.name.endsWith('{TRUST_SUFFIX}')",
            f"names that end in {TRUST_SUFFIX} are those of the authorities of certificates:"
            " choose another one",
            field_path=".name",
        ),
    )


class KeyDeliverySpec(Model):
    """What the user asks for."""

    purpose: Annotated[Name, IMMUTABLE] = Field(
        description="What the pods are for. Grants of the data may name purposes."
    )
    selector: PodSelector = Field(
        description="The pods that are to mount the Secret. No two KeyDeliveries share a Secret."
        " Others that mount it are asked for what they have loaded, too, and named in condition"
        " Acknowledged."
    )
    secret_name: Annotated[Name, IMMUTABLE] = Field(
        description="Name of the Secret, which the operator makes: /keyset.json in it holds the"
        " keys. One that somebody else made is not taken over."
    )
    port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=8080, description="Where the pods answer GET /keys with what they have loaded."
    )
    items: Annotated[
        list[DeliveryItem],
        Field(min_length=1, max_length=16),
        ListMap(),
        Rules(
            (
                Cel(
                    "self.filter(i, has(i.certificate)).size() <= 1",
                    "at most one certificate, since it also stands in tls.crt, tls.key and ca.crt:"
                    " create another KeyDelivery for the next",
                ),
            )
        ),
    ] = Field(description="What they are given.")


class DeliveredKey(StatusModel):
    """One key in the Secret, as pods name it at /keys."""

    id: Hex128 = Field(description="Its id.")
    version: int = Field(ge=1, description="Version of the vault key that it was delivered with.")
    acknowledged: bool = Field(
        default=False, description="Whether every pod that runs says that it has loaded it."
    )


class DeliveredCertificate(StatusModel):
    """A certificate that the Secret holds. Its private key stands there and nowhere else."""

    id: Hex128 = Field(description="Its id, as in keyset.json.")
    version: int = Field(ge=1, description="Version of the vault key that issued it.")
    versions: Annotated[list[int], Field(max_length=SHOWN_VERSIONS)] = Field(
        default=[], description="Versions whose certificates pods may still show."
    )
    draw: Hex128 = Field(description="What its private key is derived with. It is no secret.")
    request: str = Field(max_length=16, description="Digest of what was asked for.")
    certificate: str = Field(max_length=16384, description="The certificate (PEM).")
    not_after: Timestamp = Field(description="When it ends.")
    renew_at: Timestamp = Field(description="When it is renewed.")


class DeliveredTrust(StatusModel):
    """Authorities that the Secret holds, or public keys."""

    id: Hex128 = Field(description="Their id, as in keyset.json.")
    versions: Annotated[list[int], Field(max_length=SHOWN_VERSIONS)] = Field(
        default=[], description="Versions of the vault key that they are of, the newest."
    )
    acknowledged: bool = Field(
        default=False, description="Whether every pod that runs says that it has loaded them."
    )


class DeliveredItem(StatusModel):
    """One item as it stands in the Secret."""

    name: Name = Field(description="Its name.")
    keys: Annotated[list[DeliveredKey], Field(max_length=8)] = Field(
        default=[], description="Its keys, the one to be used first; during a rotation two."
    )
    certificate: DeliveredCertificate | None = None
    trust: DeliveredTrust | None = None


class Consumer(StatusModel):
    """One pod that mounts the Secret."""

    pod: str = Field(max_length=253, description="Its name.")
    acknowledged: bool = Field(description="Whether it says that it has loaded every key.")
    since: Timestamp = Field(description="Since when.")


class WrittenSecret(StatusModel):
    """The Secret as it was last written; it is never read."""

    digest: str = Field(max_length=16, description="Of the ids that it is to hold.")
    pending: bool = Field(default=False, description="Whether writing it has not been confirmed.")
    resource_version: str | None = Field(
        default=None, max_length=64, description="What it was written as; None: not known."
    )
    written_at: Timestamp | None = Field(default=None, description="When.")


class Revocation(StatusModel):
    """The keys were taken away."""

    at: Timestamp = Field(description="When.")
    sweeps: int = Field(ge=0, description="How often pods that held them were looked for since.")


class KeyDeliveryStatus(Status):
    """What the operator found and did."""

    secret: WrittenSecret | None = None
    items: Annotated[list[DeliveredItem], Field(max_length=16), ListMap()] = Field(
        default=[], description="What the Secret holds."
    )
    consumers: Annotated[list[Consumer], Field(max_length=32), ListMap(("pod",))] = Field(
        default=[], description="Pods that mount it, those first that have not acknowledged."
    )
    consumer_count: int | None = Field(default=None, ge=0, description="How many pods mount it.")
    acknowledged_count: int | None = Field(
        default=None, ge=0, description="How many of them have loaded every key."
    )
    revocation: Revocation | None = None


KEYDELIVERY: Final = Kind(
    kind="KeyDelivery",
    plural="keydeliveries",
    short_names=("kdel",),
    spec=KeyDeliverySpec,
    status=KeyDeliveryStatus,
    description="Keys and certificates of long-lived pods, renewed while they run.",
    selectable_fields=(".spec.secretName",),
    columns=(
        Column("Secret", "string", ".spec.secretName"),
        Column("Pods", "integer", ".status.consumerCount"),
        Column("Acknowledged", "integer", ".status.acknowledgedCount"),
        READY,
        REASON,
        AGE,
    ),
    is_workload=True,
)

"""A signing key of a KeyVault as a certificate authority. Part of ``leeward.api.keyvault``."""

from typing import Annotated, ClassVar

from pydantic import Field

from leeward.api.meta import Cel, Duration, Model


class Authority(Model):
    """What the certificates are for that a signing key of the vault issues."""

    trust_domain: Annotated[str, Field(max_length=255)] = Field(
        description="SPIFFE trust domain of the certificates, as clinic.example.",
    )
    dns_suffixes: Annotated[list[Annotated[str, Field(max_length=253)]], Field(max_length=16)] = (
        Field(
            default=[],
            description="Certificates may name hosts under these domains, as svc.cluster.local."
            " Left out: none.",
        )
    )
    lifetime: Duration = Field(
        default="365d", description="How long a certificate of the authority itself is valid."
    )
    max_duration: Duration = Field(
        default="24h", description="How long a certificate that it issues may be valid."
    )
    cel: ClassVar = (
        Cel(
            "self.trustDomain.matches('^[a-z0-9._-]+$')",
            "a trust domain holds lower-case letters, digits, '.', '-' and '_', as clinic.example",
            field_path=".trustDomain",
        ),
        Cel(
            "self.lifetime.endsWith('d') ? int(self.lifetime.replace('d', '')) <= 10950"
            " : (self.lifetime.endsWith('h') && int(self.lifetime.replace('h', '')) >= 24)",
            "a certificate of an authority is valid for one day (1d) to 30 years (10950d)",
            field_path=".lifetime",
        ),
    )

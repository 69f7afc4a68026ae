"""X.509 certificates, so far as they cross a process border.

    names      DNS names, SPIFFE IDs, common names
    request    what is asked of an authority
    delivery   a certificate as a pod is given it

No private key is made here and nothing is signed: that is ``leeward.keystore.certificates``.
"""

from leeward.formats.certificates.delivery import (
    CERTIFICATE_FILE,
    KEY_FILE,
    PAIR_ALGORITHM,
    TRUST_ALGORITHM,
    TRUST_FILE,
    CertificatePair,
    InvalidPairError,
    certificates_id,
    tls_files,
    trust_role,
)
from leeward.formats.certificates.names import (
    CertificateRefusedError,
    SpiffeId,
    check_dns_name,
    check_trust_domain,
    common_name,
    is_within_namespace,
    workload_id,
)
from leeward.formats.certificates.request import (
    DEFAULT_DURATION,
    MAX_DURATION,
    MIN_DURATION,
    TOLERANT_DURATION,
    LeafRequest,
    SignerRequest,
)

__all__ = [
    "CERTIFICATE_FILE",
    "DEFAULT_DURATION",
    "KEY_FILE",
    "MAX_DURATION",
    "MIN_DURATION",
    "PAIR_ALGORITHM",
    "TOLERANT_DURATION",
    "TRUST_ALGORITHM",
    "TRUST_FILE",
    "CertificatePair",
    "CertificateRefusedError",
    "InvalidPairError",
    "LeafRequest",
    "SignerRequest",
    "SpiffeId",
    "certificates_id",
    "check_dns_name",
    "check_trust_domain",
    "common_name",
    "is_within_namespace",
    "tls_files",
    "trust_role",
    "workload_id",
]

"""A vault's signing key as a certificate authority, and the short-lived leaves that it issues.

    authority   the self-signed certificate of a key version, and bundles of them
    leaves      pairs for TLS and for signatures
    renewal     when a leaf is to be replaced
    signers     private keys by algorithm

The authority's key never leaves the operator, and nothing here keeps anything: time, randomness
and material are handed in. An authority signs leaves only (path length 0), so a new version is
made known by a bundle of old and new before it issues anything; there is no cross certificate.
Profile: RFC 5280, RFC 8399 for names, X509-SVID for SPIFFE IDs. No revocation lists: leaves are
short-lived, and what is revoked is not renewed.
"""

from leeward.keystore.certificates.authority import (
    Authority,
    AuthorityError,
    NameConstraints,
    authority_subject,
    make_authority,
    new_serial,
    trust_bundle,
)
from leeward.keystore.certificates.leaves import Leaf, issue_leaf, issue_signer
from leeward.keystore.certificates.renewal import BACKDATING, renew_at

__all__ = [
    "BACKDATING",
    "Authority",
    "AuthorityError",
    "Leaf",
    "NameConstraints",
    "authority_subject",
    "issue_leaf",
    "issue_signer",
    "make_authority",
    "new_serial",
    "renew_at",
    "trust_bundle",
]

"""Certificates, signing pairs and public halves: what is allowed, and what pods are to hold."""

import datetime
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from leeward.api.algorithms import ALGORITHMS
from leeward.api.authority import Authority
from leeward.api.keydelivery import SHOWN_VERSIONS, CertificateRequest, DeliveryItem
from leeward.api.meta import KeyRef
from leeward.formats.certificates import (
    CertificateRefusedError,
    LeafRequest,
    SignerRequest,
    certificates_id,
    is_within_namespace,
    trust_role,
    workload_id,
)
from leeward.formats.keyset import PUBLIC_ALGORITHM, TRUST_ALGORITHM
from leeward.plans.keydelivery.view import ItemContent, Todo, View
from leeward.plans.shared.authorities import consumers, issuing_version, trusted_versions
from leeward.plans.shared.conditions import parse_timestamp
from leeward.plans.shared.durations import whole_seconds
from leeward.plans.shared.keys import (
    KeyUse,
    check_key_declared,
    check_key_grant,
    check_key_permitted,
    check_key_ready,
    declared_key,
    ready_key,
)
from leeward.plans.shared.model import (
    DeliveriesOf,
    IssuedLeaf,
    IssueLeaf,
    KeysetInfo,
    KeysetOf,
    LeafEntry,
    LeafKey,
    Manifest,
    TrustEntry,
    VersionInfo,
)
from leeward.plans.shared.names import PREFIX, digest128, short_hash
from leeward.plans.shared.refusals import refusal
from leeward.plans.shared.verdict import Denied, Unseen, Verdict, key_fault

Member = Literal["certificate", "signing", "verification"]
OPERATIONS: Final[dict[Member, str]] = {
    "certificate": "Issue",
    "signing": "Sign",
    "verification": "Verify",
}
SIGNING: Final[Collection[str]] = tuple(
    name for name, known in ALGORITHMS.items() if known.key_class == "Signing"
)
_DERIVABLE: Final = {"RSA_PSS": "ECDSA_P256"}
"""Keys of pods are derived, and RSA keys cannot be: such an authority certifies others."""


@dataclass(frozen=True, slots=True)
class CertifiedItem:
    """An item under a signing key.

    Attributes:
        name: Of the item.
        member: Which of its members is set.
        use: The key.
        certificate: What is asked for, where it is a certificate for TLS.
    """

    name: str
    member: Member
    use: KeyUse
    certificate: CertificateRequest | None

    @property
    def operation(self) -> str:
        """What the key must be granted for."""
        return OPERATIONS[self.member]


def certified(view: View, item: DeliveryItem) -> CertifiedItem | None:
    """The item, if it is one under a signing key."""
    given: tuple[tuple[Member, KeyRef | None], ...] = (
        ("certificate", item.certificate),
        ("signing", item.signing),
        ("verification", item.verification),
    )
    for member, ref in given:
        if ref is not None:
            named_by = (view.owner.kind, f"spec.items[{item.name}].{member}")
            use = KeyUse(ref, view.owner.namespace, SIGNING, "signatures", named_by)
            return CertifiedItem(item.name, member, use, item.certificate)
    return None


def permission(view: View, item: CertifiedItem) -> Verdict:
    """What grants and specs say of it."""
    use, observed = item.use, view.observed
    verdict = check_key_declared(use, observed)
    if verdict is not None:
        return verdict
    verdict = check_key_permitted(use, item.operation, view.owner, observed, view.context)
    if item.member == "verification":
        return verdict
    authority = declared_key(use, observed).authority
    # Without it nobody can be granted this; but what pods have without a grant is taken away first.
    if authority is None and (verdict is None or not view.stored_item(item.name)):
        return _no_authority(item, is_granted=verdict is None)
    if verdict is not None or authority is None:
        return verdict
    try:
        request = _request(view, item, authority)
    except CertificateRefusedError as error:
        return Denied("CertificateRefused", f"spec.items[{item.name}]: {error}")
    if isinstance(request, LeafRequest) and item.certificate is not None:
        return _check_limits(view, item, request, authority)
    return None


def _no_authority(item: CertifiedItem, *, is_granted: bool) -> Denied:
    grant = "" if is_granted else f", with a grant for operation {item.operation}"
    return Denied(
        "AuthorityMissing",
        f"{item.use.label} is no certificate authority: its steward gives it"
        f" authority.trustDomain there{grant}; or name another key",
    )


def _check_limits(
    view: View, item: CertifiedItem, request: LeafRequest, authority: Authority
) -> Verdict:
    for name in request.dns_names:
        below = any(name == s or name.endswith(f".{s}") for s in authority.dns_suffixes)
        if not below and not is_within_namespace(name, view.owner.namespace):
            return Denied(
                "NameNotAllowed",
                f"spec.items[{item.name}].certificate.dnsNames: {name} is neither a name of a"
                f" Service or pod in this namespace, as ward.{view.owner.namespace}.svc, nor below"
                f" authority.dnsSuffixes of {item.use.label}: use one that is",
            )
    most = whole_seconds(authority.max_duration)
    if request.duration.total_seconds() > most:
        return Denied(
            "CertificateTooLong",
            f"spec.items[{item.name}].certificate.duration: {item.use.label} issues for at most"
            f" {authority.max_duration}: ask for less, or have authority.maxDuration raised",
        )
    return None


def _request(view: View, item: CertifiedItem, authority: Authority) -> LeafRequest | SignerRequest:
    owner, kind = view.owner, PREFIX[view.owner.kind]
    asked = item.certificate
    if asked is not None:
        return LeafRequest(
            subject=f"{owner.kind} {owner.namespace}/{owner.name}",
            dns_names=tuple(asked.dns_names),
            spiffe_id=workload_id(authority.trust_domain, owner.namespace, kind, owner.name),
            usages=frozenset(asked.usages),
            duration=datetime.timedelta(seconds=whole_seconds(asked.duration)),
            algorithm=asked.algorithm,
        )
    algorithm = declared_key(item.use, view.observed).algorithm
    return SignerRequest(
        trust_domain=authority.trust_domain,
        vault_namespace=item.use.namespace,
        vault=item.use.ref.vault.name,
        key=item.use.ref.key,
        kind=kind,
        namespace=owner.namespace,
        name=owner.name,
        uid=owner.uid,
        algorithm=_DERIVABLE.get(algorithm, algorithm),  # type: ignore[arg-type]
    )


def item_content(view: View, item: CertifiedItem) -> Denied | Unseen | Todo | ItemContent:
    """What the Secret is to hold of it, once it is permitted."""
    verdict = check_key_ready(item.use, view.observed) or check_key_grant(
        item.use, item.operation, view.owner, view.observed, view.context
    )
    if verdict is not None:
        return verdict
    need = KeysetOf(item.use.namespace, item.use.ref.vault.name)
    if not view.observed.has(need):
        return Unseen((need,))
    info: KeysetInfo | None = view.observed.get(need)
    if info is None:
        return Denied("KeysetLost", f"the keyset of {item.use.label} is gone: see its KeyVault")
    if not info.readable:
        return key_fault(info.fault)
    live = [
        version
        for version in info.history.get(item.use.ref.key, ())
        if version.state in ("Primary", "Enabled")
    ]
    if item.member == "verification" and not any(v.certificate for v in live):
        return _public_keys(item, live)
    issuers = [version for version in live if version.certificate is not None]
    if not issuers:
        return Denied("AuthorityNotReady", f"{item.use.label} has no certificate yet: wait for it")
    if item.member == "verification":
        return ItemContent((_bundle(item.name, issuers),), trust=_numbers(issuers))
    return _with_leaf(view, item, issuers)


def _with_leaf(
    view: View, item: CertifiedItem, issuers: list[VersionInfo]
) -> Unseen | Denied | Todo | ItemContent:
    live = _numbers(issuers)
    stored = view.stored_item(item.name).get("certificate")
    issuing, trusted = live[0], live
    if len(live) > 1:
        need = DeliveriesOf(item.use.vault_ref)
        if not view.observed.has(need):
            return Unseen((need,))
        found = consumers(
            _with_own(view, view.observed.get(need)), item.use.vault_ref, item.use.ref.key
        )
        issuing = issuing_version(found, live, stored["version"] if stored else None)
        trusted = trusted_versions(found, live, issuing)
    leaf = _leaf(view, item, issuing, stored)
    if not isinstance(leaf, tuple):
        return leaf
    certificate, key = leaf
    settled = issuing == live[-1] and trusted == live[-1:]
    if item.member == "signing":
        entry = LeafEntry(item.name, certificate["id"], key, certificate["certificate"])
        return ItemContent((entry,), certificate, settled=issuing == live[-1])
    bundle = _bundle(trust_role(item.name), [v for v in issuers if v.version in trusted])
    entry = LeafEntry(item.name, certificate["id"], key, certificate["certificate"], bundle.pem)
    return ItemContent((entry, bundle), certificate, trusted, settled)


def _with_own(view: View, found: Sequence[Manifest]) -> list[Manifest]:
    """All KeyDeliveries under the key, this one as its status is by now.

    One that has delivered nothing yet trusts whatever it will be given.
    """
    others = [d for d in found if d["metadata"]["uid"] != view.owner.uid]
    if view.delivered:
        others.append({**view.resource, "status": view.status})
    return others


def _leaf(
    view: View, item: CertifiedItem, issuing: int, stored: Manifest | None
) -> Denied | Todo | tuple[Manifest, LeafKey]:
    """The certificate that the pods are to have, and its key; a new one where that is due."""
    authority = declared_key(item.use, view.observed).authority
    if authority is None:
        raise ValueError("what has no authority was denied")
    request, now = _request(view, item, authority), view.context.now
    # A vault that was made anew under the name of another has versions of the same numbers.
    vault_id = ready_key(item.use, view.observed).vault_id
    digest = short_hash(vault_id, repr(_plain(request)))
    current = stored if stored and stored["request"] == digest else None
    if current and current["version"] == issuing and now < parse_timestamp(current["renewAt"]):
        return current, _key(item, request, issuing, current["draw"])
    draw = digest128(view.owner.uid, item.name, issuing, digest, now.isoformat())
    issue = IssueLeaf(_key(item, request, issuing, draw), request, now)
    outcome = view.observed.done(issue)
    if outcome is None:
        return Todo((issue,))
    if outcome.code == "Invalid":
        return Denied("CertificateRefused", f"{item.use.label} issues nothing: {outcome.message}")
    if outcome.code != "Done":
        return refusal(view.owner.namespace, issue, outcome)
    issued: IssuedLeaf = outcome.result
    shown = sorted({*(stored["versions"] if stored else ()), issuing})
    made = {
        "id": issued.id,
        "version": issuing,
        "versions": shown[-SHOWN_VERSIONS:],
        "draw": draw,
        "request": digest,
        "certificate": issued.certificate,
        "notAfter": issued.not_after,
        "renewAt": issued.renew_at,
    }
    return made, issue.leaf


def _plain(request: LeafRequest | SignerRequest) -> object:
    if isinstance(request, LeafRequest):
        asked = (request.subject, request.dns_names, str(request.spiffe_id), request.algorithm)
        return (*asked, sorted(request.usages), request.duration.total_seconds())
    return request


def _key(
    item: CertifiedItem, request: LeafRequest | SignerRequest, version: int, draw: str
) -> LeafKey:
    place = (item.use.namespace, item.use.ref.vault.name, item.use.ref.key)
    return LeafKey(*place, version, request.algorithm, draw)


def _numbers(versions: list[VersionInfo]) -> tuple[int, ...]:
    return tuple(version.version for version in versions)


def _bundle(role: str, versions: list[VersionInfo]) -> TrustEntry:
    pem = "".join(version.certificate or "" for version in versions)
    return TrustEntry(role, certificates_id(pem), versions[-1].version, TRUST_ALGORITHM, pem)


def _public_keys(item: CertifiedItem, versions: list[VersionInfo]) -> Denied | ItemContent:
    found = [version for version in versions if version.public_key is not None]
    if not found:
        return Denied("KeyMissing", f"{item.use.label} has no public half yet: rotate it")
    pem = "".join(version.public_key or "" for version in found)
    entry = TrustEntry(item.name, digest128(pem), found[-1].version, PUBLIC_ALGORITHM, pem)
    return ItemContent((entry,), trust=_numbers(found))

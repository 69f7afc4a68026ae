"""The names that stand in certificates: DNS names, SPIFFE IDs and common names.

Every name has one spelling here: what could be written in two ways (capitals, a dot at the end, an
international name in its own script) is refused with the spelling to use, and nothing is changed
silently. Sources: RFC 1123 2.1 and RFC 5890 2.3 (DNS labels), the SPIFFE ID specification.
"""

import hashlib
import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Self

MAX_COMMON_NAME: Final = 64
"""Characters of a common name (ub-common-name, RFC 5280 appendix A.1)."""

MAX_DNS_NAME: Final = 253
MAX_LABEL: Final = 63
MAX_SPIFFE_ID: Final = 2048
MAX_TRUST_DOMAIN: Final = 255

_SCHEME: Final = "spiffe://"
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_TRUST_DOMAIN: Final = re.compile(r"[a-z0-9._-]+")
_SEGMENT: Final = re.compile(r"[a-zA-Z0-9._-]+")


class CertificateRefusedError(ValueError):
    """What was asked for cannot stand in a certificate.

    Attributes:
        field: What is wrong, as the user names it: ``dnsNames[2]``.
        problem: What is wrong with it and what to do, without the value.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


def check_dns_name(field: str, name: str, *, wildcards: bool = False) -> None:
    """Check one DNS name.

    Args:
        field: Names it in the error.
        name: In lower case, without a dot at the end, international labels as ``xn--...``.
        wildcards: Whether the first label may be ``*``.

    Raises:
        CertificateRefusedError: It is not such a name.
    """
    if not name.isascii():
        raise CertificateRefusedError(
            field, "not ASCII: write international labels in their ASCII form, xn--..."
        )
    if not name or len(name) > MAX_DNS_NAME:
        raise CertificateRefusedError(
            field, f"a DNS name has 1 to {MAX_DNS_NAME} characters: shorten it"
        )
    if _is_address(name):
        raise CertificateRefusedError(
            field, "an IP address: name the Service in front of it, for addresses change hands"
        )
    if name != name.lower():
        raise CertificateRefusedError(field, "has capitals: write it in lower case")
    labels = name.split(".")
    if labels[0] == "*":
        if not wildcards:
            raise CertificateRefusedError(field, "a wildcard stands for every host: list the names")
        labels = labels[1:]
        if len(labels) < 2:
            raise CertificateRefusedError(field, "a wildcard over a top-level domain: add a label")
    for label in labels:
        _check_label(field, label)


def _check_label(field: str, label: str) -> None:
    if not label:
        raise CertificateRefusedError(
            field, "has an empty label: remove the dot at its start, end or two"
        )
    if len(label) > MAX_LABEL:
        raise CertificateRefusedError(field, f"has a label over {MAX_LABEL} characters: shorten it")
    if not _LABEL.fullmatch(label):
        raise CertificateRefusedError(
            field, "has a label of other than letters, digits and inner hyphens: rename it"
        )
    if label[2:4] == "--" and not _is_international(label):
        raise CertificateRefusedError(
            field, "has a label with -- in third place that is no international one: rename it"
        )


def _is_international(label: str) -> bool:
    """Whether it is an A-label, so far as Punycode (RFC 3492) and Unicode's forms can tell.

    Which characters IDNA 2008 registers is left to registrars: a label that none registers belongs
    to nobody.
    """
    if not label.startswith("xn--"):
        return False
    try:
        spelled = label[4:].encode("ascii").decode("punycode")
        back = spelled.encode("punycode").decode("ascii")
    except UnicodeError:
        return False
    one_form = unicodedata.is_normalized("NFC", spelled) and spelled == spelled.lower()
    return back == label[4:] and not spelled.isascii() and spelled.isprintable() and one_form


def _is_address(name: str) -> bool:
    """An IP address, also one in other notations: no top-level domain is a number."""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        last = name.rstrip(".").rsplit(".", 1)[-1]
        return re.fullmatch(r"[0-9]+|0x[0-9a-f]*", last.lower()) is not None
    return True


def is_within_namespace(name: str, namespace: str, cluster_domain: str = "cluster.local") -> bool:
    """Whether the cluster's DNS gives this name to a Service or pod of that namespace.

    These are the names that a workload may have without further leave: ``SERVICE.NAMESPACE.svc``,
    the same below the cluster's domain, and the pods of a headless Service in front of it. Shorter
    forms are left out: ``SERVICE.NAMESPACE`` may be somebody's public name.
    """
    for tail in (f".{namespace}.svc", f".{namespace}.svc.{cluster_domain}"):
        if name.endswith(tail):
            return 1 <= name.removesuffix(tail).count(".") + 1 <= 2
    return False


@dataclass(frozen=True, slots=True)
class SpiffeId:
    """A SPIFFE ID: the name of a workload as a URI.

    Attributes:
        trust_domain: Whose authority names it, such as ``clinic.example``.
        segments: Of the path; none: the trust domain itself, which no workload may be.
    """

    trust_domain: str
    segments: tuple[str, ...] = ()

    @classmethod
    def parse(cls, field: str, uri: str) -> Self:
        """Read one as the specification writes it.

        Raises:
            CertificateRefusedError: It is not one, or is written in another form.
        """
        if not uri.startswith(_SCHEME):
            raise CertificateRefusedError(
                field, "no SPIFFE ID: it begins with spiffe:// in lower case"
            )
        if len(uri.encode()) > MAX_SPIFFE_ID:
            raise CertificateRefusedError(
                field, f"longer than {MAX_SPIFFE_ID} bytes: shorten its path"
            )
        if "?" in uri or "#" in uri:
            raise CertificateRefusedError(
                field, "a SPIFFE ID has no query and no fragment: remove it"
            )
        if "%" in uri:
            raise CertificateRefusedError(
                field, "a SPIFFE ID is never percent-encoded: use letters, digits and . _ - only"
            )
        domain, *path = uri.removeprefix(_SCHEME).split("/")
        check_trust_domain(field, domain)
        for segment in path:
            _check_segment(field, segment)
        return cls(domain, tuple(path))

    @classmethod
    def of(cls, field: str, trust_domain: str, *segments: str) -> Self:
        """Make one from its parts, each checked: none can end a segment early.

        Raises:
            CertificateRefusedError: A part cannot stand in a SPIFFE ID, or it becomes too long.
        """
        check_trust_domain(field, trust_domain)
        for segment in segments:
            _check_segment(field, segment)
        made = cls(trust_domain, segments)
        if len(str(made)) > MAX_SPIFFE_ID:
            raise CertificateRefusedError(
                field, f"longer than {MAX_SPIFFE_ID} bytes: shorten its path"
            )
        return made

    def __str__(self) -> str:
        return _SCHEME + "/".join((self.trust_domain, *self.segments))


def check_trust_domain(field: str, name: str) -> None:
    """Check the name of a trust domain.

    Raises:
        CertificateRefusedError: It is not one.
    """
    if "@" in name or ":" in name:
        raise CertificateRefusedError(field, "a trust domain has no user and no port: remove it")
    if not name or len(name) > MAX_TRUST_DOMAIN:
        raise CertificateRefusedError(
            field, f"a trust domain has 1 to {MAX_TRUST_DOMAIN} characters: shorten or add it"
        )
    if not _TRUST_DOMAIN.fullmatch(name):
        raise CertificateRefusedError(
            field, "a trust domain has lower-case letters, digits and . _ - only: rename it"
        )


def _check_segment(field: str, segment: str) -> None:
    if not segment:
        raise CertificateRefusedError(field, "has an empty path segment: remove the slash")
    if segment in {".", ".."}:
        raise CertificateRefusedError(field, "has a path segment that is relative: write it out")
    if not _SEGMENT.fullmatch(segment):
        raise CertificateRefusedError(
            field, "has a path segment of other than letters, digits and . _ -: rename it"
        )


def workload_id(trust_domain: str, namespace: str, kind: str, name: str) -> SpiffeId:
    """What the certificate of a workload names it: ``spiffe://DOMAIN/ns/NAMESPACE/KIND/NAME``.

    Args:
        trust_domain: Of the vault.
        namespace: Of the resource.
        kind: Of the resource, a short form in lower case such as ``kd``.
        name: Of the resource.

    Raises:
        CertificateRefusedError: Field ``trustDomain``, or ``spiffe`` for another part.
    """
    check_trust_domain("trustDomain", trust_domain)
    return SpiffeId.of("spiffe", trust_domain, "ns", namespace, kind, name)


def common_name(text: str) -> str:
    """A common name for people to read, of at most 64 characters.

    A longer one is cut, and ends in the first 48 bits of its SHA-256, so that two long names that
    begin alike stay apart. Nothing may be decided by it: the names that count are the alternative
    ones.
    """
    if len(text) <= MAX_COMMON_NAME:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{text[: MAX_COMMON_NAME - len(digest) - 1]}~{digest}"

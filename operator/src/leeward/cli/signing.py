"""``leeward sign`` and ``verify``: detached signatures of files on this machine."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leeward.cli.errors import CliError, UsageError
from leeward.cli.localfiles import (
    STDIO,
    check_source,
    check_target,
    into_new_file,
    read_small,
    reading,
    shown,
    writing_to,
)
from leeward.cli.output import print_raw
from leeward.cli.passphrase import Passphrases
from leeward.cli.pemfiles import public_blocks, read_private, read_public
from leeward.cli.session import Session
from leeward.formats.certificates.verification import certified_key, load_certificates, names_of
from leeward.formats.dsse import (
    OtherSigner,
    SignatureError,
    SignatureInvalid,
    SigningKey,
    UnsuitableKey,
    VerifyingKey,
    key_id,
    signing_algorithm,
    verifying_key,
)
from leeward.formats.signature import DigestMismatch, sign, sign_bare, verify, verify_bare

SUFFIX: Final = ".sig"
_SIGNATURE_MODE: Final = 0o644


@dataclass(frozen=True)
class Trust:
    """By whom the signature must be: the holder of a key, or of a certificate.

    Attributes:
        key: Public half, PEM; where the file holds several, any of them.
        certificate: The signer's certificate, PEM.
        authority: Who must have issued it: one certificate or several, PEM.
        identity: A name that the certificate must bear, besides.
        at: When it must be valid (RFC 3339); None: now.
    """

    key: Path | None = None
    certificate: Path | None = None
    authority: Path | None = None
    identity: str | None = None
    at: str | None = None

    def __post_init__(self) -> None:
        if (self.key is None) == (self.certificate is None):
            raise UsageError(
                "say whose signature it must be, in one way",
                "name a public key with --key, or a certificate with --certificate and --ca",
            )
        if (self.certificate is None) != (self.authority is None):
            raise UsageError(
                "--certificate and --ca belong together",
                "name the signer's certificate with --certificate and its authority's with --ca",
            )
        if self.certificate is None and (self.identity or self.at):
            raise UsageError(
                "--identity and --at are about a certificate, and --key names a bare key",
                "leave them out, or name --certificate and --ca",
            )


def sign_file(
    session: Session,
    source: Path,
    key: Path,
    target: Path | None,
    passphrases: Passphrases,
    *,
    bare: bool,
    force: bool,
) -> None:
    """Write the signature of a file or of standard input.

    Raises:
        CliError: The key does not sign, or the target exists.
    """
    check_source(source)
    if target is None:
        target = STDIO if source == STDIO else source.with_name(source.name + SUFFIX)
    if bare and target == STDIO and session.stdout.isatty():
        raise UsageError("a bare signature does not go to a terminal", "name a file with --output")
    check_target(target, force=force, source=source)
    private = _signing_key(session, key, passphrases)
    make = sign_bare if bare else sign
    with _naming(shown(source)), reading(session, source) as file:
        signature = make(file, private)
    with writing_to(target):
        if target == STDIO:
            session.stdout.write(signature)
            session.stdout.flush()
        else:
            into_new_file(session, target, lambda out: out.write(signature), _SIGNATURE_MODE)
    session.err.print(
        f"signed {shown(source)} as {shown(target)}: {_described(verifying_key(private))}"
    )


def verify_file(
    session: Session, source: Path, signature: Path | None, trust: Trust, *, bare: bool
) -> None:
    """Check the signature of a file or of standard input, and say by whom it is.

    Raises:
        UsageError: Two inputs are to come from standard input.
        CliError: The signature does not hold, or the signer is not the one who was asked for.
    """
    check_source(source)
    if signature is None:
        if source == STDIO:
            raise UsageError("the signature has no name", "name it with --signature")
        signature = source.with_name(source.name + SUFFIX)
        if not signature.exists():
            raise CliError(f"there is no {shown(signature)}", "name the signature with --signature")
    inputs = [source, signature, trust.key, trust.certificate, trust.authority]
    if inputs.count(STDIO) > 1:
        raise UsageError("standard input can be one thing only", "name files for the others")
    keys, holder = _trusted(session, trust)
    taken = read_small(session, signature)
    if bare and len(keys) > 1 and (source == STDIO or source.is_fifo()):
        raise UsageError(
            "a stream is read once, and a bare signature is tried with each of several keys",
            "name a file, or give a file with one public key with --key",
        )
    with _naming(f"{shown(source)} by {shown(signature)}"):
        key = (_bare_signer if bare else _signer)(session, source, taken, keys)
    print_raw(session.out, f"{shown(source)}: good signature by {_described(key)}{holder}")


def _signer(
    session: Session, source: Path, envelope: bytes, keys: Sequence[VerifyingKey]
) -> VerifyingKey:
    """That of the keys which signed; the file is read once it is found, so it may be a stream."""
    with reading(session, source) as file:
        return _first(keys, lambda key: verify(file, envelope, key), OtherSigner)


def _bare_signer(
    session: Session, source: Path, signature: bytes, keys: Sequence[VerifyingKey]
) -> VerifyingKey:
    """That of the keys which signed; the file is read for each of them."""

    def check(key: VerifyingKey) -> None:
        with reading(session, source) as file:
            verify_bare(file, signature, key)

    return _first(keys, check, SignatureInvalid)


def _first(
    keys: Sequence[VerifyingKey],
    check: Callable[[VerifyingKey], None],
    miss: type[SignatureError],
) -> VerifyingKey:
    """The first key that stands the check.

    Args:
        keys: At least one.
        check: Raises SignatureError.
        miss: What it raises where another key signed; other errors say more.
    """
    errors: list[SignatureError] = []
    for key in keys:
        try:
            check(key)
        except DigestMismatch:
            raise
        except SignatureError as error:
            errors.append(error)
        else:
            return key
    for failed in errors:
        if len(errors) == 1 or not isinstance(failed, miss):
            raise failed
    ids = ", ".join(key_id(key) for key in keys)
    raise OtherSigner(
        f"the signature is by none of the {len(keys)} keys that are given ({ids}): give the public"
        " half of the one who signed, and the file as it was then"
    )


def _signing_key(session: Session, path: Path, passphrases: Passphrases) -> SigningKey:
    key = read_private(path, read_small(session, path), "Signing", passphrases)
    with _naming(str(path)):
        signing_algorithm(key)
        if isinstance(key, SigningKey):
            return key
        raise UnsuitableKey("the key is not one that signs")


def _trusted(session: Session, trust: Trust) -> tuple[list[VerifyingKey], str]:
    """The keys of which one must have signed, and whose they are."""
    if trust.certificate is not None and trust.authority is not None:
        key, holder = _certified(session, trust, trust.certificate, trust.authority)
        return [key], holder
    path = trust.key or STDIO
    blocks = public_blocks(read_small(session, path))
    with _naming(shown(path)):
        return [verifying_key(read_public(path, block, "Signing")) for block in blocks], ""


def _certified(
    session: Session, trust: Trust, certificate: Path, authority: Path
) -> tuple[VerifyingKey, str]:
    with _naming(shown(certificate)):
        leaf, *rest = load_certificates(read_small(session, certificate))
    if rest:
        raise CliError(
            f"{shown(certificate)} holds several certificates",
            "leave the signer's own in it, and name the authority that issued it with --ca",
        )
    with _naming(shown(authority)):
        authorities = load_certificates(read_small(session, authority))
    with _naming(shown(certificate)):
        key = certified_key(leaf, authorities, _moment(session, trust.at))
    names = names_of(leaf)
    if trust.identity is not None and trust.identity not in names:
        raise CliError(
            f"{shown(certificate)} does not bear the name {trust.identity}, but"
            f" {', '.join(names) or 'none'}",
            "do not take the signature for one by that name; ask who signed",
        )
    return key, f", certified for {', '.join(names) or 'no name'}"


def _moment(session: Session, text: str | None) -> datetime.datetime:
    if text is None:
        return session.clock.now()
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(
            f"{text!r} is no time with its zone", "write it as in 2027-03-01T12:00:00Z"
        )
    return moment


def _described(key: VerifyingKey) -> str:
    return f"key {key_id(key)} ({signing_algorithm(key)})"


@contextmanager
def _naming(what: str) -> Iterator[None]:
    """Errors of signatures as errors of this command, with the file's name."""
    try:
        yield
    except SignatureError as error:
        raise CliError(f"{what}: {error}") from None

"""seal, open, rewrap, inspect, sign, verify: files on this machine, without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leeward.cli.commands.guard import guarded
from leeward.cli.options import RowsFormat

STDIO = Path("-")
SourceArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="The file; - for standard input.")
]
Force = Annotated[bool, typer.Option("--force", help="Write over a file.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Its first line opens an encrypted private key. Left out: asked for at the terminal.",
    ),
]
PassphraseDescriptor = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="The same from an open file descriptor."),
]
Bare = Annotated[
    bool, typer.Option("--bare", help="The signature alone, as OpenSSL makes and checks it.")
]


@guarded
def seal(
    context_: typer.Context,
    file: SourceArgument = STDIO,
    to: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Public key (PEM) of who shall open it, as `leeward dataset public-key` or"
            " `leeward keys generate` writes it; all of them where it holds several; may be"
            " repeated.",
        ),
    ] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Symmetric keys to seal with (keyset.json); may be repeated."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The sealed file; - for standard output."
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Seal a file to the holders of some keys."""
    from leeward.cli.sealing import seal_to
    from leeward.cli.session import session_of

    seal_to(session_of(context_), file, output, to or [], key or [], force=force)


@guarded
def open_(
    context_: typer.Context,
    file: SourceArgument = STDIO,
    key: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Private key (PEM) or keyset.json; may be repeated."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The opened file; - for standard output."
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
    passphrase_fd: PassphraseDescriptor = None,
    force: Force = False,
) -> None:
    """Open a sealed file.

    A changed or cut one is refused, and no output file appears.
    """
    from leeward.cli.passphrase import Passphrases
    from leeward.cli.sealing import open_with
    from leeward.cli.session import session_of

    session = session_of(context_)
    passphrases = Passphrases(session, passphrase_file, passphrase_fd)
    open_with(session, file, output, key or [], passphrases, force=force)


@guarded
def rewrap(
    context_: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Sealed files.")],
    key: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="What opens them: private key (PEM) or keyset.json; repeatable."
        ),
    ] = None,
    to: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Public key (PEM) of who shall open them from now on; repeatable."
        ),
    ] = None,
    to_key: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Symmetric keys that shall open them (keyset.json); repeatable."
        ),
    ] = None,
    reencrypt: Annotated[
        bool,
        typer.Option(
            "--reencrypt", help="Encrypt all of each file anew: its data key may be known."
        ),
    ] = False,
    passphrase_file: PassphraseFile = None,
    passphrase_fd: PassphraseDescriptor = None,
) -> None:
    """Change who can open sealed files: only the keys that are named, and nobody else.

    Their headers are written anew, in place; a crash leaves the old or the new recipients. It does
    not help where somebody has the data key of a file, or a copy of the file: see --reencrypt.
    After an interruption, run it again with a private key of the new recipients as well: it passes
    over what that key proves to be done.
    """
    from leeward.cli.passphrase import Passphrases
    from leeward.cli.rewrapping import RewrapRequest, rewrap_files
    from leeward.cli.session import session_of

    session = session_of(context_)
    passphrases = Passphrases(session, passphrase_file, passphrase_fd)
    request = RewrapRequest(files, key or [], to or [], to_key or [], reencrypt=reencrypt)
    rewrap_files(session, request, passphrases)


@guarded
def inspect(
    context_: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Sealed files.")],
    digest: Annotated[
        bool, typer.Option("--digest", help="Also read the file for the digest of its core.")
    ] = False,
    output: Annotated[
        RowsFormat, typer.Option("--output", "-o", help="How to print.")
    ] = RowsFormat.TABLE,
) -> None:
    """Say what sealed files tell without a key."""
    from leeward.cli.sealing import show_info
    from leeward.cli.session import session_of

    show_info(session_of(context_), files, with_digest=digest, output=output)


@guarded
def sign(
    context_: typer.Context,
    key: Annotated[Path, typer.Option(metavar="FILE", help="Private key (PEM) to sign with.")],
    file: SourceArgument = STDIO,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The signature; - for standard output. Left out: FILE.sig.",
        ),
    ] = None,
    bare: Bare = False,
    passphrase_file: PassphraseFile = None,
    passphrase_fd: PassphraseDescriptor = None,
    force: Force = False,
) -> None:
    """Sign a file: who has the public half can tell that it is yours, and unchanged.

    The signature is a file beside it. The key decides about the algorithm.
    """
    from leeward.cli.passphrase import Passphrases
    from leeward.cli.session import session_of
    from leeward.cli.signing import sign_file

    session = session_of(context_)
    passphrases = Passphrases(session, passphrase_file, passphrase_fd)
    sign_file(session, file, key, output, passphrases, bare=bare, force=force)


@guarded
def verify(
    context_: typer.Context,
    file: SourceArgument = STDIO,
    signature: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The signature. Left out: FILE.sig."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Public key (PEM) of who must have signed; any of them where it holds several.",
        ),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Or that one's certificate (PEM), with --ca."),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Certificates of authorities (PEM) that you trust."),
    ] = None,
    identity: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name that the certificate must bear: a SPIFFE ID, another URI, or a DNS name.",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="When the certificate must be valid, as 2027-03-01T12:00:00Z. Left out: now.",
        ),
    ] = None,
    bare: Bare = False,
) -> None:
    """Check the signature of a file.

    Ends with 0 only where the file is the one that was signed, by that key or a holder of such a
    certificate.
    """
    from leeward.cli.session import session_of
    from leeward.cli.signing import Trust, verify_file

    trust = Trust(key, certificate, ca, identity, at)
    verify_file(session_of(context_), file, signature, trust, bare=bare)


def add_to(app: typer.Typer) -> None:
    """Put these commands into the tree."""
    app.command()(seal)
    app.command("open")(open_)
    app.command()(rewrap)
    app.command()(inspect)
    app.command()(sign)
    app.command()(verify)

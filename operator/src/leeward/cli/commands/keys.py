"""keys generate, fingerprint, advise: keys of one's own, and which algorithm to choose."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from leeward.cli.commands.guard import guarded
from leeward.cli.options import Context, Kubeconfig, Namespace, Timeout

keys = typer.Typer(
    no_args_is_help=True, help="Keys: advice, and to make, rotate, list and back them up."
)


@keys.command()
@guarded
def generate(
    context_: typer.Context,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="NAME",
            help="Name of the files: NAME.key (private) and NAME.pub.pem, or NAME.keyset.json.",
        ),
    ],
    algorithm: Annotated[
        str,
        typer.Option(metavar="NAME", help="For what the key is; `leeward keys advise` chooses."),
    ] = "HPKE_X25519",
    from_hex: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Take the key in this file, in hexadecimal digits, instead of drawing one: to open"
            " here what a vault sealed with a key from a passphrase or an import.",
        ),
    ] = None,
) -> None:
    """Make a key of your own: to seal and open files, or to sign them.

    Nothing is written over. To encrypt the private key with a passphrase, run: { grep
    ^Leeward-Algorithm NAME.key; openssl pkcs8 -topk8 -scrypt -in NAME.key; } > NAME.enc.key

    Remove NAME.key only after `openssl pkey -in NAME.enc.key -noout` read the new file. OpenSSL 3.0
    reads no keys of ML_DSA_65 and HPKE_MLKEM768_X25519: keep those on an encrypted disk.
    """
    from leeward.cli.generating import generate_key
    from leeward.cli.session import session_of

    generate_key(session_of(context_), output, algorithm, from_hex)


@keys.command()
@guarded
def fingerprint(
    context_: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Public keys (PEM).")],
) -> None:
    """Print the fingerprints of public keys, to compare by another channel.

    It is what sealed files, signatures and messages call a key, unless its vault gave it an id:
    the first 16 bytes of SHA-256 over the key (SubjectPublicKeyInfo, DER).
    """
    from leeward.cli.fingerprints import show_fingerprints
    from leeward.cli.session import session_of

    show_fingerprints(session_of(context_), files)


Use = Annotated[
    Literal["seal", "mask", "sign", "issue"] | None, typer.Option(help="What the key is for.")
]
Profile = Annotated[
    Literal["Modern", "Approved", "Compatible"] | None,
    typer.Option(help="Profile of the KeyVault. Left out: Modern."),
]
Size = Annotated[
    str | None, typer.Option(help="Largest file (4GiB), or how many values are masked (5000000).")
]
Parties = Annotated[
    int | None, typer.Option(min=1, help="How many hold keys or data apart from each other.")
]
Lifetime = Annotated[
    str | None, typer.Option(metavar="TIME", help="How long it must hold: 90d, 18mo, 12y.")
]
Search = Annotated[
    bool | None, typer.Option("--search", help="Values are searched for by their result.")
]
Join = Annotated[bool | None, typer.Option("--join", help="Tables are joined by the results.")]
Reversible = Annotated[
    bool | None, typer.Option("--reversible", help="Somebody with the key must lead results back.")
]
KeepFormat = Annotated[
    bool | None,
    typer.Option("--keep-format", help="Results must look like the values; with --domain."),
]
Domain = Annotated[
    int | None, typer.Option(min=1, help="How many different values there could be.")
]
WithoutAes = Annotated[
    bool | None,
    typer.Option("--without-aes", help="Processors have no instructions for AES."),
]


@keys.command()
@guarded
def advise(
    context_: typer.Context,
    use: Use = None,
    profile: Profile = None,
    size: Size = None,
    parties: Parties = None,
    lifetime: Lifetime = None,
    search: Search = None,
    join: Join = None,
    reversible: Reversible = None,
    keep_format: KeepFormat = None,
    domain: Domain = None,
    without_aes: WithoutAes = None,
) -> None:
    """Say which algorithm to use: why, what it does not do, and how a KeyVault names it.

    Without options it asks. What it prints can be pasted into a manifest.
    """
    from leeward.cli import advice
    from leeward.cli.advising import Question, give_advice
    from leeward.cli.session import session_of

    question = Question(
        use=None if use is None else advice.Use(use),
        profile=profile,
        size=size,
        parties=parties,
        lifetime=lifetime,
        search=search,
        join=join,
        reversible=reversible,
        keep_format=keep_format,
        domain=domain,
        without_aes=without_aes,
    )
    give_advice(session_of(context_), question)


@keys.command()
@guarded
def rotate(
    context_: typer.Context,
    vault: Annotated[str, typer.Argument(metavar="VAULT", help="The KeyVault.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key in it.")],
    timeout: Timeout = "10m",
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Make a new version of a vault key, and wrap every artefact key by it.

    No file and no pod is touched. It sets rotation.renewedAfter of the key to now.
    """
    from leeward.cli.port import Target
    from leeward.cli.rotating import rotate_key
    from leeward.cli.session import parse_duration, session_of

    session = session_of(context_)
    seconds = parse_duration(timeout)
    cluster = session.connect(Target(kubeconfig, context))
    rotate_key(session, cluster, namespace or cluster.namespace, vault, key, seconds)


def add_to(app: typer.Typer) -> None:
    """Put these commands into the tree."""
    app.add_typer(keys, name="keys")

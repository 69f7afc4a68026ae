"""dataset preview, public-key, put, rewrap; mask preview, init, check; report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leeward.cli.commands.guard import guarded
from leeward.cli.options import (
    DEFAULT_OPERATOR_NAMESPACE,
    Context,
    Kubeconfig,
    Namespace,
    OperatorNamespace,
    RowsFormat,
    Timeout,
)

_ANY_FORMAT = (
    "CSV, JSON Lines, Parquet or Arrow, by the end of its name; CSV and JSON Lines also .gz or .zst"
)
Delimiter = Annotated[
    str | None,
    typer.Option(
        metavar="CHARACTER",
        help="Of CSV: what stands between fields, \\t for a tab. Left out: the comma, or what the"
        " header shows.",
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Of CSV: UTF-8, Latin-1, Windows-1252, UTF-16 or GB18030. Left out: UTF-8, or what a"
        " byte order mark says.",
    ),
]
Rows = Annotated[RowsFormat, typer.Option("--output", "-o", help="How to print.")]
NameArgument = Annotated[str, typer.Argument(metavar="DATASET", help="Name of the Dataset.")]
dataset = typer.Typer(no_args_is_help=True, help="Look into datasets, and bring data into them.")
mask = typer.Typer(no_args_is_help=True, help="Try masking rules on this machine, without cluster.")


@dataset.command()
@guarded
def preview(
    context_: typer.Context,
    name: NameArgument,
    purpose: Annotated[
        str, typer.Option(help="What you need the rows for; a grant of the Dataset names it.")
    ],
    rows: Annotated[int, typer.Option(min=1, max=100, help="How many rows, from the first.")] = 20,
    output: Rows = RowsFormat.TABLE,
    timeout: Timeout = "2m",
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show first rows of a dataset that you may open.

    The rows travel sealed to a key that exists only while this command runs.
    """
    from leeward.cli.port import Target
    from leeward.cli.previewing import PreviewRequest, show_preview
    from leeward.cli.session import parse_duration, session_of

    seconds = parse_duration(timeout)
    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    request = PreviewRequest(namespace or cluster.namespace, name, purpose, rows, seconds)
    show_preview(session, cluster, request, output)


@dataset.command("public-key")
@guarded
def public_key(
    context_: typer.Context,
    name: NameArgument,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print the public half that data is sealed to."""
    from leeward.cli.datasets import show_public_key
    from leeward.cli.port import Target
    from leeward.cli.session import session_of

    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    show_public_key(session, cluster, namespace or cluster.namespace, name)


@dataset.command()
@guarded
def put(
    context_: typer.Context,
    name: NameArgument,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file: plain (it is sealed here) or sealed.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in place of the file that is there.")
    ] = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="Leave it readable: for Datasets without sealedWith.")
    ] = False,
    image: Annotated[
        str | None,
        typer.Option(help="Image of the pod that writes. Left out: the operator's masking image."),
    ] = None,
    timeout: Timeout = "10m",
    namespace: Namespace = None,
    operator_namespace: OperatorNamespace = DEFAULT_OPERATOR_NAMESPACE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Seal a file here, and bring it into a dataset.

    Nothing readable leaves this machine: what is sent is sealed to the dataset's public half.
    """
    from leeward.cli.port import Target
    from leeward.cli.putting import PutRequest, put_file
    from leeward.cli.session import parse_duration, session_of

    seconds = parse_duration(timeout)
    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    request = PutRequest(
        namespace or cluster.namespace,
        name,
        file,
        replace=replace,
        plain=plain,
        image=image,
        operator_namespace=operator_namespace,
        timeout=seconds,
    )
    put_file(session, cluster, request)


@dataset.command()
@guarded
def rewrap(
    context_: typer.Context,
    name: NameArgument,
    reencrypt: Annotated[
        bool,
        typer.Option(
            "--reencrypt", help="Encrypt all of the file anew: the data key may be known to others."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until the old key is destroyed.")] = True,
    timeout: Timeout = "30m",
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Replace the keys of a dataset's file: its artefact key, or all of them.

    It sets rotation.renewedAfter or rotation.reencryptedAfter of the Dataset to now. For files on
    this machine there is leeward rewrap.
    """
    from leeward.cli.port import Target
    from leeward.cli.replacing import ReplaceRequest, describe_replacement, replace_keys
    from leeward.cli.session import parse_duration, session_of

    seconds = parse_duration(timeout)
    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    request = ReplaceRequest(
        namespace or cluster.namespace, name, reencrypt=reencrypt, wait=wait, timeout=seconds
    )
    if dry_run:
        describe_replacement(session, cluster, request)
    else:
        replace_keys(session, cluster, request)


@mask.command("preview")
@guarded
def mask_preview(
    context_: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=f"The data: {_ANY_FORMAT}.")],
    job: Annotated[
        Path, typer.Option("--file", "-f", help="Manifest (YAML) with a MaskingJob in it.")
    ],
    rows: Annotated[int, typer.Option(min=1, max=1000, help="How many rows, from the first.")] = 5,
    output: Rows = RowsFormat.TABLE,
) -> None:
    """Show first rows before and after masking.

    Keys are made for this one run, so tokens and hashes differ from those of a real job.
    """
    from leeward.cli.maskpreview import show_mask_preview
    from leeward.cli.session import session_of

    show_mask_preview(session_of(context_), job, file, rows, output)


@mask.command("check")
@guarded
def mask_check(
    context_: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|dataset/NAME",
            help=f"A file on this machine ({_ANY_FORMAT}), or a Dataset that a MaskingJob made.",
        ),
    ],
    job: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            help="Of a file: manifest (YAML) with a MaskingJob; checks what that would leave.",
        ),
    ] = None,
    purpose: Annotated[
        str | None, typer.Option(help="Of a Dataset: what for; a grant of it names that.")
    ] = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 where a column is identifying.")
    ] = False,
    output: Rows = RowsFormat.TABLE,
    timeout: Timeout = "2m",
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Say which columns can still tell who somebody is, alone or together."""
    from leeward.cli.csvfile import csv_options
    from leeward.cli.errors import UsageError
    from leeward.cli.jobfile import read_job_file
    from leeward.cli.maskcheck import check_dataset, check_file, check_job, print_checked
    from leeward.cli.port import Target
    from leeward.cli.reporting import ReportRequest
    from leeward.cli.session import parse_duration, session_of

    session = session_of(context_)
    csv = csv_options(delimiter, encoding)
    if job is not None and csv is not None:
        raise UsageError(
            "--delimiter and --encoding do not go with --file", "set csv of the Dataset in it"
        )
    if job is not None:
        checked = check_job(session, read_job_file(job), Path(what))
    elif Path(what).exists() or "/" not in what:
        checked = check_file(Path(what), csv)
    elif purpose is None:
        raise UsageError(f"there is no file {what}", "of a Dataset say what for, with --purpose")
    else:
        cluster = session.connect(Target(kubeconfig, context))
        place, seconds = namespace or cluster.namespace, parse_duration(timeout)
        checked = check_dataset(session, cluster, ReportRequest(place, what, purpose, seconds))
    print_checked(session, checked, output)
    if exit_code and checked.identifying:
        raise typer.Exit(1)


@guarded
def report(
    context_: typer.Context,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="The masked Dataset, or the MaskingJob that made it."),
    ],
    purpose: Annotated[
        str, typer.Option(help="What you need it for; a grant of the Dataset names it.")
    ],
    page: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write the page with all plots there."),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Show the page in a browser.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file.")] = False,
    output: Rows = RowsFormat.TABLE,
    timeout: Timeout = "2m",
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show what masking did to a dataset, and what it left.

    The report travels sealed to a key that exists only while this command runs.
    """
    from leeward.cli.port import Target
    from leeward.cli.reporting import ReportRequest, show_report
    from leeward.cli.session import parse_duration, session_of

    seconds = parse_duration(timeout)
    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    request = ReportRequest(
        namespace or cluster.namespace, name, purpose, seconds, page=page, show=show, force=force
    )
    show_report(session, cluster, request, output)


@mask.command("init")
@guarded
def mask_init(
    context_: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=f"The data: {_ANY_FORMAT}.")],
    name: Annotated[
        str, typer.Option(help="Name of the Dataset and the job. Left out: that of the file.")
    ] = "",
    purpose: Annotated[str, typer.Option(help="What the masked data is for.")] = "research",
    claim: Annotated[
        str, typer.Option(help="PersistentVolumeClaim that the data lies on.")
    ] = "data",
    vault: Annotated[
        str | None,
        typer.Option(
            help="A KeyVault that is there, with keys intake, data and tokens. Left out: the"
            " manifest has one."
        ),
    ] = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The manifest; - for standard output."),
    ] = Path("-"),
    force: Annotated[bool, typer.Option("--force", help="Write over a file.")] = False,
) -> None:
    """Propose a manifest for a file: what its columns look like, and a rule for each.

    Nothing leaves this machine. The manifest holds no values of rows.
    """
    from leeward.cli.csvfile import csv_options
    from leeward.cli.maskinit import InitRequest, write_manifest
    from leeward.cli.session import session_of

    csv = csv_options(delimiter, encoding)
    request = InitRequest(file, name, purpose, claim, vault, output, force, csv)
    write_manifest(session_of(context_), request)


def add_to(app: typer.Typer) -> None:
    """Put these commands into the tree."""
    app.command()(report)
    app.add_typer(dataset, name="dataset")
    app.add_typer(mask, name="mask")

"""Leading back a list of tokens: a sealed table of tokens and values, from no source at all."""

import time
from typing import Final

import polars as pl

from leeward.api.plaintransforms import NoParameters
from leeward.api.transforms import ColumnRule
from leeward.api.unmasking import TOKEN_COLUMN, VALUE_COLUMN
from leeward.formats.jobconfig import RuleConfig, UnmaskTokensConfig
from leeward.formats.result import Result
from leeward.formats.sealed import Recipient
from leeward_masking.errors import JobError
from leeward_masking.output.encoding import Encoder
from leeward_masking.output.sink import sealed_output
from leeward_masking.report.stats import ReportBuilder
from leeward_masking.rules.plan import compile_plan
from leeward_masking.rules.ruletransforms import MaterialOf
from leeward_masking.storage.places import storage_of
from leeward_masking.values.nesting import Layout

_TOKENS: Final = RuleConfig(
    rule=ColumnRule(name=TOKEN_COLUMN, keep=NoParameters()), columns=[TOKEN_COLUMN]
)


def unmask_tokens(
    config: UnmaskTokensConfig, material_of: MaterialOf, recipient: Recipient
) -> Result:
    """Lead the tokens back, and write the sealed output: columns ``token`` and ``value``.

    Args:
        config: The tokens, and the rule that made them.
        material_of: Its key, by role.
        recipient: Whom the output is sealed to.

    Raises:
        JobError: ``UnsuitableColumn``: the rule did not make one of them, which is named by its
            place in the list. Nothing was written then.
    """
    began = time.monotonic()
    frame = pl.DataFrame({TOKEN_COLUMN: config.tokens, VALUE_COLUMN: config.tokens})
    plan = compile_plan([_TOKENS, config.rule], frame.schema, material_of)
    try:
        led_back = plan.mask(frame)
    except JobError as error:
        raise error if error.row is None else _not_made_here(error.row, frame.height) from None
    report = ReportBuilder(plan, frame.schema)
    report.add(frame, led_back)
    schema = led_back.frame.schema
    encoder = Encoder(config.output.format, Layout(frame.schema))
    with sealed_output(storage_of(config.output.store), config.output.path, recipient) as output:
        output.write_frames(iter([encoder.ready(led_back.frame)]), schema, encoder)
    written = output.result
    if written is None:
        raise AssertionError
    told = report.report(time.monotonic() - began)
    columns = encoder.columns(schema, told)
    return Result(
        outcome="Succeeded",
        output=written.model_copy(update={"rows": frame.height, "columns": columns}),
        report=told,
    )


def _not_made_here(place: int, count: int) -> JobError:
    """One of the tokens is none; who asked has a list of them, and no column."""
    return JobError(
        "UnsuitableColumn",
        f"token {place} of {count} was not made by this rule with its key and scope, or was changed"
        " since",
        "take it out of the list, or correct it: copy all of it, and name the rule, the key and the"
        " scope that it was made with",
    )

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
from leeward_masking.encoding import Encoder
from leeward_masking.nesting import Layout
from leeward_masking.places import storage_of
from leeward_masking.rules import compile_plan
from leeward_masking.ruletransforms import MaterialOf
from leeward_masking.sink import sealed_output
from leeward_masking.stats import ReportBuilder

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
        JobError: ``UnsuitableColumn``: the rule did not make one of them; its row is its place in
            the list. Nothing was written then.
    """
    began = time.monotonic()
    frame = pl.DataFrame({TOKEN_COLUMN: config.tokens, VALUE_COLUMN: config.tokens})
    plan = compile_plan([_TOKENS, config.rule], frame.schema, material_of)
    led_back = plan.mask(frame)
    report = ReportBuilder(plan, frame.schema)
    report.add(frame, led_back)
    schema = led_back.frame.schema
    encoder = Encoder(config.output.format, Layout(frame.schema))
    with sealed_output(storage_of(config.output.store), config.output.path, recipient) as output:
        output.write_frames(iter([led_back.frame]), schema, encoder)
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

"""Rules for free text that need a language model, and the image that has some."""

from leeward.api.maskingjob import MaskingJobSpec
from leeward.api.transforms import ColumnRule
from leeward.plans.maskingjob.case import MaskingCase
from leeward.plans.shared.model import Context
from leeward.plans.shared.verdict import Denied, Verdict


def check_models(case: MaskingCase) -> Verdict:
    """Where a rule wants a language model, the installation names the image that has some."""
    rule = _rule_with_model(case.spec)
    if rule is None or case.context.masking_models_image is not None:
        return None
    return Denied(
        "ModelsMissing",
        f'rule "{rule.name}" sets freeText.engine to Model, and this installation has no image with'
        " language models: build images/masking-models, as docs/guides/free-text.md says, and name"
        " it in the chart's value masking.modelsImage.repository; or create the job without engine",
    )


def image_of(spec: MaskingJobSpec, context: Context) -> str:
    """What the pods of a job run; ``check_models`` says where there is no such image."""
    models = context.masking_models_image
    return models if models and _rule_with_model(spec) else context.masking_image


def _rule_with_model(spec: MaskingJobSpec) -> ColumnRule | None:
    return next(
        (rule for rule in spec.columns if rule.free_text and rule.free_text.engine == "Model"),
        None,
    )

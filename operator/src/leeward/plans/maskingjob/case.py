"""A MaskingJob that asks to be admitted: its spec beside the Dataset that it wants to mask."""

import hashlib
from functools import cached_property

from leeward.api.algorithms import ALGORITHMS, OPERATIONS_BY_ALGORITHM, Operation
from leeward.api.dataset import ColumnType, Location, Tag
from leeward.api.freetext import LabelledSample
from leeward.api.maskingjob import MaskingJobSpec
from leeward.api.transformbase import Scope
from leeward.api.transforms import KEYED_TRANSFORMS, ColumnRule
from leeward.api.unmasking import VALUE_COLUMN
from leeward.formats.columnpaths import ELEMENTS, enclosing, expand, parse_path
from leeward.formats.document import canonical_json
from leeward.plans.maskingjob.selection import Selection, Traits, select
from leeward.plans.shared.keys import KeyUse
from leeward.plans.shared.model import Context, Observed
from leeward.plans.shared.names import Owner
from leeward.plans.shared.sources import Case

OUTPUT_ALGORITHMS = tuple(name for name, known in ALGORITHMS.items() if "Seal" in known.operations)
"""Of a key pair the pod is given the public half only: it cannot open what it has sealed."""

MASKING_ALGORITHMS = tuple(
    name for name, operations in OPERATIONS_BY_ALGORITHM.items() if "Mask" in operations
)
_EXTENSIONS = {"ArrowIPC": "arrow", "CSV": "csv", "JSONL": "jsonl", "Parquet": "parquet"}


class MaskingCase(Case):
    """See the module.

    Attributes:
        spec: Of the MaskingJob.
    """

    def __init__(
        self, owner: Owner, spec: MaskingJobSpec, observed: Observed, context: Context
    ) -> None:
        super().__init__(owner, spec.purpose, spec.source, observed, context)
        self.spec = spec

    @property
    def undoes(self) -> bool:
        """Whether values are led back."""
        return self.spec.direction == "Unmask"

    @property
    def operation(self) -> Operation:
        """What the keys of rules must be granted for."""
        return "Unmask" if self.undoes else "Mask"

    @property
    def source_key(self) -> KeyUse | None:
        """The key that the source is sealed with; None: it is plain, or is not read."""
        return None if self.spec.tokens else super().source_key

    @cached_property
    def types(self) -> dict[str, ColumnType]:
        """Type of every column of the source, in its order; of a list of tokens: text."""
        if self.spec.tokens:
            return {VALUE_COLUMN: "String"}
        return {column.name: column.type for column in self.dataset_status.columns}

    @cached_property
    def tags(self) -> dict[str, list[Tag]]:
        """Tags of the columns that have some, of their own or of what they lie in."""
        tags = {column.name: column.tags for column in self.dataset.columns}
        return expand(tags, [column.name for column in self.dataset_status.columns])

    @cached_property
    def in_lists(self) -> frozenset[str]:
        """Columns whose values lie in lists, so that a row may have any number of them."""
        if self.dataset.format == "CSV":
            return frozenset()
        return frozenset(filter(_is_in_list, self.types))

    @cached_property
    def taken_whole(self) -> dict[str, ColumnRule]:
        """Structs and lists of which nothing is left, and which are so read as one column each."""
        if self.spec.tokens or self.dataset.format == "CSV":
            return {}
        named = {name: rule for rule in self.spec.columns for name in rule.column_names}
        inner = {outer for name in named for outer in enclosing(name)}
        return {
            name: rule
            for name, rule in named.items()
            if rule.takes_whole and name not in self.types and name not in inner
        }

    @cached_property
    def selection(self) -> Selection:
        """Which rule each column has."""
        if self.spec.tokens:
            return Selection({VALUE_COLUMN: self.spec.columns[0]}, None)
        columns = {
            column.name: Traits(column.type, self.tags.get(column.name, []), column.detected)
            for column in self.dataset_status.columns
        }
        return select(self.spec.columns, columns, self.source_label)

    @property
    def rule_of(self) -> dict[str, ColumnRule]:
        """The rule of every column that has one."""
        return self.selection.rule_of

    def subject_of(self, rule: ColumnRule) -> str | None:
        """The column that says whose row it is, where the result of a rule depends on that."""
        if rule.by_subject is None:
            return None
        return rule.by_subject.subject or self.dataset.subject_column

    @cached_property
    def samples(self) -> tuple[tuple[ColumnRule, LabelledSample], ...]:
        """Rules for free text that are measured on labelled notes of the user's own."""
        return tuple(
            (rule, rule.free_text.sample)
            for rule in self.spec.columns
            if rule.free_text is not None and rule.free_text.sample is not None
        )

    @cached_property
    def sample(self) -> Case | None:
        """The Dataset of those notes, which all of these rules name; None: there is none."""
        if not self.samples:
            return None
        ref = self.samples[0][1].dataset
        return Case(self.owner, self.purpose, ref, self.observed, self.context)

    @property
    def output_key(self) -> KeyUse:
        """The key that the output is sealed under."""
        return KeyUse(
            self.spec.output.sealed_with,
            self.owner.namespace,
            OUTPUT_ALGORITHMS,
            "sealing of outputs",
            (self.owner.kind, "spec.output"),
        )

    def rule_key(self, rule: ColumnRule) -> tuple[KeyUse, Scope] | None:
        """The key that a rule needs, and where equal values get equal results."""
        use = rule.key_use
        if use is None:
            return None
        ref, scope = use
        algorithms = KEYED_TRANSFORMS[rule.key_transform]
        named_by = (self.owner.kind, "spec.columns")
        return KeyUse(ref, self.owner.namespace, algorithms, rule.transform, named_by), scope

    @property
    def dataset_scope(self) -> str | None:
        """What scope Dataset of its rules stands for; None: nobody knows any more.

        To lead back it is what it stood for when the source was masked.
        """
        if not self.undoes:
            return self.dataset_status.source_id or self.dataset_uid
        producer = self.dataset_status.produced_by
        return producer.dataset_scope if producer else None

    def scope_id(self, scope: Scope, vault_id: str) -> str | None:
        """What the scope of a rule's key is bound to; None: nobody knows any more."""
        match scope:
            case "Vault":
                return vault_id
            case "Dataset":
                return self.dataset_scope
            case "Job" if not self.undoes:
                return self.owner.uid
            case "Job":
                producer = self.dataset_status.produced_by
                return producer.uid if producer else None


def _is_in_list(name: str) -> bool:
    try:
        return ELEMENTS in parse_path(name)
    except ValueError:
        # Columns of Parquet that are neither struct nor list have any name.
        return False


def rule_key_id(vault_id: str, key: str, scope: Scope, scope_id: str) -> str:
    """Id of the artefact key of a scope: the same wherever it is looked for."""
    digest = hashlib.sha256(canonical_json([vault_id, key, scope, scope_id])).hexdigest()
    return digest[:32]


def output_location(owner: Owner, spec: MaskingJobSpec) -> Location:
    """Where the file lies that the job writes; the path holds the job's UID."""
    folder = spec.output.location.path.rstrip("/")
    extension = _EXTENSIONS[spec.output.format]
    return spec.output.location.at(f"{folder}/{owner.name}-{owner.uid}.{extension}.lwe1")

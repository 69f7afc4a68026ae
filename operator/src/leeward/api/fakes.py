"""fake: made-up names, addresses and numbers that look like real ones."""

from typing import Annotated, Final, Literal

from pydantic import Field

from leeward.api.meta import ColumnName, KeyRef
from leeward.api.transformbase import KEY, SCOPE, Scope, Transform

FakeKind = Literal[
    "Name",
    "FirstName",
    "LastName",
    "UserName",
    "Mail",
    "Phone",
    "Address",
    "Street",
    "City",
    "Postcode",
    "Company",
    "Job",
]
FakeLocale = Literal["en_US", "en_GB", "de_DE", "fr_FR", "zh_CN"]
FAKE_ALGORITHMS: Final = frozenset({"HMAC_SHA256", "AES256_SIV"})


class Fake(Transform):
    """A made-up value: equal subjects get equal ones, and nothing leads back."""

    kind: FakeKind = Field(
        description="What is made up. Mail addresses and phone numbers are such as nobody has."
    )
    locale: FakeLocale = Field(
        default="en_US", description="Language and country, as users of Faker know them."
    )
    subject: ColumnName | None = Field(
        default=None,
        description="The column that says whose value it is: all that is made up for one subject"
        " belongs together. Left out: subjectColumn of the Dataset. The column itself: equal values"
        " get equal results.",
    )
    key: Annotated[KeyRef, KEY]
    scope: Annotated[Scope, SCOPE] = "Vault"

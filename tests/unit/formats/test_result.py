"""What a pod answers is checked before anything is done with it."""

import pytest
from pydantic import ValidationError

from leeward.formats.result import ResultError


@pytest.mark.parametrize("key_id", ["../leeward-root-key", "ab" * 15, "AB" * 16, "ab" * 16 + "\n"])
def test_ids_of_keys_are_ids_of_keys(key_id: str) -> None:
    """They become names of Secrets, and label selectors."""
    with pytest.raises(ValidationError):
        ResultError(code="SealedWithOtherKey", message="", remedy="", key_ids=[key_id])

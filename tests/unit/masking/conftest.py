from pathlib import Path

import pytest

from unit.masking.support import Volume


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path)

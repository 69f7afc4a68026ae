"""What is sent to the API server."""

import json

import pytest
import yaml

from leeward.kube.transport import yaml_bytes


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "\U0001f600 beyond the first plane",
        "\\ud83d\\ude00 with backslashes",
        'quotes " and \n lines',
        "\x00\x1f\x7f\x85\x9f controls",
        "\u2028\ufeff\uffff separators",
    ],
)
def test_applied_documents_are_json_and_yaml_alike(text: str) -> None:
    document = {"spec": {text: [text]}}
    sent = yaml_bytes(document)
    assert json.loads(sent) == document
    assert yaml.safe_load(sent) == document

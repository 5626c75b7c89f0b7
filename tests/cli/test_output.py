"""What `-o yaml` prints of an answer."""

from typing import Any

import pytest
import yaml

from landbridge.client import output
from landbridge.client.api import Answer


def test_yaml_has_the_objects_within_an_answer(capsys: pytest.CaptureFixture[str]):
    plain: dict[str, Any] = {"rows": [{"id": "a", "tags": [{"key": "k", "value": "ü"}]}], "page_info": {"count": 1}}
    output.document(Answer(rows=[Answer(id="a", tags=[Answer(key="k", value="ü")])], page_info=Answer(count=1)), "yaml")
    assert yaml.safe_load(capsys.readouterr().out) == plain

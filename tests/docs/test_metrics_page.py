"""The page of metrics has every series, with its type, its labels and its meaning, and no other."""

import re
from pathlib import Path
from typing import Any

import pytest

from landbridge.api import metrics
from landbridge.telemetry import shared_metrics

PAGE = (Path(__file__).parents[2] / "docs/reference/metrics.md").read_text()
ROWS = {
    cells[0].strip("`"): cells[1:]
    for line in PAGE.splitlines()
    if line.startswith("| `landbridge_")
    for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
}


def _series() -> dict[str, tuple[str, str]]:
    stored: dict[str, Any] = {one.name: (one.kind, one.text) for one in metrics.STORED}
    kinds = {shared_metrics.Counter: "counter", shared_metrics.Histogram: "histogram"}
    return stored | {name: (kinds[type(one)], one.text) for name, one in shared_metrics.REGISTRY.metrics.items()}


def test_the_page_has_every_series_and_no_other():
    assert sorted(ROWS) == sorted(_series())


@pytest.mark.parametrize(("name", "told"), _series().items())
def test_a_row_says_type_and_meaning(name: str, told: tuple[str, str]):
    kind, _, text = ROWS[name]
    assert (kind, text) == told


@pytest.mark.parametrize("metric", shared_metrics.REGISTRY.metrics.values(), ids=lambda one: one.name)
def test_a_row_has_the_labels_of_what_is_counted(metric: Any):
    labels = ROWS[metric.name][1]
    assert re.findall(r"`(\w+)`", labels) == list(metric.labels)
    for name, values in metric.labels.items():
        assert name in ("operation", "page") or f"`{name}` ({', '.join(values)})" in labels


def test_rows_have_the_labels_of_what_is_stored(api: Any):
    gateway = api.gateway()
    for fields in ({"style": "bgp"}, {"enable_nqa": True, "enable_health_check": True}):
        made = api.connection(gateway, **fields)
        api.connection_as(made["id"], "ACTIVE")
    text = api.send("GET", "/metrics").text
    checked = set()
    for line in text.splitlines():
        if found := re.match(r"(\w+)(\{.*\})? ", line):
            assert re.findall(r'(\w+)="', found[2] or "") == re.findall(r"`(\w+)`", ROWS[found[1]][1]), line
            checked.add(found[1])
    unseen = {"landbridge_connection_received_timestamp_seconds"}  # the simulated engine carries nothing
    assert {one.name for one in (*metrics.CONNECTIONS, *metrics.GATEWAYS)} - checked == unseen

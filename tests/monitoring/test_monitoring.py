"""Alert rules and the dashboard: Prometheus reads them, they watch series that exist, and each rule fires when it should."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import debian_packages
from landbridge.api import metrics
from landbridge.install import program
from landbridge.telemetry import shared_metrics

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "src/landbridge/monitoring"
RULES = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
TESTS = yaml.safe_load((Path(__file__).parent / "alerts_test.yml").read_text())["tests"]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
EXPRESSIONS = {
    f"panel {panel['title']}, {target['refId']}": target["expr"]
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
}
LABELS = re.compile(r"(landbridge_\w+)\{([^}]*)\}")


def _promtool(*words: str | Path, given: str = "") -> "subprocess.CompletedProcess[str]":
    command = [str(debian_packages.fetch("prometheus") / "usr/bin/promtool"), *map(str, words)]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=120)


def _series() -> dict[str, set[str]]:
    """What there is, with the labels of what is counted (None: see the page)."""
    names = {one.name: set[str]() for one in metrics.STORED}
    for name, metric in shared_metrics.REGISTRY.metrics.items():
        ends = ("_bucket", "_sum", "_count") if isinstance(metric, shared_metrics.Histogram) else ("",)
        names |= {f"{name}{end}": set(metric.labels) for end in ends}
    return names


@pytest.mark.process
def test_prometheus_reads_the_rules():
    done = _promtool("check", "rules", FOLDER / "alerts.yml")
    assert done.returncode == 0, done.stderr
    assert f"{len(RULES)} rules found" in done.stdout


def _test_rules(folder: Path, rules: str) -> "subprocess.CompletedProcess[str]":
    (folder / "alerts.yml").write_text(rules)
    shutil.copy(Path(__file__).parent / "alerts_test.yml", folder)
    return _promtool("test", "rules", folder / "alerts_test.yml")


@pytest.mark.process
def test_each_rule_fires_when_it_should_and_says_what_it_should(tmp_path: Path):
    done = _test_rules(tmp_path, (FOLDER / "alerts.yml").read_text())
    assert done.returncode == 0, done.stdout


@pytest.mark.process
@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("for: 3m", "for: 9m", id="later"),
        pytest.param('cause!=""', 'cause=""', id="another-series"),
        pytest.param("> 0.01", "> 0.5", id="higher"),
        pytest.param("{{ $labels.name }} is down", "{{ $labels.nme }} is down", id="another-text"),
    ],
)
def test_a_rule_that_was_spoiled_fails(tmp_path: Path, old: str, new: str):
    text = (FOLDER / "alerts.yml").read_text()
    assert text.count(old) >= 1
    assert _test_rules(tmp_path, text.replace(old, new)).returncode != 0


def test_every_rule_has_a_test_in_which_it_fires():
    fired = {case["alertname"] for test in TESTS for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert sorted(rule["alert"] for rule in RULES) == sorted(fired)


@pytest.mark.process
def test_prometheus_reads_every_expression_of_the_dashboard(tmp_path: Path):
    rules = [
        {"record": f"r:{n}", "expr": expr.replace("$connection", ".*")} for n, expr in enumerate(EXPRESSIONS.values())
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = _promtool("check", "rules", "--lint=none", tmp_path / "rules.yml")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "expression",
    [*EXPRESSIONS.values(), *(rule["expr"] for rule in RULES)],
    ids=[*EXPRESSIONS, *(r["alert"] for r in RULES)],
)
def test_what_is_watched_exists(expression: str):
    known = _series()
    named = set(re.findall(r"\blandbridge_\w+", expression))
    assert named <= set(known)
    assert named or "up{" in expression
    for name, labels in LABELS.findall(expression):
        used = set(re.findall(r"(\w+)[!=]~?=?", labels))
        assert not known[name] or used <= known[name] | {"le"}, expression


def test_each_series_is_in_a_rule_or_a_panel():
    """One series of a histogram is enough, such as its buckets."""
    watched = " ".join([*EXPRESSIONS.values(), *(rule["expr"] for rule in RULES)])
    assert [one for one in _series() if re.sub("_(bucket|sum|count)$", "", one) not in watched] == []


def test_a_label_of_a_rule_has_a_value_that_it_can_have():
    values = {
        **{name: value for metric in shared_metrics.REGISTRY.metrics.values() for name, value in metric.labels.items()},
        "status": ("PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE", "ACTIVE", "DOWN", "ERROR"),
    }
    for expression in [*EXPRESSIONS.values(), *(rule["expr"] for rule in RULES)]:
        for _, labels in LABELS.findall(expression):
            for name, value in re.findall(r'(\w+)=~?"([^"$]*)"', labels):
                assert name not in values or set(value.split("|")) <= set(values[name]), expression


def test_panels_do_not_overlap():
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert max(x for x, _ in taken) == 23


def test_an_installation_has_both_files():
    assert {"landbridge/monitoring/alerts.yml", "landbridge/monitoring/dashboard.json"} <= set(program.here().sources)


@pytest.mark.process
def test_prometheus_reads_what_a_service_answers(service: Any):
    api = service.api()
    api.connection_as(api.connection(api.gateway(), name="hq-branch")["id"], "ACTIVE")
    token = service.new_key(None, "monitor").token.reveal()
    answer = api.http.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
    done = _promtool("check", "metrics", given=answer.text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

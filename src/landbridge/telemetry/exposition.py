"""Prometheus' text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from landbridge.telemetry import shared_metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def labels(values: Mapping[str, str]) -> str:
    """`{name="value",…}`; empty without labels."""
    pairs = ",".join(f'{name}="{_escape(value)}"' for name, value in values.items())
    return f"{{{pairs}}}" if pairs else ""


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def family(name: str, kind: str, text: str, samples: Iterable[str]) -> Iterator[str]:
    """A metric with its head and its samples, each a line `name{labels} value`."""
    yield f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
    yield from samples


def counted(registry: shared_metrics.Registry) -> Iterator[str]:
    """All metrics of the registry, over all processes."""
    totals = registry.totals()
    for name, metric in sorted(registry.metrics.items()):
        kind = "counter" if isinstance(metric, shared_metrics.Counter) else "histogram"
        yield from family(name, kind, metric.text, _samples(metric, totals[name]))


def _samples(metric: shared_metrics.Counter | shared_metrics.Histogram, totals: Sequence[float]) -> Iterator[str]:
    for values, cells in metric.rows(totals):
        if isinstance(metric, shared_metrics.Counter):
            yield f"{metric.name}{labels(values)} {number(cells[0])}\n"
        else:
            yield from _histogram(metric, values, cells)


def _histogram(metric: shared_metrics.Histogram, values: Mapping[str, str], cells: Sequence[float]) -> Iterator[str]:
    """The buckets of the format are cumulative."""
    below = 0.0
    for bound, cell in zip(metric.bounds, cells, strict=False):
        below += cell
        yield f"{metric.name}_bucket{labels({**values, 'le': number(bound)})} {number(below)}\n"
    yield f"{metric.name}_sum{labels(values)} {number(cells[-1])}\n"
    yield f"{metric.name}_count{labels(values)} {number(below)}\n"


def number(value: float) -> str:
    """A number with 15 digits."""
    return "+Inf" if value == math.inf else f"{value:.15g}"

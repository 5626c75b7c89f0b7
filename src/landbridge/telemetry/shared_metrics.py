"""Counters and histograms that all processes of a service share.

Each process writes only to its own part of one memory file. The process that answers `/metrics` adds up all parts. A process that replaces
another one continues in the part of that one, so that no sum falls. Every label has a fixed set of values, so the memory has a fixed size.

A metric is created once, when its module is imported. Before `join`, a process counts in its own memory.
"""

import bisect
import itertools
import math
import mmap
import os
import threading
from collections.abc import Iterator, Mapping, Sequence

CELL_BYTES = 8
#: Bounds in seconds, for durations between a millisecond and some seconds.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Registry:
    """The metrics of a process by their names, and the memory that they write to."""

    def __init__(self) -> None:
        self.metrics: dict[str, Counter | Histogram] = {}
        self._memory: memoryview[float] | None = None
        self._length = 0

    def share(self, processes: int) -> int:
        """Creates the memory for this number of processes. This process has the first part. Returns the descriptor for `join`."""
        file = os.memfd_create("landbridge-counts")
        os.ftruncate(file, processes * self._layout() * CELL_BYTES)
        self.join(file, 0)
        return file

    def join(self, file: int, number: int) -> None:
        """This process continues in part `number` of a memory that another process created. Raises RuntimeError when the other process has
        other metrics.
        """
        self._length = self._layout()
        if os.fstat(file).st_size % (self._length * CELL_BYTES):
            raise RuntimeError("the processes of this service have different metrics")
        self._memory = memoryview(mmap.mmap(file, 0)).cast("d")
        part = self._memory[number * self._length : (number + 1) * self._length]
        for metric in self.metrics.values():
            metric.move(part[metric.first : metric.first + metric.length])

    def _layout(self) -> int:
        """Assigns a place to every metric: the same in every process, whatever the order of imports. Returns the length of a part."""
        first = 0
        for name in sorted(self.metrics):
            self.metrics[name].first = first
            first += self.metrics[name].length
        return first

    def totals(self) -> dict[str, list[float]]:
        """The cells of each metric, summed over all processes."""
        if self._memory is None:
            return {name: list(metric.cells) for name, metric in self.metrics.items()}
        starts = range(0, len(self._memory), self._length)
        sums = [sum(cells) for cells in zip(*(self._memory[n : n + self._length] for n in starts), strict=True)]
        return {name: sums[metric.first : metric.first + metric.length] for name, metric in self.metrics.items()}


#: The metrics of the modules of this service.
REGISTRY = Registry()


class _Metric:
    """`text` says what the metric counts, with its unit. `labels`: each label with all its values. `width`: cells of one combination."""

    def __init__(self, name: str, text: str, width: int, labels: Mapping[str, Sequence[str]]) -> None:
        self.name, self.text, self.width, self.labels = name, text, width, labels
        self.places = {values: width * n for n, values in enumerate(itertools.product(*labels.values()))}
        self.length = width * len(self.places)
        self.first = 0
        self.cells: memoryview[float] = memoryview(bytearray(self.length * CELL_BYTES)).cast("d")
        self._lock = threading.Lock()

    def move(self, cells: "memoryview[float]") -> None:
        with self._lock:
            for n, counted in enumerate(self.cells):
                cells[n] += counted
            self.cells = cells

    def rows(self, totals: Sequence[float]) -> Iterator[tuple[dict[str, str], Sequence[float]]]:
        """The labels and cells of each combination that was counted. A metric without labels is always included."""
        for values, place in self.places.items():
            cells = totals[place : place + self.width]
            if any(cells) or not values:
                yield dict(zip(self.labels, values, strict=True)), cells


class Counter(_Metric):
    """A number that only grows."""

    def __init__(self, name: str, text: str, registry: Registry = REGISTRY, **labels: Sequence[str]) -> None:
        super().__init__(name, text, 1, labels)
        registry.metrics[name] = self

    def add(self, amount: float, *values: str) -> None:
        """`values`: those of the labels, in their order."""
        with self._lock:
            self.cells[self.places[values]] += amount


class Histogram(_Metric):
    """The number of observed values up to each bound. Cells: one for each bound, one for larger values, and the sum of the values."""

    def __init__(
        self,
        name: str,
        text: str,
        bounds: Sequence[float] = SECONDS,
        registry: Registry = REGISTRY,
        **labels: Sequence[str],
    ) -> None:
        self.bounds = (*bounds, math.inf)
        super().__init__(name, text, len(self.bounds) + 1, labels)
        registry.metrics[name] = self

    def observe(self, value: float, *values: str) -> None:
        """`values`: those of the labels, in their order."""
        place = self.places[values]
        with self._lock:
            self.cells[place + bisect.bisect_left(self.bounds, value)] += 1
            self.cells[place + self.width - 1] += value

"""What several processes count is one sum, in the format that Prometheus reads."""

import multiprocessing
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from landbridge.telemetry import exposition, shared_metrics


def _registry() -> tuple[shared_metrics.Registry, shared_metrics.Counter, shared_metrics.Histogram]:
    registry = shared_metrics.Registry()
    asked = shared_metrics.Counter("asked_total", "Requests.", registry, code=("2xx", "4xx"))
    took = shared_metrics.Histogram("took_seconds", "Seconds.", (0.1, 1.0), registry)
    return registry, asked, took


def _samples(registry: shared_metrics.Registry) -> dict[tuple[str, tuple[str, ...]], float]:
    families = text_string_to_metric_families("".join(exposition.counted(registry)))
    return {(one.name, tuple(one.labels.values())): one.value for family in families for one in family.samples}


def test_a_histogram_has_each_value_in_every_bucket_that_is_wide_enough():
    registry, _, took = _registry()
    for value in (0.05, 0.1, 0.5, 7.0):
        took.observe(value)
    found = _samples(registry)
    buckets = {bound: found["took_seconds_bucket", (bound,)] for bound in ("0.1", "1", "+Inf")}
    assert buckets == {"0.1": 2, "1": 3, "+Inf": 4}
    assert (found["took_seconds_sum", ()], found["took_seconds_count", ()]) == (7.65, 4)


def test_labels_that_never_counted_have_no_series_and_a_metric_without_labels_begins_at_0():
    registry, asked, _ = _registry()
    asked.add(1, "4xx")
    found = _samples(registry)
    assert [key for key in found if key[0] == "asked_total"] == [("asked_total", ("4xx",))]
    assert found["took_seconds_count", ()] == 0


def test_a_value_of_a_label_that_is_not_known_is_refused():
    _, asked, _ = _registry()
    with pytest.raises(KeyError):
        asked.add(1, "5xx")


def _count_beside(file: int, number: int, times: int) -> None:
    registry, asked, took = _registry()
    asked.add(1, "2xx")  # before it joins
    registry.join(file, number)
    for _ in range(times):
        asked.add(1, "2xx")
        took.observe(0.5)


@pytest.mark.process
def test_processes_count_into_one_sum_and_one_that_is_replaced_counts_on():
    registry, asked, _ = _registry()
    asked.add(10, "2xx")
    file = registry.share(3)
    context = multiprocessing.get_context("fork")
    for number in (1, 2, 1):  # the third takes the place of the first
        beside = context.Process(target=_count_beside, args=(file, number, 100))
        beside.start()
        beside.join()
    asked.add(1, "2xx")
    found = _samples(registry)
    assert found["asked_total", ("2xx",)] == 11 + 3 * 101
    assert found["took_seconds_count", ()] == 300


def test_threads_of_a_process_lose_no_count():
    registry, asked, _ = _registry()

    def count() -> None:
        for _ in range(5000):
            asked.add(1, "2xx")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert _samples(registry)["asked_total", ("2xx",)] == 20000


@pytest.mark.parametrize("value", ['a "quoted" one', "back\\slash", "two\nlines", "größer {x}"])
def test_a_label_has_any_text(value: str):
    line = f"a{exposition.labels({'name': value})} 1\n"
    (family,) = text_string_to_metric_families(line)
    assert family.samples[0].labels == {"name": value}


def test_numbers_keep_their_digits():
    assert [exposition.number(value) for value in (3, 1_796_021_103.123, 2**48, 0.25, float("inf"))] == [
        "3",
        "1796021103.123",
        "281474976710656",
        "0.25",
        "+Inf",
    ]

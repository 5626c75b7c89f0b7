"""Charts of what a connection carried and of its echoes. Pure.

A chart is WIDTH by HEIGHT units, stretched to the width of the page; its texts stand beside it. A value holds for a whole slot, so a line has a step at
each slot, and a break where nothing is known.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from landbridge.model.samples import EchoSample
from landbridge.operations.traffic_series import Point, Series

WIDTH, HEIGHT = 600, 100
_BIT_UNITS = ("bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s")

Value = Callable[[Point], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a chart."""

    #: The name in the legend.
    name: str
    #: The path of the drawing; empty without a value.
    path: str
    #: The area between the least and the greatest value.
    area: str = ""
    #: Distinguishes the second line from the first one.
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart."""

    id: str
    title: str
    lines: Sequence[Line] = ()
    #: The label of the top of the vertical axis, which begins at 0.
    top: str = ""
    #: The label of its middle.
    middle: str = ""
    #: The chart in a sentence.
    summary: str = ""
    #: Why the chart is empty.
    missing: str = ""
    #: Whether echoes through the tunnel (NQA) would fill it, and are off.
    lacks_nqa: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRow:
    """A slot in the table."""

    at: str
    up: str
    bits_in: str
    bits_out: str
    lost: str
    rtt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """`down`: where the tunnel was down, `gaps`: where nobody looked: (x, width) of the bands of all charts. `times`: labels of the horizontal axis."""

    last: str
    charts: Sequence[Chart]
    down: Sequence[tuple[str, str]]
    gaps: Sequence[tuple[str, str]]
    times: Sequence[str]
    rows: Sequence[SlotRow]


def draw(series: Series) -> Charts:
    observed_points = [point for point in series.points if point.sample.observed]
    return Charts(
        last=series.ring.name,
        charts=(_throughput(series), _loss(series), _rtt(series)),
        down=_bands(series, lambda point: point.sample.up < point.sample.observed),
        gaps=_gaps(series),
        times=_times(series),
        rows=[_row(series, point) for point in reversed(observed_points)],
    )


# -- the three charts -------------------------------------------------------------------------------------------------


def _throughput(series: Series) -> Chart:
    known = [point for point in series.points if point.bits_in is not None]
    title = "Throughput"
    if not known:
        return Chart(
            id="throughput",
            title=title,
            missing="No samples yet. They are written once a minute while the agent looks at the tunnel.",
        )
    top = _ceiling(max(max(point.bits_in or 0, point.bits_out or 0) for point in known), 1000.0)
    summary = " ".join(
        f"{name} on average {_bits(_mean(known, value_of))}, at most {_bits(max(value_of(point) or 0 for point in known))}."
        for name, value_of in (("In", _bits_in), ("Out", _bits_out))
    )
    return Chart(
        id="throughput",
        title=title,
        lines=(
            Line(name="in", path=_path(series, _bits_in, top)),
            Line(name="out", path=_path(series, _bits_out, top), dashed=True),
        ),
        top=_bits(top),
        middle=_bits(top / 2),
        summary=summary,
    )


def _bits_in(point: Point) -> float | None:
    return point.bits_in


def _bits_out(point: Point) -> float | None:
    return point.bits_out


def _mean(known: Sequence[Point], value_of: Value) -> float:
    """Over the observed time."""
    return sum((value_of(point) or 0) * point.sample.observed for point in known) / sum(
        point.sample.observed for point in known
    )


def _loss(series: Series) -> Chart:
    kinds = _kinds(series)
    if not kinds:
        return Chart(id="loss", title="Loss", missing=_unprobed(series), lacks_nqa=_lacks_nqa(series))
    top = min(100.0, _ceiling(max(_lost(echoes) for _, value_of in kinds for echoes in _of(series, value_of)), 1.0))
    return Chart(
        id="loss",
        title="Loss",
        lines=[
            Line(name=name, path=_path(series, _percent(value_of), top), dashed=name == "monitor")
            for name, value_of in kinds
        ],
        top=f"{top:.3g} %",
        middle=f"{top / 2:.3g} %",
        summary=" ".join(_summary_of_loss(name, list(_of(series, value_of))) for name, value_of in kinds),
    )


def _summary_of_loss(name: str, echoes: Sequence[EchoSample]) -> str:
    sent, lost = sum(sample.sent for sample in echoes), sum(sample.lost for sample in echoes)
    return (
        f"{name}: {lost} of {sent} echoes lost ({lost / sent:.1%}), at most {max(map(_lost, echoes)):.1f} % in a slot."
    )


def _rtt(series: Series) -> Chart:
    kinds = [
        (name, value_of)
        for name, value_of in _kinds(series)
        if any(echoes.rtt_max is not None for echoes in _of(series, value_of))
    ]
    if not kinds:
        if _kinds(series):
            return Chart(id="rtt", title="Round-trip time", missing="No echo was answered in this time.")
        return Chart(id="rtt", title="Round-trip time", missing=_unprobed(series), lacks_nqa=_lacks_nqa(series))
    top = _ceiling(max((echoes.rtt_max or 0) / 1000 for _, value_of in kinds for echoes in _of(series, value_of)), 1.0)
    return Chart(
        id="rtt",
        title="Round-trip time",
        lines=[
            Line(
                name=name,
                path=_path(series, lambda point, value_of=value_of: _milliseconds(value_of(point)), top),  # type: ignore[misc]
                area=_area(series, value_of, top) if name == "NQA" or len(kinds) == 1 else "",
                dashed=name == "monitor",
            )
            for name, value_of in kinds
        ],
        top=f"{top:g} ms",
        middle=f"{top / 2:g} ms",
        summary=" ".join(
            _summary_of_rtt(name, [echoes for echoes in _of(series, value_of) if echoes.rtt_max is not None])
            for name, value_of in kinds
        ),
    )


def _summary_of_rtt(name: str, answered: Sequence[EchoSample]) -> str:
    average = (
        sum(echoes.rtt_total for echoes in answered) / sum(echoes.sent - echoes.lost for echoes in answered) / 1000
    )
    least, most = (
        min(echoes.rtt_min or 0 for echoes in answered) / 1000,
        max(echoes.rtt_max or 0 for echoes in answered) / 1000,
    )
    return f"{name}: {least:.1f} to {most:.1f} ms, on average {average:.1f} ms."


Echoes = Callable[[Point], EchoSample | None]


def _kinds(series: Series) -> list[tuple[str, Echoes]]:
    """(name, echoes of a slot) of the kinds of echoes that were sent."""
    kinds: tuple[tuple[str, Echoes], ...] = (
        ("NQA", lambda point: point.sample.nqa),
        ("monitor", lambda point: point.sample.monitor),
    )
    return [(name, value_of) for name, value_of in kinds if any(_of(series, value_of))]


def _of(series: Series, value_of: Echoes) -> Iterator[EchoSample]:
    return (echoes for point in series.points if (echoes := value_of(point)) is not None)


def _lost(echoes: EchoSample) -> float:
    """In per cent."""
    return 100 * echoes.lost / echoes.sent


def _percent(value_of: Echoes) -> Value:
    return lambda point: None if (echoes := value_of(point)) is None else _lost(echoes)


def _milliseconds(echoes: EchoSample | None) -> float | None:
    average = echoes.rtt_average if echoes is not None else None
    return None if average is None else average / 1000


def _lacks_nqa(series: Series) -> bool:
    connection = series.connection
    return connection.style == "static" and not connection.enable_nqa and connection.monitor_id is None


def _unprobed(series: Series) -> str:
    connection = series.connection
    if connection.enable_nqa or connection.monitor_id is not None:
        return "No echo was sent in this time."
    name = connection.name
    through = (
        f"Echoes through the tunnel: landbridge connection update {name} --nqa. "
        if connection.style == "static"
        else ""
    )
    return f"This path is not probed. {through}Echoes outside of the tunnel: landbridge monitor create {name}."


# -- drawing ----------------------------------------------------------------------------------------------------------


def _x(series: Series, at: datetime) -> float:
    return WIDTH * ((at - series.since) / (series.until - series.since))


def _slots(series: Series, points: Iterable[Point]) -> Iterator[list[Point]]:
    """Points whose slots follow each other without a break."""
    run: list[Point] = []
    for point in points:
        if run and point.at - run[-1].at != timedelta(seconds=series.ring.seconds):
            yield run
            run = []
        run.append(point)
    if run:
        yield run


def _path(series: Series, value: Value, top: float) -> str:
    """A step line over the slots that have a value."""
    width = WIDTH / series.ring.slots
    drawn = []
    for run in _slots(series, (point for point in series.points if value(point) is not None)):
        x = _x(series, run[0].at)
        drawn.append(f"M{x:.1f} {_y(value(run[0]), top)}h{width:.1f}")
        drawn += [f"V{_y(value(point), top)}H{_x(series, point.at) + width:.1f}" for point in run[1:]]
    return "".join(drawn)


def _area(series: Series, value_of: Echoes, top: float) -> str:
    """From the shortest to the longest round-trip time of each slot."""
    width = WIDTH / series.ring.slots
    return "".join(
        f"M{_x(series, point.at):.1f} {_y(echoes.rtt_min / 1000, top)}h{width:.1f}V{_y(echoes.rtt_max / 1000, top)}h-{width:.1f}z"
        for point in series.points
        if (echoes := value_of(point)) is not None and echoes.rtt_min is not None and echoes.rtt_max is not None
    )


def _y(value: float | None, top: float) -> str:
    return f"{HEIGHT * (1 - min(1.0, (value or 0) / top)):.1f}"


def _bands(series: Series, is_part: Callable[[Point], bool]) -> list[tuple[str, str]]:
    width = WIDTH / series.ring.slots
    runs = _slots(series, (point for point in series.points if point.sample.observed and is_part(point)))
    return [(f"{_x(series, run[0].at):.1f}", f"{width * len(run):.1f}") for run in runs]


def _gaps(series: Series) -> list[tuple[str, str]]:
    """The gaps after the first sample. The slots after the newest one are not written yet."""
    step = timedelta(seconds=series.ring.seconds)
    runs = list(_slots(series, (point for point in series.points if point.sample.observed)))
    return [
        (f"{_x(series, before[-1].at + step):.1f}", f"{_x(series, after[0].at) - _x(series, before[-1].at + step):.1f}")
        for before, after in itertools.pairwise(runs)
    ]


def _ceiling(most: float, least: float) -> float:
    """The top of an axis: 1, 2 or 5 times a power of ten."""
    most = max(most, least)
    power = 10.0 ** math.floor(math.log10(most))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= most * (1 - 1e-9)))


def _times(series: Series) -> list[str]:
    middle = series.since + (series.until - series.since) / 2
    form = "%-d %b" if series.ring.name == "month" else "%H:%M"
    return [f"{at:{form}}" for at in (series.since, middle, series.until)]


def _bits(rate: float) -> str:
    for unit in _BIT_UNITS[:-1]:
        if rate < 999.5:
            return f"{rate:.3g} {unit}"
        rate /= 1000
    return f"{rate:.3g} {_BIT_UNITS[-1]}"


def _row(series: Series, point: Point) -> SlotRow:
    echoes = point.sample.nqa or point.sample.monitor
    average = _milliseconds(echoes)
    return SlotRow(
        at=f"{point.at:{'%-d %b %H:%M' if series.ring.name != 'hour' else '%H:%M'}}",
        up=f"{point.sample.up / point.sample.observed:.0%}",
        bits_in=_bits(point.bits_in or 0),
        bits_out=_bits(point.bits_out or 0),
        lost=f"{_lost(echoes):.1f} %" if echoes else "",
        rtt=f"{average:.1f} ms" if average is not None else "",
    )

"""What a connection carried over time, on the wire (an extension of ours)."""

from datetime import datetime
from typing import Any, get_args

from pydantic import Field

from landbridge.model.samples import EchoSample, Ring, RingName, Sample
from landbridge.wire import parameters, schema, shapes

QUERY = (parameters.choice("last", "the time that is asked for; hour when it is absent", get_args(RingName)),)


class EchoSampleAnswer(schema.Answer):
    """Echoes of a slot."""

    sent: int
    lost: int
    rtt_min_ms: float | None = Field(None, description="round-trip times in milliseconds; absent without an answer")
    rtt_average_ms: float | None = None
    rtt_max_ms: float | None = None


class SampleAnswer(schema.Answer):
    """A slot that the engine looked at. A slot that is not in the list was not looked at: what it carried is not known."""

    at: str = Field(description="when the slot begins")
    observed_seconds: float = Field(
        description="the part of the slot that lies between two observations; the other values are of it alone"
    )
    up_seconds: float = Field(description="the part of the observed time in which the tunnel was up")
    bytes_in: int = Field(description="bytes that came out of the tunnel")
    bytes_out: int = Field(description="bytes that went into the tunnel")
    bits_per_second_in: int | None = Field(
        None, description="average of the observed time; absent where nothing was observed"
    )
    bits_per_second_out: int | None = None
    nqa: EchoSampleAnswer | None = Field(
        None, description="echoes through the tunnel (enable_nqa); absent where none were sent"
    )
    monitor: EchoSampleAnswer | None = Field(
        None, description="echoes outside of the tunnel (connection monitor); absent where none were sent"
    )


class TrafficAnswer(schema.Answer):
    """Slots of one length, oldest first."""

    last: str = Field(json_schema_extra={"enum": list(get_args(RingName))})
    slot_seconds: int = Field(description="the length of a slot")
    since: str = Field(description="when the oldest slot begins, with or without a sample")
    until: str = Field(description="when the newest slot ends")
    samples: list[SampleAnswer]


class Traffic(schema.Answer):
    traffic: TrafficAnswer
    request_id: str


def traffic(ring: Ring, since: datetime, until: datetime, samples: list[dict[str, Any]]) -> dict[str, Any]:
    """`samples`: what `sample` made of each slot."""
    return {
        "last": ring.name,
        "slot_seconds": ring.seconds,
        "since": shapes.time(since),
        "until": shapes.time(until),
        "samples": samples,
    }


def sample(at: datetime, sample: Sample, bits_in: float | None, bits_out: float | None) -> dict[str, Any]:
    return shapes.without_none(
        at=shapes.time(at),
        observed_seconds=sample.observed / 1000,
        up_seconds=sample.up / 1000,
        bytes_in=sample.bytes_in,
        bytes_out=sample.bytes_out,
        bits_per_second_in=None if bits_in is None else round(bits_in),
        bits_per_second_out=None if bits_out is None else round(bits_out),
        nqa=None if sample.nqa is None else _echoes(sample.nqa),
        monitor=None if sample.monitor is None else _echoes(sample.monitor),
    )


def _echoes(echoes: EchoSample) -> dict[str, Any]:
    rtts = {"rtt_min_ms": echoes.rtt_min, "rtt_average_ms": echoes.rtt_average, "rtt_max_ms": echoes.rtt_max}
    return shapes.without_none(
        sent=echoes.sent,
        lost=echoes.lost,
        **{name: None if rtt is None else round(rtt / 1000, 3) for name, rtt in rtts.items()},
    )

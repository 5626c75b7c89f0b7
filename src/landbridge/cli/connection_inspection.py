"""The commands that inspect a connection: diagnosis, timeline, traffic, watch, probe, SAs, the device's configuration."""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from landbridge.cli import crud, remote
from landbridge.client import api, failures, output, resources, waiting
from landbridge.client.output import Cell, Id, Moment
from landbridge.client.resources import CONNECTION, GATEWAY

#: Times of `traffic`, as the API names them.
TIMES = ("hour", "day", "month")
#: Statuses of a connection, as the API names them, and the end of it.
STATUSES = ("PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE", "ACTIVE", "DOWN", "ERROR", "gone")
BARS = "▁▂▃▄▅▆▇█"
COLUMNS = ("NAME", "GATEWAY", "STATUS", "SINCE", "CAUSE", "REASON", "ID")


def rows(service: api.Api, connections: Sequence[dict[str, Any]]) -> list[tuple[Cell, ...]]:
    """Rows of connections, from our list with statuses."""
    gateways = resources.names(service, GATEWAY) if connections else {}
    return [
        (
            connection["name"],
            gateways.get(connection["vgw_id"], connection["vgw_id"]),
            connection["status"],
            Moment(connection.get("since", "")),
            connection.get("cause"),
            connection.get("reason"),
            Id(connection["id"]),
        )
        for connection in connections
    ]


@click.command("diagnose")
@remote.api_command
@remote.name_of(CONNECTION)
def diagnose(run: remote.CommandRun, name: str) -> None:
    """Say why a connection is in its state: cause, both sides' values, remedy, evidence, SAs."""
    answer = run.api.get(run.api.ours(CONNECTION.statuses, run.find(CONNECTION, name), "diagnosis"))
    run.show_fields(answer, list(_diagnosis(answer["diagnosis"])))


def _diagnosis(diagnosis: dict[str, Any]) -> Iterator[tuple[str, Cell]]:
    yield "status", diagnosis["status"]
    for key in ("seen_at", "not_seen_since", "paused_since"):
        yield key, Moment(diagnosis.get(key, ""))
    for number, cause in enumerate(diagnosis["causes"], 1):
        yield from _cause(f"cause {number}" if len(diagnosis["causes"]) > 1 else "cause", cause)
    if not diagnosis["causes"]:
        yield from ((key, diagnosis.get(key)) for key in ("reason", "remedy"))
        yield from _evidence(diagnosis)
    yield from (("warning", warning) for warning in diagnosis["warnings"])
    yield from ((key, diagnosis.get(key)) for key in ("ike_proposal", "local_id", "peer_id", "peer_address"))
    bgp = (f"{key}={value}" for key, value in crud.flat(diagnosis.get("bgp", {})) if value not in (None, ""))
    yield "bgp", " ".join(bgp)
    for sa in diagnosis["sas"]:
        subnets = f"{', '.join(sa['local_subnets'])} - {', '.join(sa['peer_subnets'])}"
        yield "sa", f"{subnets}: {sa['bytes_in']} bytes in, {sa['bytes_out']} out, {sa['proposal']}"


def _cause(label: str, cause: dict[str, Any]) -> Iterator[tuple[str, Cell]]:
    yield label, cause["code"] if cause["is_certain"] else f"{cause['code']} (possible)"
    for key, name in (("reason", "reason"), ("remedy", "remedy"), ("ours", "this connection"), ("theirs", "device")):
        yield name, cause.get(key)
    yield "differs", ", ".join(cause["differs"])
    yield "decides", cause.get("decides")
    yield from _evidence(cause)


def _evidence(diagnosis: dict[str, Any]) -> Iterator[tuple[str, Cell]]:
    return (("evidence", f"{line['at']} {line['line']}") for line in diagnosis["evidence"])


@click.command("timeline")
@remote.api_command
@remote.name_of(CONNECTION)
@click.option("--limit", type=click.IntRange(1, 200), default=50, help="How many entries (default 50).")
def timeline(run: remote.CommandRun, name: str, limit: int) -> None:
    """List what happened to a connection, newest first: attempts, statuses, probes, changes.

    Columns: time, kind, what.
    """
    path = run.api.ours(CONNECTION.statuses, run.find(CONNECTION, name), "timeline")
    answer = run.api.get(path, limit=limit)
    entries = answer["timeline"]
    run.show(
        answer, ("WHEN", "KIND", "WHAT"), lambda: [(_when(entry), entry["kind"], _what(entry)) for entry in entries]
    )


@click.command("traffic")
@remote.api_command
@remote.name_of(CONNECTION)
@click.option("--last", type=click.Choice(TIMES), default="hour", help="How far back (default hour).")
def traffic(run: remote.CommandRun, name: str, last: str) -> None:
    """Show what a connection carried, how many echoes were lost and their round-trip times, oldest first.

    Columns: begin of the slot (UTC), share of the time in which the tunnel was up, bits a second in and out, echoes lost, average round-trip time.
    A slot has 1 minute of the hour, 15 minutes of the day, 8 hours of the month. A slot that nobody looked at is missing. The echoes are those of
    NQA, or else those of the connection monitor (docs/reference/echoes.md).
    """
    path = run.api.ours(CONNECTION.statuses, run.find(CONNECTION, name), "traffic")
    answer = run.api.get(path, last=last)
    samples = answer["traffic"]["samples"]
    run.show(answer, ("BEGIN", "UP", "IN", "OUT", "LOST", "RTT"), lambda: [_sample(sample) for sample in samples])
    if run.form == "table" and samples and output.is_terminal():
        show_bars(answer["traffic"])


def show_bars(traffic: dict[str, Any]) -> None:
    """A line of bars for each direction, beside the table."""
    for way in ("in", "out"):
        rates = {sample["at"]: sample.get(f"bits_per_second_{way}", 0) for sample in traffic["samples"]}
        output.say(f"{way:3} {_bars(traffic, rates)} at most {_bits(max(rates.values()))}")


def _sample(sample: dict[str, Any]) -> tuple[Cell, ...]:
    echoes = sample.get("nqa") or sample.get("monitor") or {}
    rtt = echoes.get("rtt_average_ms")
    seconds = sample["observed_seconds"]
    return (
        sample["at"][:16].replace("T", " "),
        f"{sample['up_seconds'] / seconds:.0%}" if seconds else None,
        *(_bits(sample[f"bits_per_second_{way}"]) if seconds else None for way in ("in", "out")),
        f"{echoes['lost'] / echoes['sent']:.1%}" if echoes else None,
        f"{rtt:.1f} ms" if rtt is not None else None,
    )


def _bits(rate: float) -> str:
    for unit in ("bit/s", "kbit/s", "Mbit/s"):
        if rate < 1000:
            return f"{rate:.3g} {unit}"
        rate /= 1000
    return f"{rate:.3g} Gbit/s"


def _bars(traffic: dict[str, Any], rates: dict[str, float]) -> str:
    """A character for each slot, its height the rate; a space for one without a sample."""
    begin = datetime.fromisoformat(traffic["since"])
    most = max(rates.values()) or 1
    heights = {datetime.fromisoformat(at): BARS[round(rate / most * (len(BARS) - 1))] for at, rate in rates.items()}
    slots = round((datetime.fromisoformat(traffic["until"]) - begin).total_seconds() / traffic["slot_seconds"])
    return "".join(heights.get(begin + timedelta(seconds=n * traffic["slot_seconds"]), " ") for n in range(slots))


def _when(entry: dict[str, Any]) -> Moment:
    return Moment(entry.get("at") or entry["began_at"])


def _what(entry: dict[str, Any]) -> str:
    match entry["kind"]:
        case "attempt":
            count = f", {entry['count']} times" if entry.get("count", 1) > 1 else ""
            last = next((fact["text"] for fact in reversed(entry["facts"])), "")
            return f"{entry['outcome']}{count}, begun by {entry['began_by']}: {last}"
        case "change":
            return f"{entry['action']} by {entry['actor']}"
        case "probe":
            answers = ", ".join(f"{reply['ike_version']} {reply['outcome']}" for reply in entry.get("answers", []))
            return entry.get("failure") or answers or entry["state"]
        case kind:
            state = entry["status" if kind == "status" else "state"]
            return ", ".join(filter(None, (state, entry.get("cause"), entry.get("reason"))))


@click.command("watch")
@remote.api_command
@remote.name_of(CONNECTION, required=False)
@click.option("--interval", type=click.FloatRange(min=0.2), default=2.0, help="Seconds between two polls (default 2).")
def watch(run: remote.CommandRun, name: str | None, interval: float) -> None:
    """Show the statuses of connections as they change, until Ctrl-C.

    A terminal has a table that is drawn again. A pipe gets a line of JSON for each connection and then for each change: the connection as
    `connection list` has it, and `change` (present, changed, new or gone).
    """
    connection_id = run.find(CONNECTION, name) if name else None

    def poll() -> list[dict[str, Any]]:
        connections = resources.list_statuses(run.api, CONNECTION)
        return [connection for connection in connections if connection_id in (None, connection["id"])]

    if output.is_terminal() and run.form == "table":
        _redraw(run, poll, interval)
    else:
        _tell(poll, interval)


def _redraw(run: remote.CommandRun, poll: Any, interval: float) -> None:
    from rich.live import Live  # noqa: PLC0415

    def drawn() -> Any:
        return output.grid(COLUMNS, rows(run.api, poll()))

    with Live(drawn(), auto_refresh=False, screen=False) as live:
        while True:
            time.sleep(interval)
            live.update(drawn(), refresh=True)


def _tell(poll: Any, interval: float) -> None:
    before: dict[str, dict[str, Any]] | None = None
    while True:
        now = {connection["id"]: connection for connection in poll()}
        for change, connection in changes(before, now):
            sys.stdout.write(json.dumps({"change": change, **connection}, ensure_ascii=True) + "\n")
        sys.stdout.flush()
        before = now
        time.sleep(interval)


def changes(
    before: dict[str, dict[str, Any]] | None, now: dict[str, dict[str, Any]]
) -> Iterable[tuple[str, dict[str, Any]]]:
    """Returns what changed between two polls; `before` is None at the first."""
    if before is None:
        return [("present", connection) for connection in now.values()]
    removed = [("gone", connection) for key, connection in before.items() if key not in now]
    others = [
        ("changed" if key in before else "new", connection)
        for key, connection in now.items()
        if before.get(key) != connection
    ]
    return removed + others


@click.command("probe")
@remote.api_command
@remote.name_of(CONNECTION)
@click.option("--phase-2", is_flag=True, help="Ask for the ESP algorithms and selectors too.")
@click.option("--identity", is_flag=True, help="Ask for the id of the device.")
@click.option("--path", is_flag=True, help="Check which packet sizes pass a tunnel that is up; alone.")
@click.option("--last", is_flag=True, help="Order nothing: show the last probes.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="SECONDS", default=remote.WAIT_SECONDS, help="Default 120."
)
def probe(run: remote.CommandRun, name: str, last: bool, timeout: float, **choices: bool) -> None:
    """Ask the device of a connection which parameters it accepts, and wait for its answers (docs/reference/probing.md)."""
    path = run.api.ours(CONNECTION.statuses, run.find(CONNECTION, name), "probe")
    if not last:
        ordered = run.api.send("POST", path, {"probe": {key: value for key, value in choices.items() if value}})
        _wait_for_probe(run.api, name, path, ordered["probe"]["id"], timeout)
    answer = run.api.get(path)
    shown = answer["probes"] if last else answer["probes"][:1]
    run.show_fields(answer, [pair for probe_fields in shown for pair in crud.flat(probe_fields)])


def _wait_for_probe(service: api.Api, name: str, path: str, probe_id: str, timeout: float) -> None:
    def poll() -> waiting.Poll:
        recorded = next(recorded for recorded in service.get(path)["probes"] if recorded["id"] == probe_id)
        return waiting.Poll(f"probe {recorded['state']}", done=recorded["state"] == "done")

    waiting.until(name, poll, timeout)


@click.command("sas")
@remote.api_command
@remote.name_of(CONNECTION)
def sas(run: remote.CommandRun, name: str) -> None:
    """List the CHILD_SAs of a connection with their counters.

    Columns: our subnets, the device's subnets, packets and bytes that came in, packets and bytes that went out, when it was seen.
    """
    answer = run.api.get(run.api.v5(CONNECTION.path, run.find(CONNECTION, name), "ipsec-sa"))
    keys = ("source_ip_cidr", "dest_ip_cidr", "packets_recv", "traffic_recv", "packets_sent", "traffic_sent")
    run.show(
        answer,
        ("LOCAL", "PEER", "PACKETS IN", "BYTES IN", "PACKETS OUT", "BYTES OUT", "SEEN"),
        lambda: [(*(sa[key] for key in keys), Moment(sa["collected_at"])) for sa in answer["sa_infos"]],
    )


@click.command("peer-config")
@remote.api_command
@remote.name_of(CONNECTION, required=False)
@click.option("--vendor", metavar="VENDOR", help="The device's vendor, as --list has it (default strongSwan).")
@click.option("--type", "kind", metavar="TYPE", help="The device's series.")
@click.option("--model", metavar="MODEL", help="The device's model.")
@click.option("--version", metavar="VERSION", help="The version of its software.")
@click.option("--psk", is_flag=True, help="With the PSK in it; the audit trail keeps who asked.")
@click.option("--list", "lists", is_flag=True, help="List the devices that there are texts for.")
def peer_config(run: remote.CommandRun, name: str | None, lists: bool, psk: bool, **device: str | None) -> None:
    """Print the configuration for the other side's device.

    The paths of files are lines on standard error.
    """
    if lists or name is None:
        _list_devices(run)
        return
    filters = {("type" if key == "kind" else key): value for key, value in device.items() if value}
    path = run.api.ours(CONNECTION.statuses, run.find(CONNECTION, name), "peer-configuration")
    answer = crud.send(run, "POST", path, {"vendor": "strongSwan"} | filters, (), psk="show" if psk else None)
    if run.form != "table":
        output.document(answer, run.form)
        return
    for part in answer["peer_configuration"]["parts"]:
        if part.get("path"):
            output.say(f"{part['path']}:")
        sys.stdout.write(part["content"].rstrip("\n") + "\n")
        sys.stdout.flush()


def _list_devices(run: remote.CommandRun) -> None:
    answer = run.api.get(run.api.v5("peer-configuration", "supported-devices"))
    run.show(
        answer,
        ("VENDOR", "TYPE", "MODEL", "VERSION"),
        lambda: [
            tuple(device[key] for key in ("vendor", "type", "model", "version"))
            for device in answer["supported_devices"]
        ],
    )


@click.command("wait")
@remote.api_command
@remote.name_of(CONNECTION)
@click.option(
    "--for",
    "wanted",
    type=click.Choice(STATUSES),
    metavar="STATUS",
    default="ACTIVE",
    help="Such as DOWN, or gone (default ACTIVE).",
)
@remote.TIMEOUT
def wait(run: remote.CommandRun, name: str, wanted: str, timeout: float) -> None:
    """Wait until a connection has a status, also for a connection that does not exist yet.

    The command ends at once when the connection becomes ERROR, unless `--for ERROR`.
    """

    def poll() -> waiting.Poll:
        try:
            connection_id = run.find(CONNECTION, name)
            diagnosis = run.api.get(run.api.ours(CONNECTION.statuses, connection_id, "diagnosis"))["diagnosis"]
        except failures.NotFound:
            return waiting.Poll("gone" if wanted == "gone" else "not there yet", done=wanted == "gone")
        return waiting.diagnosed(diagnosis, wanted)

    waiting.until(name, poll, timeout)


@click.command("simulate")
@remote.api_command
@remote.name_of(CONNECTION)
@click.argument("state", metavar="STATE")
def simulate(run: remote.CommandRun, name: str, state: str) -> None:
    """Set the state that the simulated engine shows: active, down, down:psk … (docs/how-to/test-your-code-without-a-cloud.md).

    STATE none makes the tunnel an ordinary one again.
    """
    path = run.api.ours("simulate", CONNECTION.statuses, run.find(CONNECTION, name))
    crud.send(run, "POST", path, {"simulate": {"state": None if state == "none" else state}}, ())


COMMANDS = (diagnose, timeline, traffic, watch, wait, probe, sas, peer_config, simulate)

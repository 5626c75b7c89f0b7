"""`landbridge monitor`: connection monitors."""

import click

from landbridge.cli import crud, remote
from landbridge.client import failures, output, resources
from landbridge.client.resources import CONNECTION

_PATH, _ENVELOPE = "connection-monitors", "connection_monitor"


@click.group
def monitor() -> None:
    """Connection monitors: echoes from an endpoint to the device, outside of the tunnel. A monitor is named by its connection."""


@monitor.command("list")
@remote.api_command
def _list(run: remote.CommandRun) -> None:
    """List the connection monitors.

    Columns: connection, status, source, destination, id.
    """
    answer = run.api.get(run.api.v5(_PATH))
    names = resources.names(run.api, CONNECTION) if run.form == "table" else {}
    run.show(
        answer,
        ("CONNECTION", "STATUS", "SOURCE", "DESTINATION", "ID"),
        lambda: [
            (
                names.get(monitor["vpn_connection_id"], monitor["vpn_connection_id"]),
                monitor.get("status"),
                monitor["source_ip"],
                monitor.get("destination_ip"),
                output.Id(monitor["id"]),
            )
            for monitor in answer["connection_monitors"]
        ],
    )


@monitor.command("show")
@remote.api_command
@remote.name_of(CONNECTION, "connection")
def _show(run: remote.CommandRun, connection: str) -> None:
    """Show the monitor of a connection."""
    answer = run.api.get(run.api.v5(_PATH, _find(run, connection)))
    run.show_fields(answer, crud.flat(answer[_ENVELOPE]))


@monitor.command("create")
@remote.api_command
@remote.name_of(CONNECTION, "connection")
def _create(run: remote.CommandRun, connection: str) -> None:
    """Create the monitor of a connection, and print its id."""
    body = {_ENVELOPE: {"vpn_connection_id": run.find(CONNECTION, connection)}}
    answer = run.api.send("POST", run.api.v5(_PATH), body)
    if run.form == "table":
        print(answer[_ENVELOPE]["id"])
    else:
        output.document(answer, run.form)


@monitor.command("delete")
@remote.api_command
@remote.name_of(CONNECTION, "connection")
@remote.YES
def _delete(run: remote.CommandRun, connection: str, yes: bool) -> None:
    """Delete the monitor of a connection."""
    monitor_id = _find(run, connection)
    remote.confirm(f"Delete the monitor of connection {connection}?", yes=yes)
    run.api.send("DELETE", run.api.v5(_PATH, monitor_id))
    output.say(f"deleted the monitor of {connection}")


def _find(run: remote.CommandRun, given: str) -> str:
    """The id of the monitor of a connection, or of the monitor that has the id `given`."""
    monitors = run.api.get(run.api.v5(_PATH))["connection_monitors"]
    if given in {monitor["id"] for monitor in monitors}:
        return given
    connection_id = run.find(CONNECTION, given)
    for monitor in monitors:
        if monitor["vpn_connection_id"] == connection_id:
            return str(monitor["id"])
    raise failures.NotFound(f"connection {given} has no monitor")

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
@remote.asks
def _list(session: remote.Session) -> None:
    """List the connection monitors.

    Columns: connection, status, source, destination, id.
    """
    answer = session.api.get(session.api.v5(_PATH))
    names = resources.names(session.api, CONNECTION) if session.form == "table" else {}
    session.show(
        answer,
        ("CONNECTION", "STATUS", "SOURCE", "DESTINATION", "ID"),
        lambda: [
            (
                names.get(each["vpn_connection_id"], each["vpn_connection_id"]),
                each.get("status"),
                each["source_ip"],
                each.get("destination_ip"),
                output.Id(each["id"]),
            )
            for each in answer["connection_monitors"]
        ],
    )


@monitor.command("show")
@remote.asks
@remote.name_of(CONNECTION, "connection")
def _show(session: remote.Session, connection: str) -> None:
    """Show the monitor of a connection."""
    answer = session.api.get(session.api.v5(_PATH, _find(session, connection)))
    session.show_fields(answer, crud.flat(answer[_ENVELOPE]))


@monitor.command("create")
@remote.asks
@remote.name_of(CONNECTION, "connection")
def _create(session: remote.Session, connection: str) -> None:
    """Create the monitor of a connection, and print its id."""
    body = {_ENVELOPE: {"vpn_connection_id": session.find(CONNECTION, connection)}}
    answer = session.api.send("POST", session.api.v5(_PATH), body)
    if session.form == "table":
        print(answer[_ENVELOPE]["id"])
    else:
        output.document(answer, session.form)


@monitor.command("delete")
@remote.asks
@remote.name_of(CONNECTION, "connection")
@remote.YES
def _delete(session: remote.Session, connection: str, yes: bool) -> None:
    """Delete the monitor of a connection."""
    monitor_id = _find(session, connection)
    remote.is_agreed(f"Delete the monitor of connection {connection}?", yes=yes)
    session.api.send("DELETE", session.api.v5(_PATH, monitor_id))
    output.say(f"deleted the monitor of {connection}")


def _find(session: remote.Session, given: str) -> str:
    """The id of the monitor of a connection, or of the monitor that has the id `given`."""
    found = session.api.get(session.api.v5(_PATH))["connection_monitors"]
    if given in {each["id"] for each in found}:
        return given
    connection_id = session.find(CONNECTION, given)
    for each in found:
        if each["vpn_connection_id"] == connection_id:
            return str(each["id"])
    raise failures.NotFound(f"connection {given} has no monitor")

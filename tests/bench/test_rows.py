"""What the bench fills a data folder with is what the service reads."""

from pathlib import Path

from bench import rows
from lab import folder
from landbridge import data_folder, model
from landbridge.operations import clock
from landbridge.store import connection_states, observations


def _fill(path: Path) -> str:
    """A folder with one connection that a look has found; gives its gateway's id."""
    with data_folder.open_data(folder.settings(path)) as data:
        opened = folder.Folder(data, folder.settings(path))
        gateway = opened.gateway()
        connection_id = opened.connection(gateway)["id"]
        seen = model.Observation(
            gateway_id=gateway["id"],
            seen_at=clock.now(),
            exists=True,
            applied_generation=1,
            failure=None,
            present=frozenset({connection_id}),
            connections=(model.ConnectionObservation(connection_id=connection_id, applied_generation=1),),
        )
        data.database.write(lambda tx: observations.record(tx, seen))
        data.database.write(lambda tx: connection_states.note(tx, 1, seen.seen_at, "DOWN", "negotiating"))
        return str(gateway["id"])


def test_multiplied_rows_are_read_as_pages_of_connections(tmp_path: Path):
    gateway_id = _fill(tmp_path / "data")
    rows.multiply(tmp_path / "data", 60)
    with data_folder.open_data(folder.settings(tmp_path / "data")) as data:
        opened = folder.Folder(data, folder.settings(tmp_path / "data"))
        page = opened.ask("GET", f"vpn-connection?vgw_id={gateway_id}&limit=50").json()
        states = data.database.read(lambda tx: connection_states.last(tx, range(1, 61)))
        last = opened.ask("GET", f"vpn-connection/{page['vpn_connections'][-1]['id']}").json()["vpn_connection"]
    assert (len(page["vpn_connections"]), page["total_count"]) == (50, 60)
    assert {each["status"] for each in page["vpn_connections"]} == {"DOWN"}
    assert states == dict.fromkeys(range(1, 61), ("DOWN", "negotiating"))
    assert last == page["vpn_connections"][-1]


def test_a_page_begins_after_the_row_of_its_marker(tmp_path: Path):
    _fill(tmp_path / "data")
    rows.multiply(tmp_path / "data", 60)
    with data_folder.open_data(folder.settings(tmp_path / "data")) as data:
        opened = folder.Folder(data, folder.settings(tmp_path / "data"))
        ids = [each["id"] for each in opened.ask("GET", "vpn-connection?limit=60").json()["vpn_connections"]]
        found = []
        for marker in rows.markers(tmp_path / "data", opened.credentials["project_id"], (1, 20, 59)):
            page = opened.ask("GET", f"vpn-connection?limit=10&marker={marker}").json()
            found.append([each["id"] for each in page["vpn_connections"]])
    assert found == [ids[1:11], ids[20:30], ids[59:]]

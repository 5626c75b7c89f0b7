"""`landbridge pause` and `landbridge resume`: on the data folder, also while a server runs on it."""

from datetime import datetime
from types import SimpleNamespace

from landbridge import config, data_folder
from landbridge.operations import clock, pausing


def pause(settings: config.Settings, arguments: SimpleNamespace) -> None:
    with data_folder.open_data(settings, make=False) as data:
        since = data.database.write(lambda tx: pausing.pause(tx, _id(arguments), clock.now()))
    print(f"{_what(_id(arguments))} paused since {_moment(since)}; a cycle that has begun is finished")


def resume(settings: config.Settings, arguments: SimpleNamespace) -> None:
    with data_folder.open_data(settings, make=False) as data:
        data.database.write(lambda tx: pausing.resume(tx, _id(arguments), clock.now()))
        left = data.database.read(pausing.list_all)
    print(f"{_what(_id(arguments))} resumed")
    for gateway_id, since in sorted(left.items(), key=lambda pause: pause[1]):
        print(f"still paused: {_what(gateway_id)} since {_moment(since)}")


def _id(arguments: SimpleNamespace) -> str | None:
    return arguments.gateway_id.lower() if arguments.gateway_id else None


def _what(gateway_id: str | None) -> str:
    return f"gateway {gateway_id}" if gateway_id else "all gateways"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"

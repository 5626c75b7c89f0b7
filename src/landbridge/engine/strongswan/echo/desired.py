"""Which echoes the connections of a gateway need. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from landbridge import model
from landbridge.engine.strongswan.echo.state import Echoes
from landbridge.model import traffic_selectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """The path of a connection to its device. `peer`: the device's outer address, None while it is not known. `carries_inner`: an SA carries the
    inner addresses of the tunnel. `tunnel`: the interface of the tunnel.
    """

    peer: str | None
    carries_inner: bool
    tunnel: str


def has_nqa(connection: model.Connection) -> bool:
    return bool(connection.enable_nqa) and traffic_selectors.inner_addresses(connection) is not None


def has_echoes(connection: model.Connection) -> bool:
    return has_nqa(connection) or connection.monitor_id is not None


def echoes(desired: model.DesiredGateway, paths: Mapping[str, Path]) -> Iterator[Echoes]:
    """`paths`: by connection id, of the connections that the engine carries."""
    for spec in desired.connections:
        if (path := paths.get(spec.id)) is not None:
            yield from _nqa(spec, path)
            yield from _monitor(spec, path)


def _nqa(spec: model.DesiredConnection, path: Path) -> Iterator[Echoes]:
    """The echoes of NQA are bound to the tunnel. The routes of an inner address may lead elsewhere, and an unencrypted echo would prove
    nothing.
    """
    inner = traffic_selectors.inner_addresses(spec.connection)
    if has_nqa(spec.connection) and inner is not None and path.carries_inner:
        source, destination = (address.split("/")[0] for address in inner)
        yield Echoes(connection_id=spec.id, kind="nqa", source=source, destination=destination, device=path.tunnel)


def _monitor(spec: model.DesiredConnection, path: Path) -> Iterator[Echoes]:
    """The echoes of a monitor leave from the address of the endpoint in its namespace, to which a machine with attach = nat forwards."""
    if spec.connection.monitor_id is not None and path.peer is not None:
        yield Echoes(
            connection_id=spec.id, kind="monitor", source=spec.behind or spec.local_address, destination=path.peer
        )

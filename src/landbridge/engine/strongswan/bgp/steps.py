"""Steps that change what a gateway's BIRD is or runs. Pure data. Every step is idempotent, also after it was carried out in part."""

from dataclasses import dataclass

from landbridge.engine import base
from landbridge.engine.strongswan.bgp.configuration import BgpConfiguration


@dataclass(frozen=True, slots=True)
class StartBird(base.GatewayStep):
    """`died`: the BIRD before ended by itself, or does not answer; its routes stay in the kernel until the sessions are back."""

    configuration: BgpConfiguration
    died: bool = False

    def __str__(self) -> str:
        again = ": the one before died" if self.died else ""
        return f"start BIRD with {len(self.configuration.sessions)} BGP sessions{again}"


@dataclass(frozen=True, slots=True)
class ConfigureBird(base.GatewayStep):
    configuration: BgpConfiguration

    def __str__(self) -> str:
        return f"configure BIRD with {len(self.configuration.sessions)} BGP sessions"


@dataclass(frozen=True, slots=True)
class OpenSession:
    """Opens a session that was closed because its device announced too many prefixes. `name`: of its protocol in BIRD."""

    connection_id: str
    name: str

    def __str__(self) -> str:
        return f"open the BGP session {self.name} of connection {self.connection_id} again"


@dataclass(frozen=True, slots=True)
class StopBird(base.GatewayStep):
    def __str__(self) -> str:
        return "stop BIRD"


BgpStep = StartBird | ConfigureBird | OpenSession | StopBird


def concerned(step: object) -> tuple[str, ...]:
    """Ids of the connections that lack something when the step fails; all others go on without it."""
    if isinstance(step, StartBird | ConfigureBird):
        return tuple(session.connection_id for session in step.configuration.sessions)
    return ()

"""Steps that change charon or what it holds. A step is one change, with all values that the change needs.

Pure data. Invariant: what a step prints is safe in a log; a PSK is only ever held as `model.Secret`. Every step is idempotent, also after
it was carried out in part.
"""

from dataclasses import dataclass
from typing import Any

from landbridge import model
from landbridge.engine import base


@dataclass(frozen=True, slots=True)
class StartCharon(base.GatewayStep):
    """`restarts`: how many of them have been asked for by now. `died`: the charon before ended by itself, or does not
    answer.
    """

    plane: model.Plane
    restarts: int = 0
    died: bool = False

    def __str__(self) -> str:
        return f"start charon, {self.plane} data plane"


@dataclass(frozen=True, slots=True)
class StopCharon(base.GatewayStep):
    """`answers`: False for a charon that has not answered for a long time, and is killed."""

    answers: bool = True

    def __str__(self) -> str:
        return "stop charon" if self.answers else "kill charon, which does not answer"


@dataclass(frozen=True, slots=True)
class LoadSecret:
    connection_id: str
    secret_id: str
    owners: tuple[str, ...]
    psk: model.Secret

    def __str__(self) -> str:
        return f"load secret {self.secret_id}"


@dataclass(frozen=True, slots=True)
class UnloadSecret:
    connection_id: str
    secret_id: str

    def __str__(self) -> str:
        return f"unload secret {self.secret_id}"


@dataclass(frozen=True, slots=True)
class LoadConn:
    connection_id: str
    conn: dict[str, Any]

    def __str__(self) -> str:
        return f"load connection {self.connection_id} with {len(self.conn['children'])} children"


@dataclass(frozen=True, slots=True)
class UnloadConn:
    connection_id: str

    def __str__(self) -> str:
        return f"unload connection {self.connection_id}"


@dataclass(frozen=True, slots=True)
class TerminateIke:
    connection_id: str
    unique_id: str

    def __str__(self) -> str:
        return f"terminate IKE_SA {self.unique_id} of connection {self.connection_id}"


@dataclass(frozen=True, slots=True)
class Reauthenticate:
    """Makes a new IKE_SA with the key that is loaded, beside the old one, which goes when the new one stands."""

    connection_id: str
    unique_id: str

    def __str__(self) -> str:
        return f"authenticate IKE_SA {self.unique_id} of connection {self.connection_id} anew"


@dataclass(frozen=True, slots=True)
class RekeyChild:
    connection_id: str
    unique_id: str
    child: str

    def __str__(self) -> str:
        return f"rekey CHILD_SA {self.unique_id} {self.child}"


@dataclass(frozen=True, slots=True)
class ProveKey:
    """Begins an IKE_SA without children, of a connection of its own. The connection stays loaded as long as the IKE_SA: strongSwan 6.0 ends
    IKE_SAs without children when their connection is unloaded.
    """

    connection_id: str
    name: str
    conn: dict[str, Any]

    def __str__(self) -> str:
        return f"try the key of connection {self.connection_id}"


@dataclass(frozen=True, slots=True)
class AbandonIke:
    """Ends an IKE_SA whose device does not answer, without waiting for its answer to the DELETE."""

    connection_id: str
    unique_id: str

    def __str__(self) -> str:
        return f"end IKE_SA {self.unique_id} of connection {self.connection_id}: the device does not answer"


@dataclass(frozen=True, slots=True)
class TerminateChild:
    connection_id: str
    unique_id: str
    child: str

    def __str__(self) -> str:
        return f"terminate CHILD_SA {self.unique_id} {self.child}"


@dataclass(frozen=True, slots=True)
class Initiate:
    connection_id: str
    child: str

    def __str__(self) -> str:
        return f"initiate {self.child}"


#: A step that is one request to a running charon.
SingleRequest = (
    LoadSecret
    | UnloadSecret
    | LoadConn
    | UnloadConn
    | TerminateIke
    | AbandonIke
    | TerminateChild
    | Initiate
    | Reauthenticate
    | RekeyChild
)
#: A step that is requests to a running charon, carried out in their order.
CharonRequest = SingleRequest | ProveKey
IkeStep = StartCharon | StopCharon | CharonRequest

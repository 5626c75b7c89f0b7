"""What the engine keeps of one cycle for the next one: the target without its PSKs, while nothing that is desired changes."""

import dataclasses
import gc

import pytest

from lab import sites, specs
from landbridge import model
from landbridge.engine.strongswan.engine import StrongSwan

pytestmark = pytest.mark.tunnel
SPEC = specs.connection()
GATEWAY = specs.gateway()
#: A text that no other test and no constant of the interpreter holds.
PSK = "Kept-By-Nobody-{}"


@pytest.fixture(scope="module")
def engine():
    with sites.World() as world:
        yield StrongSwan(world.folder, world.site("vpc-1"))


def desired(**given: object):
    spec = dataclasses.replace(SPEC, psk=model.Secret(PSK.format(1)))
    return specs.desired(dataclasses.replace(spec, **given), of=GATEWAY)


def prepare(engine: StrongSwan, wanted: model.DesiredGateway | None, plane: model.Plane = "userland"):
    observed = dataclasses.replace(engine.observe(GATEWAY.id), plane=plane)
    return engine.prepare(GATEWAY.id, wanted, observed)


def test_what_charon_must_hold_is_worked_out_once_while_nothing_changes(engine: StrongSwan):
    first, again = (prepare(engine, desired()) for _ in range(2))
    assert first is not None
    assert again is not None
    assert again.configs is first.configs
    assert again.psks == {SPEC.id: model.Secret(PSK.format(1))}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"psk": model.Secret(PSK.format(2))}, id="PSK"),
        pytest.param({"peer_address": "198.51.100.77"}, id="address of the device"),
        pytest.param({"resets": 1}, id="reset"),
    ],
)
def test_a_change_is_worked_out_anew(engine: StrongSwan, change: dict[str, object]):
    before, after = prepare(engine, desired()), prepare(engine, desired(**change))
    assert before is not None
    assert after is not None
    assert after.desired == desired(**change)
    assert after.configs != before.configs


def test_another_data_plane_is_worked_out_anew(engine: StrongSwan):
    planes: tuple[model.Plane, ...] = ("userland", "kernel")
    assert [found.plane for plane in planes if (found := prepare(engine, desired(), plane))] == [*planes]


def test_no_psk_is_kept(engine: StrongSwan):
    """The engine has a fingerprint in its place."""
    prepare(engine, desired())
    gc.collect()
    held = [one.reveal() for one in gc.get_objects() if isinstance(one, model.Secret)]
    held += [one.psk.reveal() for one in gc.get_objects() if isinstance(one, model.DesiredConnection) and one.psk]
    assert PSK.format(1) not in held


def test_nothing_is_kept_of_a_gateway_that_goes(engine: StrongSwan):
    first = prepare(engine, desired())
    assert prepare(engine, None) is None
    again = prepare(engine, desired())
    assert first is not None
    assert again is not None
    assert again.configs is not first.configs

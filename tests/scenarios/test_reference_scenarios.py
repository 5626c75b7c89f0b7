"""Scenarios of strongSwan's own test suite, replayed through the public API. `make test-scenarios` runs all of them."""

from collections.abc import Iterator

import pytest

from lab import replay, replay_steps, scenarios

pytestmark = pytest.mark.tunnel


@pytest.fixture(scope="module")
def place() -> Iterator[replay.Place]:
    with replay.places(1) as [one]:
        yield one


@pytest.mark.parametrize("name", scenarios.FEW)
def test_what_the_original_checks_is_true(place: replay.Place, name: str):
    [scenario] = [one for one in scenarios.SCENARIOS if one.name == name]
    replay.run(place, scenario)


def test_a_tunnel_without_what_a_step_checks_fails(place: replay.Place):
    """An ordinary tunnel: its first CHILD_SA came with IKE_AUTH, no NAT gave it a port, and no line tells of either."""
    steps = (
        replay_steps.tunnels_are_up,
        _fails(replay_steps.child_has_a_key_exchange),
        _fails(replay_steps.peers_have_ports_of_their_own),
        _fails(replay_steps.device_log_has("initiating Aggressive Mode IKE_SA")),
    )
    replay.run(place, replay.Scenario(name="ordinary", shows="", steps=steps))


def _fails(step: replay.Step) -> replay.Step:
    def run(one: replay.Replay) -> None:
        with pytest.raises(AssertionError):
            step(one)

    return run

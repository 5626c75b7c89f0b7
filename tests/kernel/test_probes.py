"""A Libreswan is asked about phase 2 on the IKE_SA that is up, on a kernel with ESP: without ESP, Libreswan refuses each CHILD_SA by TS_UNACCEPTABLE."""

import dataclasses
import subprocess
from collections.abc import Iterator

import pytest

from lab import cycles, libreswan, sites, specs
from landbridge import model
from landbridge.engine.strongswan.engine import StrongSwan
from landbridge.engine.strongswan.ike import probe_sas
from landbridge.model import negotiation

pytestmark = [pytest.mark.tunnel, pytest.mark.timeout(900)]

PATIENCE = 300.0
V2 = specs.ike_policy()
V1 = specs.ike_policy(version="v1", negotiation_mode="main")
IN_V2 = {"ikev2": "insist", "ike": "aes128-sha2_256-dh15"}
IN_V1 = {"ikev2": "no", "ike": "aes128-sha2_256-modp3072"}
OTHER_ESP = {"esp": "aes256-sha2_512"}
OTHER_SUBNET = {"rightsubnet": "10.9.0.0/24"}


@pytest.fixture
def world() -> Iterator[sites.World]:
    with sites.World() as world:
        yield world


def ipsec_d(device: sites.Device, **given: str) -> dict[str, str]:
    words = {
        "left": device.address,
        "right": sites.EIPS[0],
        "leftsubnet": sites.LAN,
        "rightsubnet": sites.VPC,
        "authby": "secret",
        "auto": "add",
        **given,
    }
    lines = "\n".join(f"    {name}={value}" for name, value in words.items())
    return {"hq.conf": f"conn hq\n{lines}\n", "hq.secrets": f': PSK "{specs.PSK}"\n'}


def chosen(encryption: str, integrity: str | None, pfs: str) -> model.ProbePhase2:
    algorithms = negotiation.Proposal(
        encryption=(encryption,), integrity=(integrity,) if integrity else (), groups=(pfs,)
    )
    return model.ProbePhase2(outcome="chosen", proposal=algorithms)


OTHER = chosen("aes-256", "sha2-512", "group15")


@pytest.mark.parametrize(
    ("policy", "given", "answer"),
    [
        pytest.param(V2, IN_V2 | OTHER_ESP, OTHER, id="algorithms-v2"),
        pytest.param(V1, IN_V1 | OTHER_ESP, OTHER, id="algorithms-v1", marks=pytest.mark.long),
        pytest.param(
            V2,
            IN_V2 | OTHER_SUBNET,
            model.ProbePhase2(outcome="refused", notify="TS_UNACCEPTABLE"),
            id="subnets-v2",
            marks=pytest.mark.long,
        ),
        pytest.param(
            V1,
            IN_V1 | OTHER_SUBNET,
            model.ProbePhase2(outcome="refused", notify="INVALID_ID_INFORMATION"),
            id="subnets-v1",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_libreswan_is_asked_about_phase_2(
    world: sites.World,
    policy: model.IkePolicy,
    given: dict[str, str],
    answer: model.ProbePhase2,
    monkeypatch: pytest.MonkeyPatch,
):
    """In this slow machine, pluto needs more than the 8 seconds of a question to install a CHILD_SA. Its kernel must keep the SPI meanwhile."""
    monkeypatch.setattr(probe_sas, "QUESTION_TIMEOUT", 90)
    monkeypatch.setattr(probe_sas, "ANSWER_TIMEOUT", 120)
    engine = StrongSwan(world.folder, world.site("vpc-1"))
    device = world.add_device(bare=True)
    keep = "net.core.xfrm_acq_expires=600"
    subprocess.run(["ip", "netns", "exec", device.namespace, "sysctl", "--quiet", "--write", keep], check=True)
    pluto = libreswan.Pluto(device)
    gateway = specs.gateway()
    rules = (specs.policy(1, sites.VPC, sites.LAN),)
    refused = specs.connection(device.address, ike_policy=policy, style="policy", peer_subnets=None, policy_rules=rules)
    order = model.ProbeOrder(id="order", phase_2=True)

    def desired(spec: model.DesiredConnection) -> model.DesiredGateway:
        return specs.desired(spec, network=world.network("vpc-1"), of=gateway)

    try:
        pluto.start(ipsec_d(device, **given))
        cycles.until(
            engine,
            gateway.id,
            desired(refused),
            lambda seen: seen.connections and seen.connections[0].ike_established,
            seconds=PATIENCE,
        )
        ordered = desired(dataclasses.replace(refused, probe=order))
        seen = cycles.until(engine, gateway.id, ordered, lambda seen: seen.probes, seconds=PATIENCE)
        assert seen.probes[0].phase_2 == answer, f"{seen.probes[0]}\n{pluto.log()[-6000:]}"
    except TimeoutError as problem:
        raise AssertionError(pluto.log()[-6000:]) from problem
    finally:
        pluto.stop()
        engine.stop_all()

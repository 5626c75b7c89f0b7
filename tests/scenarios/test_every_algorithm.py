"""Every algorithm and every group of the API page, in IKE and in ESP, up with a ping across.

A device for each: an IKEv1 responder must choose a proposal by addresses alone.
"""

import threading
from typing import Any

import pytest

from lab import sites, turns, wishes
from landbridge import model
from landbridge.engine.strongswan.engine import StrongSwan

pytestmark = pytest.mark.tunnel

#: encryption, authentication, group, and what swanctl calls them in an IKE and in an ESP proposal
ROWS = (
    ("aes-128", "md5", "group1", "aes128-md5-modp768", "aes128-md5-modp768"),
    ("aes-192", "sha1", "group2", "aes192-sha1-modp1024", "aes192-sha1-modp1024"),
    ("aes-256", "sha2-256", "group5", "aes256-sha256-modp1536", "aes256-sha256-modp1536"),
    ("3des", "sha2-384", "group14", "3des-sha384-modp2048", "3des-sha384-modp2048"),
    ("aes-128-gcm-16", "sha2-512", "group15", "aes128gcm16-prfsha512-modp3072", "aes128gcm16-modp3072"),
    ("aes-256-gcm-16", "md5", "group16", "aes256gcm16-prfmd5-modp4096", "aes256gcm16-modp4096"),
    ("aes-128", "sha2-512", "group19", "aes128-sha512-ecp256", "aes128-sha512-ecp256"),
    ("aes-192", "sha2-256", "group20", "aes192-sha256-ecp384", "aes192-sha256-ecp384"),
    ("aes-256", "sha1", "group21", "aes256-sha1-ecp521", "aes256-sha1-ecp521"),
)
#: IKEv1 cannot negotiate GCM for itself: there the two rows have another IKE proposal.
V1_IKE = ("aes-256", "sha2-512", "aes256-sha512-")


def _lan(number: int) -> str:
    return f"192.168.{100 + number}.0/24"


def _tunnel(version: Any, number: int) -> sites.Tunnel:
    encryption, _, _, ike, esp = ROWS[number]
    if version == 1 and "gcm" in encryption:
        ike = V1_IKE[2] + ike.rsplit("-", maxsplit=1)[1]
    return sites.Tunnel(
        gateway=sites.EIPS[0],
        psk=wishes.PSK,
        name=f"row-{number}",
        version=version,
        proposals=ike,
        esp_proposals=esp,
        pairs=((_lan(number), sites.VPC),),
    )


def _connection(version: int, number: int, address: str) -> model.DesiredConnection:
    encryption, authentication, group, _, _ = ROWS[number]
    gcm_in_v1 = version == 1 and "gcm" in encryption
    ike = wishes.ike_policy(
        version=f"v{version}",
        negotiation_mode="main" if version == 1 else None,
        encryption_algorithm=V1_IKE[0] if gcm_in_v1 else encryption,
        authentication_algorithm=V1_IKE[1] if gcm_in_v1 else authentication,
        dh_group=group,
    )
    esp = wishes.ipsec_policy(encryption_algorithm=encryption, authentication_algorithm=authentication, pfs=group)
    return wishes.connection(address, peer_subnets=(_lan(number),), ike_policy=ike, ipsec_policy=esp)


@pytest.mark.parametrize("version", [1, 2])
def test_every_algorithm_and_group_carries_a_ping(version: int) -> None:
    numbers = range(len(ROWS))
    with sites.World() as world:
        devices = [world.add_device(_tunnel(version, n), lans=(_lan(n),)) for n in numbers]
        engine, stop = StrongSwan(world.folder, world.site("vpc-1")), threading.Event()
        gateway = wishes.gateway()
        wanted = [_connection(version, n, devices[n].address) for n in numbers]
        desired = wishes.desired(*wanted, network=world.network("vpc-1"), of=gateway)
        watcher = threading.Thread(target=engine.watch, args=(lambda _: None, stop))
        watcher.start()
        try:
            turns.until(engine, gateway.id, desired, turns.all_up, seconds=30)
            for n in numbers:
                host = _lan(n).replace(".0/24", ".10")
                sites.wait_for(lambda host=host: sites.ping(world.vpc_host, host), f"a ping with {ROWS[n]}")
        finally:
            stop.set()
            watcher.join()
            engine.stop_all()

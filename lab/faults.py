"""Injects faults into tunnels that are up or come up. Each function makes one fault, and records when it began."""

import contextlib
import subprocess
import time
from collections.abc import Callable

from lab import authority, sites, testbed

#: The inner addresses of a tunnel that is probed: the gateway's, and the device's.
INNER = ("169.254.70.1/32", "169.254.70.2/32")


def _table(rules: str) -> str:
    return f"table inet fault {{\n{rules}\n}}\n"


_ESP_IN = "chain input { type filter hook input priority -10; policy accept; udp dport 4500 @th,64,32 != 0 drop; }"
_ESP_OUT = "chain output { type filter hook output priority -10; policy accept; udp dport 4500 @th,64,32 != 0 drop; }"
_ALL = """chain input { type filter hook input priority -10; policy accept; udp dport { 500, 4500 } drop; }
chain output { type filter hook output priority -10; policy accept; udp dport { 500, 4500 } drop; }"""
_LONG_ESP = """chain input { type filter hook input priority -10; policy accept; udp dport 4500 meta length > 1200 drop; }
chain output { type filter hook output priority -10; policy accept; udp dport 4500 meta length > 1200 drop; }"""


def _wait_long_up(one: testbed.RunningCase) -> None:
    """Waits until the tunnel was up for so long that a later DELETE is no refusal of it."""
    one.wait_up()
    time.sleep(11)


def dies(one: testbed.RunningCase) -> None:
    """The device loses its power."""
    one.wait_up()
    one.device.stop(kill=True)
    one.firewall(_table(_ALL))
    one.now()


def path_is_cut(one: testbed.RunningCase) -> None:
    """No packets pass between both sides. Both daemons are running."""
    one.wait_up()
    one.firewall(_table(_ALL))
    one.now()


def stops(one: testbed.RunningCase) -> None:
    """The device's daemon is stopped, and sends a DELETE."""
    _wait_long_up(one)
    one.device.stop()
    one.firewall(_table(_ALL))
    one.now()


def is_disabled(one: testbed.RunningCase) -> None:
    """The administrator of the device removes the connection. The daemon keeps running."""
    _wait_long_up(one)
    one.device.load_text("connections {\n}\n")
    one.now()
    for _, unique_id, _ in one.device_sas():
        one.terminate(unique_id)


def changes_its_group(one: testbed.RunningCase) -> None:
    """The device gets another DH group, and its administrator ends the tunnel."""
    _wait_long_up(one)
    path = one.device.folder / "swanctl.conf"
    one.device.load_text(path.read_text().replace("modp3072", "modp2048"))
    one.now()
    for _, unique_id, _ in one.device_sas():
        one.terminate(unique_id)


def moves(one: testbed.RunningCase) -> None:
    """The device gets another outer address: it ends the tunnel, is silent at the old address, and dials from the new one."""
    _wait_long_up(one)
    text = (one.device.folder / "swanctl.conf").read_text()
    one.device.load_text(text.replace(f"local_addrs = {one.address}", f"local_addrs = {one.words['elsewhere']}"))
    one.now()
    for _, unique_id, _ in one.device_sas():
        one.terminate(unique_id)
    one.firewall(_table(f"chain input {{ type filter hook input priority 0; ip daddr {one.address} drop; }}"))
    one.keep(one.call, 2)


def deletes_at_once(one: testbed.RunningCase) -> None:
    """Something on the device ends every tunnel as soon as it is up: a script, a watchdog, a quota."""
    one.now()

    def end_all() -> None:
        for _, unique_id, children in one.device_sas():
            if children:
                one.terminate(unique_id)

    one.keep(end_all, 0.2)


def changes_its_esp(one: testbed.RunningCase) -> None:
    """The device gets other ESP algorithms while the tunnel is up. They take effect at a rekey."""
    one.wait_up()
    path = one.device.folder / "swanctl.conf"
    one.device.load_text(path.read_text().replace("esp_proposals = aes128-sha256", "esp_proposals = aes256-sha512"))
    one.now()


def gets_another_psk_from_us(one: testbed.RunningCase) -> None:
    """The PSK of the connection changes, and that of the device does not."""
    one.wait_up()
    one.now()
    one.update({"psk": "Another-Horse-8"})


def two_tunnels_replace_each_other(one: testbed.RunningCase) -> None:
    """The device has the connection twice, under two names."""
    one.wait_up()
    one.now()

    def call_the_missing() -> None:
        up = {name for name, _, _ in one.device_sas()}
        for name in ("hq", "copy"):
            if name not in up:
                one.device.swanctl("--initiate", "--ike", name, "--child", f"{name}-0", "--timeout", "2")

    def again() -> None:
        with contextlib.suppress(RuntimeError):
            call_the_missing()

    one.keep(again, 0.5)


def takes_the_tun_down(one: testbed.RunningCase) -> None:
    """Somebody sets the gateway's TUN down, so that charon cannot add the route of a new tunnel. Afterwards its routes are as before."""
    ip = ["ip", "-n", one.testbed.namespace]
    routes = subprocess.run([*ip, "route", "show", "table", "220"], check=True, capture_output=True, text=True).stdout

    def mend() -> None:
        subprocess.run([*ip, "link", "set", "ipsec0", "up"], check=True)
        for route in routes.splitlines():
            if "dev ipsec0" in route:
                subprocess.run([*ip, "route", "replace", *route.split(), "table", "220"], check=True)

    one.undo.callback(mend)
    subprocess.run([*ip, "link", "set", "ipsec0", "down"], check=True)


def pings_unanswered_host(one: testbed.RunningCase) -> None:
    """The host behind the device drops what comes to it."""
    one.wait_up()
    one.firewall(
        _table("chain input { type filter hook input priority 0; policy drop; }"),
        where=one.testbed.base.host,
    )
    one.now()
    one.keep_pinging(one.testbed.vpc_host, one.testbed.lan_host)


def pings_without_route(one: testbed.RunningCase) -> None:
    """The device forwards nothing from the tunnel into its LAN, and sends no ICMP error."""
    one.wait_up()
    one.firewall(_table("chain forward { type filter hook forward priority 0; policy drop; }"))
    one.now()
    one.keep_pinging(one.testbed.vpc_host, one.testbed.lan_host)


def pings_refused_by_the_device(one: testbed.RunningCase) -> None:
    """The device has no route to the host, and sends an ICMP error through the tunnel."""
    _rejects(one, "net-unreachable")


def pings_a_host_that_is_off(one: testbed.RunningCase) -> None:
    """The device finds no host, and sends the ICMP error that says so."""
    _rejects(one, "host-unreachable")


def pings_forbidden_by_the_device(one: testbed.RunningCase) -> None:
    """The device's firewall rejects the packets."""
    _rejects(one, "admin-prohibited")


def _rejects(one: testbed.RunningCase, error: str) -> None:
    one.wait_up()
    rules = (
        "chain forward { type filter hook forward priority 0; policy accept;"
        f" iifname != lan reject with icmp type {error}; }}"
    )
    one.firewall(_table(rules))
    one.now()
    one.keep_pinging(one.testbed.vpc_host, one.testbed.lan_host)


def loses_esp_to_the_device(one: testbed.RunningCase) -> None:
    """A firewall on the path accepts IKE and drops our ESP."""
    one.wait_up()
    one.firewall(_table(_ESP_IN))
    one.now()
    one.keep_pinging(one.testbed.vpc_host, one.testbed.lan_host)


def loses_esp_from_the_device(one: testbed.RunningCase) -> None:
    """The same with the device's ESP."""
    one.wait_up()
    one.firewall(_table(_ESP_OUT))
    one.now()
    one.keep_pinging(one.testbed.vpc_host, one.testbed.lan_host)


def our_host_is_silent(one: testbed.RunningCase) -> None:
    """Packets of the device come through the tunnel, and the host behind us does not answer."""
    one.wait_up()
    one.firewall(
        _table("chain input { type filter hook input priority 0; policy drop; }"),
        where=one.testbed.vpc_host,
    )
    one.now()
    one.keep_pinging(one.testbed.base.host, one.testbed.vpc_address)


def loses_long_packets(one: testbed.RunningCase) -> None:
    """The path drops packets of more than 1,200 bytes, and sends no ICMP error."""
    one.wait_up()
    one.firewall(_table(_LONG_ESP))
    one.now()
    one.keep_pinging(one.testbed.vpc_host, one.testbed.lan_host)
    one.keep_pinging(one.testbed.vpc_host, one.testbed.lan_host, size=1250)


def traffic_passes(one: testbed.RunningCase) -> None:
    """Packets pass in both directions. There is no fault."""
    one.wait_up()
    one.now()
    one.keep_pinging(one.testbed.vpc_host, one.testbed.lan_host)


def mends_the_psk(one: testbed.RunningCase) -> None:
    """The administrator of the device finds the typing error in the PSK, after it was refused for a while, and begins anew."""
    _wait_refused(one)
    path = one.device.folder / "swanctl.conf"
    one.device.load_text(path.read_text().replace("Another-Horse-8", testbed.PSK))
    with contextlib.suppress(RuntimeError):  # no attempt was under way
        one.device.swanctl("--terminate", "--ike", "hq", "--force")
    one.now()


def mends_the_encryption_here(one: testbed.RunningCase) -> None:
    """Somebody sets the connection's IKE policy to the device's, after it was refused for a while."""
    _wait_refused(one)
    one.update({"ikepolicy": {"encryption_algorithm": "aes-256"}})
    one.now()


def mends_the_psk_here_and_dies(one: testbed.RunningCase) -> None:
    """The PSK of the connection is set to the device's, and the device has no power any more."""
    _wait_refused(one)
    one.device.stop(kill=True)
    one.firewall(_table(_ALL))
    one.update({"psk": "Another-Horse-8"})
    one.now()


def _wait_refused(one: testbed.RunningCase) -> None:
    sites.wait_for(lambda: one.diagnosis().get("reason"), "the refusal to be told")
    time.sleep(5)


def has_the_inner_address(one: testbed.RunningCase) -> None:
    """The device has the address of its end of the tunnel."""
    ip = ["ip", "-n", one.device.namespace, "address"]
    subprocess.run([*ip, "add", INNER[1], "dev", "lo"], check=True)
    one.undo.callback(subprocess.run, [*ip, "delete", INNER[1], "dev", "lo"], check=True)


def drops_echoes_to(address: str) -> Callable[[testbed.RunningCase], None]:
    """The device's firewall drops ICMP echo requests to one of its addresses. `{device}` is the outer one."""

    def make(one: testbed.RunningCase) -> None:
        to = address.replace("{device}", one.address)
        rules = f"chain input {{ type filter hook input priority -5; policy accept; ip daddr {to} icmp type echo-request drop; }}"
        one.firewall(f"table inet silent {{\n{rules}\n}}\n")

    return make


def our_firewall_drops(one: testbed.RunningCase) -> None:
    """Somebody's rules in the gateway's namespace drop what charon sends."""
    rules = f"chain output {{ type filter hook output priority -10; policy accept; ip daddr {one.address} udp dport {{ 500, 4500 }} drop; }}"
    one.firewall(f"table inet operators {{\n{rules}\n}}\n", where=one.testbed.namespace)


def underlay_drops(one: testbed.RunningCase) -> None:
    """The machine's own firewall forwards nothing to the device."""
    rules = f"chain forward {{ type filter hook forward priority 0; policy accept; ip daddr {one.address} udp dport {{ 500, 4500 }} drop; }}"
    one.firewall(f"table inet operators {{\n{rules}\n}}\n", where=one.testbed.world.wan)


def drops(chain: str, matching: str) -> Callable[[testbed.RunningCase], None]:
    """A firewall before the device drops what comes to it (`input`) or what it sends (`output`)."""

    def make(one: testbed.RunningCase) -> None:
        rules = f"chain {chain} {{ type filter hook {chain} priority -5; policy accept; {matching} drop; }}"
        one.firewall(f"table inet dropping {{\n{rules}\n}}\n")

    return make


def masquerades(one: testbed.RunningCase) -> None:
    """The device has another address behind a NAT, whose outer address is the customer gateway's."""
    source, outer = one.words["elsewhere"], one.address
    rules = f"chain nat {{ type nat hook postrouting priority srcnat; ip saddr {source} snat to {outer}; }}"
    one.firewall(f"table ip natting {{\n{rules}\n}}\n")


def makes_a_certificate(one: testbed.RunningCase) -> None:
    """The device has a certificate of an authority that nobody here knows."""
    files = authority.Authority(one.device.folder).issue("device", host=one.address)
    for folder, path in (("x509", files.certificate), ("private", files.key)):
        (one.device.folder / folder).mkdir()
        path.rename(one.device.folder / folder / "device.pem")

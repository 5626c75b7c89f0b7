"""What users write is never obeyed by the device: quoted by its family, or refused by the field's name."""

import re
from typing import Any

import pytest

from lab import specs
from landbridge import errors, peerconfig

#: Each tries to end a string, a line or a block and to begin a statement of its own.
HOSTILE = (
    'Abcdefg1"\nEVIL',
    "Abcdefg1'\nEVIL",
    "Abcdefg1\nEVIL",
    "Abcdefg1\r\nEVIL",
    'Abcdefg1" } EVIL {',
    "Abcdefg1' EVIL '",
    "Abcdefg1; EVIL",
    "Abcdefg1 # EVIL",
    "Abcdefg1 ! EVIL",
    "Abcdefg1$(EVIL)",
    "Abcdefg1$[EVIL]",
    "Abcdefg1`EVIL`",
    "Abcdefg1\\",
    "Abcdefg1\x00EVIL",
    "Abcdefg1\u2028EVIL",
    "Abcdefg1ÄEVIL",
    "Abcdefg1\tEVIL",
    "Abcdefg1?",
    "%^%#Abcdefg1%^%#",
    "ENC Abcdefg1",
    "0xAbcdefg1",
    "0SAbcdefg1",
)
TAME = "Tame-Value-1"


def rendered(device: peerconfig.Device, side: peerconfig.DeviceSide):
    """The text, or the fields that are refused."""
    try:
        return str(peerconfig.render(device, side))
    except errors.Invalid as problem:
        return {violation.field for violation in problem.violations}


def test_a_psk_stays_in_its_place_or_is_refused(ike_device: peerconfig.Device, side: Any):
    tame_lines = rendered(ike_device, side(psk=TAME)).split("\n")
    [place] = [number for number, line in enumerate(tame_lines) if TAME in line]
    for psk in HOSTILE:
        text = rendered(ike_device, side(psk=psk))
        if text == {"psk"}:
            continue
        assert isinstance(text, str), psk
        lines = text.split("\n")
        assert lines[:place] + lines[place + 1 :] == tame_lines[:place] + tame_lines[place + 1 :], psk
        assert all(ord(" ") <= ord(sign) <= ord("~") for sign in lines[place]), psk


@pytest.mark.parametrize("end", ["peer_id", "local_id"])
def test_an_identity_stays_in_its_place_or_is_refused(ike_device: peerconfig.Device, side: Any, end: str):
    def policy(text: str) -> Any:
        return specs.ike_policy(**{f"{end}_type": "fqdn", end: text})

    tame_lines = rendered(ike_device, side(ike_policy=policy(TAME))).split("\n")
    for name in (*HOSTILE, "@#6162", "~x", "a@b", "c=d", "*", "#6162", "%any", "-x", "10.1.2.3"):
        text = rendered(ike_device, side(ike_policy=policy(name)))
        if text == {f"ikepolicy.{end}"}:
            continue
        assert isinstance(text, str), name
        assert len(text.split("\n")) == len(tame_lines), name
        for line, tame_line in zip(text.split("\n"), tame_lines, strict=True):
            assert line == tame_line or (TAME in tame_line and line.startswith(tame_line.split(TAME)[0])), name


def test_a_connections_name_is_told_and_never_obeyed(device: peerconfig.Device, side: Any):
    """It stands in the first line, a comment, and nowhere else."""
    style = "static" if device.id == "routeros" else "bgp"
    _, tame = rendered(device, side(name=TAME, style=style, plane="kernel")).split("\n", maxsplit=1)
    for name in HOSTILE:
        made = side(name=name, style=style, plane="kernel")
        first, rest = rendered(device, made).split("\n", maxsplit=1)
        assert re.fullmatch(r"[#!] .*: the other side of VPN connection [A-Za-z0-9_.?-]+", first, re.ASCII)
        assert rest == tame


class TestQuoting:
    def test_strongswan_escapes_quotes_and_backslashes(self, side: Any):
        text = rendered(peerconfig.find("strongswan"), side(psk='a"b\\c#d$e{'))
        assert 'secret = "a\\"b\\\\c#d$e{"\n' in text

    @pytest.mark.parametrize("psk", ["0xAbcd1234", "0sAbcd1234", "0XAbcd1234"])
    def test_strongswan_writes_in_hex_what_swanctl_would_decode(self, side: Any, psk: str):
        assert f"secret = 0x{psk.encode().hex()}\n" in rendered(peerconfig.find("strongswan"), side(psk=psk))

    def test_routeros_escapes_what_its_scripts_read(self, side: Any):
        assert r'secret="a\"b\\c\$d\?"' in rendered(peerconfig.find("routeros"), side(psk='a"b\\c$d?'))

    def test_vyos_refuses_what_its_strongswan_would_decode(self, side: Any):
        assert rendered(peerconfig.find("vyos"), side(psk="0sAbcd1234")) == {"psk"}

    def test_huawei_refuses_what_looks_like_a_cipher_text(self, side: Any):
        assert rendered(peerconfig.find("huawei-ar"), side(psk="%^%#Abcdefg1%^%#")) == {"psk"}

    def test_fortigate_refuses_what_it_would_replace(self, side: Any):
        assert rendered(peerconfig.find("fortigate"), side(psk="Abc$USERNAME1")) == {"psk"}


def test_every_sign_of_an_api_psk_reaches_most_devices(ike_device: peerconfig.Device, side: Any):
    """Cisco and Huawei read a word, so the space is refused there, and nothing else."""
    signs = "Aa1~!@#$%^()-_+={},./:;"
    assert isinstance(rendered(ike_device, side(psk=signs)), str)
    spaced = rendered(ike_device, side(psk=f"{signs} x"))
    assert (spaced == {"psk"}) == (ike_device.id in ("cisco-ios-xe", "huawei-ar"))


def test_without_a_psk_its_line_is_none_that_the_device_reads(ike_device: peerconfig.Device, side: Any):
    text = rendered(ike_device, side(psk=None))
    found = [line for line in text.split("\n") if peerconfig.PLACEHOLDER in line]
    assert len(found) == 2
    assert ike_device.format.startswith("A worksheet") or all(line.lstrip().startswith(("#", "!")) for line in found)
    assert specs.PSK not in text

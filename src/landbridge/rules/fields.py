"""Rules that several resources share: names, ids, CIDR lists, ASNs and tags."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from landbridge import model
from landbridge.model import allowed_values
from landbridge.rules import ipv4

_TAG_SPECIALS = frozenset(allowed_values.TAG_SPECIALS)
#: Blocks without devices and networks: this network, loopback, link-local, multicast and reserved (API: VPN.0204).
UNROUTABLE = tuple(map(ipv4.block, model.UNROUTABLE_NETS))
SUBNETS_ALLOWED = f"{allowed_values.SUBNETS} CIDR blocks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """The values that an operation generates for the rules: new ids, the time, four hex digits and candidates for a tunnel /30."""

    id: str
    now: datetime
    suffix: str
    other_ids: tuple[str, ...] = ()
    tunnel_blocks: tuple[int, ...] = ()


#: Field -> the fields whose rules depend on its value. While a field has a wrong shape, they are not checked.
DEPENDENT_FIELDS: Mapping[str, tuple[str, ...]] = {
    "style": ("peer_subnets", "tunnel_local_address", "tunnel_peer_address", "enable_nqa", "policy_rules"),
    "ikepolicy.ike_version": ("ikepolicy.encryption_algorithm",),
    "ikepolicy.local_id_type": ("ikepolicy.local_id",),
    "ikepolicy.peer_id_type": ("ikepolicy.peer_id",),
    "id_type": ("id_value", "ip"),
    "network_type": ("eip1", "eip2", "access_private_ip_1", "access_private_ip_2", "flavor"),
    "attachment_type": ("vpc_id", "er_id", "local_subnets", "flavor"),
    "flavor": ("eip1", "eip2"),
}


def merge(shape: Iterable[model.Violation], rules: Iterable[model.Violation]) -> list[model.Violation]:
    """One list of the wrong shapes and the violations of rules. A violation of a rule is left out when its field has a wrong
    shape, is inside or around such a field, or depends on such a field.
    """
    violations = list(shape)
    wrong = [place for v in violations for place in (v.field, *DEPENDENT_FIELDS.get(v.field, ()))]
    return violations + [v for v in rules if not any(_touch(v.field, place) for place in wrong)]


def _touch(first: str, other: str) -> bool:
    short, long = sorted((first, other), key=len)
    return short in ("", long) or (long.startswith(short) and long[len(short)] in ".[")


def check_value(
    path: str, value: str | int | None, allowed: allowed_values.Choice | allowed_values.Range, where: str = ""
) -> Iterator[model.Violation]:
    """`where`: the condition under which only these values are allowed, with a leading space."""
    if value is None or value in allowed:
        return
    if isinstance(allowed, allowed_values.Choice):
        yield model.Violation(path, f"{value!r} is not a known value{where}", str(allowed))
    else:
        yield model.Violation(path, f"{value} is out of range", str(allowed))


def check_name(path: str, name: str | None) -> Iterator[model.Violation]:
    if name is not None and name not in allowed_values.NAME:
        yield model.Violation(path, f"{name!r} is not a name", str(allowed_values.NAME))


def check_uuid(path: str, value: str | None, what: str) -> Iterator[model.Violation]:
    """Checks an id that is mandatory."""
    if value is None:
        yield model.Violation(path, "is mandatory", f"the id of {what}")
    elif value not in allowed_values.UUID:
        yield model.Violation(path, f"{value!r} is not an id", f"the id of {what}: {allowed_values.UUID}")


def lower_id(value: str | None) -> str | None:
    """An id as the store has it. None for a missing id and for a text that is no UUID."""
    return value.lower() if value is not None and value in allowed_values.UUID else None


def check_subnets(path: str, subnets: tuple[str, ...]) -> Iterator[model.Violation]:
    """Checks a list of subnets: its length, and that the blocks are different IPv4 CIDR blocks without host bits."""
    if len(subnets) not in allowed_values.SUBNETS:
        yield model.Violation(path, f"has {len(subnets)} entries", SUBNETS_ALLOWED)
        return
    seen: set[str] = set()
    for index, subnet in enumerate(subnets):
        place = f"{path}[{index}]"
        yield from check_cidr(place, subnet)
        if subnet in seen:
            yield model.Violation(place, f"{subnet} is given twice", "each block once")
        seen.add(subnet)


def check_cidr(path: str, subnet: str) -> Iterator[model.Violation]:
    parsed = ipv4.parse_block(subnet)
    if parsed is None:
        yield model.Violation(path, f"{subnet!r} is not an IPv4 CIDR block", "such as 192.168.44.0/24")
    elif parsed.has_host_bits:
        yield model.Violation(path, f"{subnet} has host bits set", f"its block is {parsed.network}")


def is_unroutable(block: ipv4.Block) -> bool:
    return any(reserved.contains(block) for reserved in UNROUTABLE)


def blocks(subnets: Iterable[str]) -> list[ipv4.Block]:
    """The blocks among `subnets`. Other texts are left out."""
    return [b for b in map(ipv4.parse_block, subnets) if b is not None]


def check_tags(path: str, tags: tuple[model.TagRequest, ...]) -> Iterator[model.Violation]:
    if len(tags) > allowed_values.TAG_LIMIT:
        yield model.Violation(path, f"has {len(tags)} entries", f"at most {allowed_values.TAG_LIMIT}")
        return
    seen: set[str] = set()
    for index, tag in enumerate(tags):
        place = f"{path}[{index}]"
        yield from _check_tag_text(f"{place}.key", tag.key, allowed_values.TAG_KEY_LENGTH)
        yield from _check_tag_text(f"{place}.value", tag.value, allowed_values.TAG_VALUE_LENGTH)
        if tag.key is not None and tag.key in seen:
            yield model.Violation(f"{place}.key", f"{tag.key!r} is given twice", "each key once")
        seen.add(tag.key or "")


def _check_tag_text(path: str, value: str | None, length: allowed_values.Range) -> Iterator[model.Violation]:
    allowed = f"{length} {allowed_values.TAG_TEXT}"
    if value is None:
        yield model.Violation(path, "is mandatory", allowed)
    elif len(value) not in length:
        yield model.Violation(path, f"has {len(value)} characters", allowed)
    elif wrong := sorted({c for c in value if not _is_tag_character(c)}):
        yield model.Violation(path, f"may not contain {' '.join(map(repr, wrong))}", allowed)


def _is_tag_character(character: str) -> bool:
    """Whether a tag may have the character: letters of any script, the marks that some scripts write letters with,
    decimal digits, and the specials.
    """
    return character in _TAG_SPECIALS or unicodedata.category(character)[0] in "LM" or character.isdecimal()


def tags(requested: tuple[model.TagRequest, ...] | None) -> tuple[model.Tag, ...]:
    return tuple(model.Tag(tag.key or "", tag.value or "") for tag in requested or ())

"""The OpenAPI document against the service, by schemathesis: thousands of requests that the document allows or forbids.

Nothing is a fault of ours, nothing that the document forbids is accepted, and what it allows is refused only for the reasons that
are listed here. The seed is fixed: the same document makes the same requests, but for those that follow an answer which comes by chance
(whether an upgrade was done already). So the reasons are all that any seed found, not only those of this one.
"""

import dataclasses
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis import engine
from schemathesis.engine import events

# With coverage the requests cost twice as much processor time, and other tests run the same lines.
pytestmark = [pytest.mark.timeout(600), pytest.mark.no_cover]
#: Requests of one operation that are made at random; those that try one thing at a time come besides.
EXAMPLES = 3
#: They succeed when they find what is wrong.
CHECKED = (
    "check_vpn_connection",
    "check_vpn_connection_update",
    "check_vgw",
    "check_vgw_update",
    "check_cgw",
    "check_cgw_update",
)
#: Each has the fields of another operation, where they are tried one at a time.
ALIKE = (
    "batch_create_vpn_connection",
    "count_resources_by_tags",
    "update_vgw",
    "update_vgw_certificate",
    "update_vpn_connection",
)
#: (what an answer says of a field, why the document does not say it). The patterns are searched in `field: message`.
REASONS = (
    # what is there
    (r": .* does not exist ", "another resource is named, which must be there"),
    (r": .* is not in the site file", "the site has it or has not"),
    (r": .* is not among the network's addresses for gateways ", "the site has it or has not"),
    (r": .* is not free ", "only one can have it"),
    (r": no address is free to choose from ", "only one can have it"),
    (r": .* is an (address of this service|endpoint of the gateway itself) ", "the site has it"),
    (r": .* is not a zone of this site ", "the site has it or has not"),
    (r": .* is not an endpoint of VPN gateway ", "depends on vgw_id"),
    (r": .* is used by ", "only one can have it"),
    (r": a gateway takes 2 EIPs ", "only one can have it"),
    (r": .* already has connection monitor ", "one for a connection"),
    (r": connection .* (already leads|has the same|has another PSK) ", "tunnels must be told apart"),
    (r": .* is the address of the device of connection ", "tunnels must be told apart"),
    (r": is the EIP of the other endpoint too ", "depends on another field or the gateway"),
    (r": VPN gateway .* (is PENDING_[A-Z]+|has [0-9]+ connections) ", "depends on the gateway"),
    (r"^action: (job|there is no upgrade)|: job .* is [a-z_]+$", "depends on the gateway's job"),
    (r": (customer|VPN) gateway .* has connection ", "what depends on it goes first"),
    (
        r"^probe: (probe .* is not done yet|(a|no) CHILD_SA of the connection is up|the device has no fixed address)",
        "depends on the connection",
    ),
    (r"^probe: path is asked of a tunnel that is up", "depends on the other fields of the order"),
    (r"^state: a connection of style .* has no BGP session ", "depends on the style"),
    (r"^style: .* cannot do ", "depends on the device"),
    (r"^marker: ", "only a list knows the markers that it gave"),
    (
        r"^(vendor|type|model|version): .* is not known ",
        "the operation list_peer_configuration_supported_devices lists them",
    ),
    (r"^vgw_id: VPN gateway .* (has flavor|has certificate)", "depends on the gateway"),
    (r"^flavor: ", "depends on the present flavor, or on network_type and attachment_type"),
    # what goes together
    (
        r": .*(must not be filled|must be given|does not go with|is mandatory|has no tunnel )",
        "depends on another field or resource",
    ),
    (r": (is the older name|is the same as|names no certificate|has an id and a content)", "depends on another field"),
    (r": .*cannot be (changed|negotiated)", "depends on what it is, or on another field"),
    (r": .*cannot be updated here", "depends on what it is"),
    (r": .* is given twice ", "no schema compares a part of an array's items"),
    (r": .* is out of range \(wanted: 1 to [0-9]+ with this flavor", "depends on the flavor"),
    (r"^(ip|id_value|ikepolicy\.(local|peer)_id): .* is not an IPv4 address ", "depends on the type of the id"),
    (r"^ikepolicy\.peer_id_type: ", "depends on the customer gateway"),
    (r" on a GM gateway|is not a known value on ", "depends on the gateway"),
    (
        r": .* is not a known value \(wanted: (pre-share|one of .*(md5|3des)(, sm[34])?)\)",
        "sm3 and sm4 are a GM gateway's",
    ),
    (r"^tunnel_peer_address: .* is not in the block of ", "depends on the other address"),
    (r"^enable_health_check: ", "depends on the style"),
    (r"^local_subnets: has 0 entries ", "depends on attachment_type"),
    (r"^ha_role: ", "depends on the gateway and the endpoint"),
    (r": the resource would have ", "depends on the tags that are there"),
    (r": .* lies in the gateway's local subnet ", "depends on the gateway"),
    (r"^peer_subnets\[.*lies in ", "depends on the style, on the network"),
    # what a pattern does not say
    (r": .* has host bits set ", "arithmetic"),
    (r"^tunnel_.*: .* is not a host address ", "arithmetic"),
    (r": .* (is not the network of a VPC|lies in|is not the address of a device) ?", "arithmetic on reserved blocks"),
    (r": [0-9]+ (Mbit/s )?is out of range ", "a number that is written as a string"),
    (r": is a number with a fraction ", "JSON Schema takes 60.0 for an integer, and the API has no fractions"),
    (r": '[0-9]+\.0' is not allowed ", "the same, in a query"),
    (r": may not contain ", "which characters are letters of some script, Unicode says"),
    (r"(certificate|chain|content|_key): ", "what a certificate says"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """A request, what the service said, and which checks failed."""

    operation: str
    allowed: bool
    status: int
    said: str
    failed: dict[str, str]


def _tried(shared_service: Any) -> list[Outcome]:
    api = shared_service.api()
    gateway, peer = api.gateway(), api.customer_gateway()
    connection = api.connection(gateway, peer)
    gateways = itertools.cycle([api.gateway() for _ in range(4)])
    there = {
        "vgw_id": gateway["id"],
        "vgw_ip": gateway["eip1"]["id"],
        "cgw_id": peer["id"],
        "customer_gateway_id": peer["id"],
        "vpn_connection_id": connection["id"],
        "resource_id": peer["id"],
    }

    def name_what_is_there(_: Any, case: Any, **__: Any) -> None:
        """Ids that nothing has would hide all other rules. No version is guessed, and no token repeated."""
        for header in ("If-Match", "X-Client-Token"):
            (case.headers or {}).pop(header, None)
        if case.meta is None or not case.meta.generation.mode.is_positive or case.method == "DELETE":
            return
        _replace(case.path_parameters, there)
        # Two tunnels between the same ends are refused: each create gets a new other end.
        if case.method == "POST" and case.operation.path.split("/")[-1] in {"vpn-connection", "batch-create"}:
            fresh = next(gateways)
            ends = {"vgw_id": fresh["id"], "vgw_ip": fresh["eip1"]["id"], "cgw_id": api.customer_gateway()["id"]}
            _replace(case.body, ends)
        else:
            _replace(case.body, there)

    schemathesis.openapi.format("ipv4-cidr", st.builds(_block, st.integers(1 << 24, 100 << 24), st.integers(8, 32)))
    schemathesis.openapi.format(
        "password", st.from_regex(r"[A-Za-z0-9~!@#$%^]{5,40}", fullmatch=True).map("aA1".__add__)
    )
    schemathesis.hook("before_call")(name_what_is_there)
    try:
        document = schemathesis.openapi.from_asgi("/openapi.json", shared_service.application, config=_config(api))
        return [found for event in engine.from_schema(document).execute() for found in _outcomes(event)]
    finally:
        schemathesis.hooks.unregister(name_what_is_there)


def _config(api: Any) -> schemathesis.Config:
    return schemathesis.Config.from_dict(
        {
            "seed": 1,
            "headers": {"X-Auth-Token": api.key.token.reveal()},
            "parameters": {"path.project_id": api.project_id},
            "continue-on-failure": True,
            "generation": {"max-examples": EXAMPLES, "deterministic": True, "no-shrink": True, "database": "none"},
            "phases": {
                "coverage": {"unexpected-methods": []},
                "stateful": {"generation": {"max-examples": 2}},
            },
            "operations": [
                *(
                    {
                        "include-operation-id": name,
                        "phases": {"coverage": {"enabled": False}},
                        "checks": {"negative_data_rejection": {"enabled": False}},
                    }
                    for name in CHECKED
                ),
                *({"include-operation-id": name, "phases": {"coverage": {"enabled": False}}} for name in ALIKE),
            ],
            "checks": {
                "negative_data_rejection": {"expected-statuses": [400, 401, 403, 404, 405, 412]},
                "positive_data_acceptance": {"enabled": False},  # judged here, by the reasons
                "unsupported_method": {"enabled": False},
                "ignored_auth": {"enabled": False},
            },
        }
    )


def _block(number: int, length: int) -> str:
    number = number >> (32 - length) << (32 - length)
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}/{length}"


def _replace(value: Any, there: dict[str, str]) -> None:
    if isinstance(value, list):
        for inner in value:
            _replace(inner, there)
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in there and isinstance(inner, str):
                value[name] = there[name]
            _replace(inner, there)


def _outcomes(event: Any) -> Iterator[Outcome]:
    assert not isinstance(event, events.FatalError | events.NonFatalError), event
    if not isinstance(event, events.ScenarioFinished):
        return
    for key, interaction in event.recorder.interactions.items():
        case = event.recorder.cases[key].value
        checks = event.recorder.checks.get(key, ())
        yield Outcome(
            operation=case.operation.label,
            allowed=case.meta is not None and case.meta.generation.mode.is_positive,
            status=interaction.response.status_code,
            said=interaction.response.content.decode(),
            failed={
                c.name: f"{case.as_curl_command()}\n{c.failure_info.failure.message}" for c in checks if c.failure_info
            },
        )


def _unlisted(outcome: Outcome) -> list[str]:
    """What it was refused for beside the reasons that are listed."""
    answer = json.loads(outcome.said)
    said = [f"{each['field']}: {each['message']}" for each in answer.get("details", ())] or [answer["error_msg"]]
    inner = (re.sub(r"^vpn_connections\[\d+\]\.", "", text) for text in said)
    return [text for text in inner if not any(re.search(pattern, text, re.DOTALL) for pattern, _ in REASONS)]


CHECKS = (
    "negative_data_rejection",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def test_the_service_is_as_the_document_says(shared_service: Any):
    """One test, so that one worker makes the requests once."""
    outcomes = _tried(shared_service)
    _enough_was_tried(outcomes)
    assert [each for each in outcomes if each.status >= 500] == []
    for check in CHECKS:
        assert [f"{each.operation}: {each.failed[check]}" for each in outcomes if check in each.failed] == []
    _refused_for_listed_reasons_only(outcomes)


def _enough_was_tried(outcomes: list[Outcome]) -> None:
    """Of each operation something was accepted: else nothing was proved of it."""
    assert len(outcomes) > 1500
    tried = Counter(each.operation for each in outcomes)
    accepted = Counter(each.operation for each in outcomes if each.status < 300)
    certificates = {operation for operation in tried if "{vgw_id}/certificate" in operation}  # no text at random is one
    assert {operation for operation in tried if operation not in accepted} <= certificates


def _refused_for_listed_reasons_only(outcomes: list[Outcome]) -> None:
    refused = [each for each in outcomes if each.allowed and 400 <= each.status < 500 and each.status != 404]
    assert len(refused) > 200
    assert [(each.operation, text) for each in refused for text in _unlisted(each)] == []

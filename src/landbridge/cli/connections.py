"""`landbridge connection`: connections. `connection_inspection` has the commands that inspect one."""

import sys
from collections.abc import Mapping
from typing import Any

import click

from landbridge.cli import connection_inspection, crud, fields, remote
from landbridge.cli.fields import Field
from landbridge.client import failures, output, resources, waiting
from landbridge.client.resources import CONNECTION, CUSTOMER_GATEWAY, GATEWAY

_CUSTOMER = Field(flag="--customer-gateway", path="cgw_id", text="The other side.", metavar="NAME|ID")
_SHARED = (
    Field(flag="--name", path="name", text="Letters, digits, _ - and . (absent: vpn-****)."),
    _CUSTOMER,
    Field(
        flag="--peer-subnet", path="peer_subnets", text="A subnet of the other side; many.", form="many", metavar="CIDR"
    ),
    Field(flag="--tunnel-local-address", path="tunnel_local_address", text="Such as 169.254.70.1/30.", metavar="CIDR"),
    Field(flag="--tunnel-peer-address", path="tunnel_peer_address", text="The other host of the /30.", metavar="CIDR"),
    Field(flag="--ike-version", path="ikepolicy.ike_version", text="v2 (default) or v1."),
    Field(flag="--ike-mode", path="ikepolicy.phase1_negotiation_mode", text="main or aggressive; only v1."),
    Field(flag="--ike-encryption", path="ikepolicy.encryption_algorithm", text="Such as aes-256-gcm-16."),
    Field(flag="--ike-authentication", path="ikepolicy.authentication_algorithm", text="Such as sha2-256."),
    Field(flag="--ike-dh-group", path="ikepolicy.dh_group", text="Such as group20."),
    Field(flag="--ike-lifetime", path="ikepolicy.lifetime_seconds", text="Seconds.", form="number"),
    Field(flag="--local-id-type", path="ikepolicy.local_id_type", text="ip (default) or fqdn."),
    Field(flag="--local-id", path="ikepolicy.local_id", text="Our IKE identity."),
    Field(flag="--peer-id-type", path="ikepolicy.peer_id_type", text="ip, fqdn or any."),
    Field(flag="--peer-id", path="ikepolicy.peer_id", text="The device's IKE identity."),
    Field(flag="--dpd-interval", path="ikepolicy.dpd.interval", text="Seconds.", form="number"),
    Field(flag="--dpd-timeout", path="ikepolicy.dpd.timeout", text="Seconds.", form="number"),
    Field(flag="--ipsec-encryption", path="ipsecpolicy.encryption_algorithm", text="Such as aes-256-gcm-16."),
    Field(flag="--ipsec-authentication", path="ipsecpolicy.authentication_algorithm", text="Such as sha2-256."),
    Field(flag="--pfs", path="ipsecpolicy.pfs", text="A group such as group20, or disable."),
    Field(flag="--ipsec-lifetime", path="ipsecpolicy.lifetime_seconds", text="Seconds.", form="number"),
    Field(flag="--nqa", path="enable_nqa", text="Echoes through the tunnel; only static.", form="switch"),
)
CREATE = (
    *_SHARED,
    Field(flag="--gateway", path="vgw_id", text="The VPN gateway.", metavar="NAME|ID"),
    Field(
        flag="--gateway-endpoint",
        path="vgw_ip",
        text="Its endpoint: 1 (default), 2, an address or an id.",
        metavar="1|2|ADDRESS|ID",
    ),
    Field(flag="--style", path="style", text="static (default), policy, bgp or policy-template."),
    Field(flag="--ha-role", path="ha_role", text="master (default) or slave."),
    Field(flag="--health-check", path="enable_health_check", text="Create a connection monitor.", form="switch"),
    Field(flag="--tag", path="tags", text="A tag; many.", form="pairs", metavar="KEY=VALUE"),
)
_RULES = click.option(
    "--policy-rule", "rules", metavar="SOURCE=DESTINATION,…", multiple=True, help="Subnets of style policy; many."
)
_PSK = click.option(
    "--psk-file", metavar="FILE", help="The PSK is the content of FILE; - is stdin. It is no flag: others see flags."
)


@click.group
def connection() -> None:
    """Connections: one tunnel each, from an endpoint of a VPN gateway to a customer gateway."""


@connection.command("list")
@remote.api_command
@click.option("--status", metavar="STATUS", help="Only those of this status, such as DOWN.")
@click.option("--cause", metavar="CODE", help="Only those with this cause, such as psk_mismatch.")
@click.option("--gateway", metavar="NAME|ID", help="Only those of this VPN gateway.")
def _list(run: remote.CommandRun, status: str | None, cause: str | None, gateway: str | None) -> None:
    """List the connections with their statuses, each with its cause.

    Columns: name, VPN gateway, status, since, cause, reason, id.
    """
    gateway_id = run.find(GATEWAY, gateway) if gateway else None
    connections = list(resources.list_statuses(run.api, CONNECTION, status=status, cause=cause, vgw_id=gateway_id))
    run.show(
        {CONNECTION.collection: connections},
        connection_inspection.COLUMNS,
        lambda: connection_inspection.rows(run.api, connections),
    )


@connection.command("show")
@remote.api_command
@remote.name_of(CONNECTION)
def _show(run: remote.CommandRun, name: str) -> None:
    """Show a connection with all its policies.

    The row endpoint has the number and the address of the endpoint that `vgw_ip` names.
    """
    answer = crud.show(run, CONNECTION, run.find(CONNECTION, name))
    shown = crud.flat(answer[CONNECTION.envelope])
    if run.form == "table":
        place = next(number for number, (key, _) in enumerate(shown, 1) if key == "vgw_ip")
        shown.insert(place, ("endpoint", _shown_endpoint(run, answer[CONNECTION.envelope])))
    run.show_fields(answer, shown)


@connection.command("create")
@remote.api_command
@fields.options(CREATE)
@_RULES
@_PSK
@fields.FILE
@click.option("--dry-run", is_flag=True, help="Check the request and create nothing, as `connection check`.")
@remote.WAIT
@remote.TIMEOUT
def _create(run: remote.CommandRun, dry_run: bool, wait: bool, timeout: float, **given: Any) -> None:
    """Create a connection, and print its id.

    A terminal asks for the PSK when neither `--psk-file` nor the file has one. With `--wait` the command ends when the tunnel is up, or
    with the cause and its remedy.
    """
    body = _body(run, CREATE, may_ask=not dry_run, **given)
    if dry_run:
        _check(run, body)
        return
    made = crud.create(run, CONNECTION, body, CREATE)
    if wait:
        waiting.for_active(run.api, made["name"], CONNECTION.statuses, made["id"], timeout)


@connection.command("check")
@remote.api_command
@fields.options(CREATE)
@_RULES
@_PSK
@fields.FILE
def _check_create(run: remote.CommandRun, **given: Any) -> None:
    """Check a create, and create nothing.

    The output has the connection that a create would make and the settings for the device; warnings and violations are lines on standard
    error. With a violation the exit status is 5.
    """
    _check(run, _body(run, CREATE, may_ask=False, **given))


@connection.command("update")
@remote.api_command
@remote.name_of(CONNECTION)
@fields.options(_SHARED)
@_RULES
@_PSK
@fields.FILE
@click.option(
    "--replace-tunnel", is_flag=True, help="With a new PSK: negotiate anew at once (default: prove the key first)."
)
@crud.DRY_RUN
@remote.WAIT
@remote.TIMEOUT
def _update(
    run: remote.CommandRun, name: str, replace_tunnel: bool, dry_run: bool, wait: bool, timeout: float, **given: Any
) -> None:
    """Change a connection. What no flag names stays as it is, inside the policies too.

    A list, such as the peer subnets, is replaced. With `--dry-run` the output has each field that would change, and standard error says what that does to the
    tunnel.
    """
    connection_id = run.find(CONNECTION, name)
    body = _body(run, _SHARED, may_ask=False, **given)
    psk = "replace" if replace_tunnel else None
    changed = crud.update(run, CONNECTION, connection_id, body, _SHARED, dry_run=dry_run, landbridge_psk=psk)
    if wait and changed:
        waiting.for_active(run.api, changed["name"], CONNECTION.statuses, connection_id, timeout)


@connection.command("delete")
@remote.api_command
@remote.name_of(CONNECTION)
@remote.YES
@remote.WAIT
@remote.TIMEOUT
def _delete(run: remote.CommandRun, name: str, yes: bool, wait: bool, timeout: float) -> None:
    """Delete a connection. Its tunnel ends.

    With `--wait` the command ends when nothing of the tunnel is left.
    """
    crud.delete(run, CONNECTION, name, yes=yes, wait=wait, timeout=timeout)


@connection.command("reset")
@remote.api_command
@remote.name_of(CONNECTION)
@remote.WAIT
@remote.TIMEOUT
def _reset(run: remote.CommandRun, name: str, wait: bool, timeout: float) -> None:
    """End a connection's SAs and negotiate them anew. The traffic is interrupted."""
    connection_id = run.find(CONNECTION, name)
    run.api.send("POST", run.api.v5(CONNECTION.path, connection_id, "reset"))
    output.say(f"resetting {name}")
    if wait:
        waiting.for_active(run.api, name, CONNECTION.statuses, connection_id, timeout)


for _command in connection_inspection.COMMANDS:
    connection.add_command(_command)


def _body(
    run: remote.CommandRun,
    used: tuple[Field, ...],
    rules: tuple[str, ...],
    psk_file: str | None,
    file: str | None,
    *,
    may_ask: bool,
    **given: Any,
) -> dict[str, Any]:
    """The body of a create or an update. Names of gateways become ids."""
    if psk_file == file == "-":
        raise failures.Usage("--psk-file - and --file -: standard input can be read once only")
    body = fields.body(used, given, file, CONNECTION.envelope)
    for key, kind in (("vgw_id", GATEWAY), ("cgw_id", CUSTOMER_GATEWAY)):
        if isinstance(body.get(key), str):
            body[key] = run.find(kind, body[key])
    if "vgw_id" in body:
        body["vgw_ip"] = _endpoint(run, body["vgw_id"], str(body.get("vgw_ip", "1")))
    if rules:
        body["policy_rules"] = [_rule(text) for text in rules]
    if psk_file:
        body["psk"] = fields.read_text(psk_file).removesuffix("\n")
    elif may_ask and "psk" not in body and sys.stdin.isatty():
        psk_text = click.prompt("PSK (empty: none)", hide_input=True, err=True, default="", show_default=False)
        body |= {"psk": psk_text} if psk_text else {}
    return body


def _endpoint(run: remote.CommandRun, gateway_id: str, given: str) -> str:
    """Returns what `vgw_ip` must be: the id of an EIP of the gateway, or the address of a private endpoint."""
    if resources.is_id(given):
        return given
    gateway = run.api.get(run.api.v5(GATEWAY.path, gateway_id))[GATEWAY.envelope]
    ends = _ends(gateway)
    for number, (eip, address) in enumerate(ends, 1):
        if given in {str(number), eip.get("ip_address"), address}:
            return str(eip.get("id") or address)
    addresses = [text for eip, address in ends if (text := eip.get("ip_address") or address)]
    if not addresses:  # the gateway does not show them yet
        return given
    allowed = ", ".join(("1", "2", *addresses))
    raise failures.Usage(
        f"vgw_ip (--gateway-endpoint): {given!r} is no endpoint of {gateway['name']} (wanted: one of {allowed}, or an id)"
    )


def _ends(gateway: Mapping[str, Any]) -> list[tuple[dict[str, Any], str | None]]:
    """The EIP and the private address of each endpoint: a VPN gateway has one of them."""
    return [(gateway.get(f"eip{number}") or {}, gateway.get(f"access_private_ip_{number}")) for number in (1, 2)]


def _shown_endpoint(run: remote.CommandRun, connection: Mapping[str, Any]) -> str | None:
    """The number and the address of a connection's endpoint; None while the gateway does not show it."""
    ends = _ends(crud.show(run, GATEWAY, connection["vgw_id"])[GATEWAY.envelope])
    numbers = (
        (number, eip.get("ip_address") or address)
        for number, (eip, address) in enumerate(ends, 1)
        if connection["vgw_ip"] in {eip.get("id"), address}
    )
    return next((f"{number} ({address})" for number, address in numbers), None)


def _rule(text: str) -> dict[str, Any]:
    source, equals, destinations = text.partition("=")
    if not equals:
        raise failures.Usage(f"--policy-rule: {text!r} is not SOURCE=DESTINATION,…")
    return {"source": source, "destination": destinations.split(",")}


def _check(run: remote.CommandRun, body: dict[str, Any]) -> None:
    """Prints the result of a check. Raises Refused when a create would be refused."""
    path = run.api.ours(CONNECTION.statuses, "check")
    answer = crud.send(run, "POST", path, {CONNECTION.envelope: body}, CREATE)
    result = answer["check"]
    run.show_fields(answer, crud.flat({key: result[key] for key in ("vpn_connection", "device") if key in result}))
    crud.warn(result)
    if not result["valid"]:
        raise crud.refused("a create would be refused", result, CREATE)

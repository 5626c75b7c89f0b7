"""`landbridge gateway`: VPN gateways."""

from typing import Any

import click

from landbridge.cli import crud, fields, remote
from landbridge.cli.fields import Field
from landbridge.client import failures, output, resources, waiting
from landbridge.client.output import Id, Moment
from landbridge.client.resources import GATEWAY

_SHARED = (
    Field(flag="--name", path="name", text="Letters, digits, _ - and . (absent: vpngw-****)."),
    Field(flag="--local-subnet", path="local_subnets", text="A subnet of our side; many.", form="many", metavar="CIDR"),
)
CREATE = (
    *_SHARED,
    Field(flag="--vpc", path="vpc_id", text="The network of the site that the gateway serves.", metavar="ID"),
    Field(flag="--er", path="er_id", text="The same, with --attachment-type er.", metavar="ID"),
    Field(flag="--attachment-type", path="attachment_type", text="vpc (default) or er."),
    Field(flag="--network-type", path="network_type", text="public (default) or private."),
    Field(flag="--flavor", path="flavor", text="Such as Professional1 (default)."),
    Field(flag="--ha-mode", path="ha_mode", text="active-active (default) or active-standby."),
    Field(flag="--eip1", path="eip1.id", text="The EIP of endpoint 1 (absent: one of the pool).", metavar="ID"),
    Field(flag="--eip2", path="eip2.id", text="The EIP of endpoint 2 (absent: one of the pool).", metavar="ID"),
    Field(flag="--private-address-1", path="access_private_ip_1", text="Of endpoint 1; only private."),
    Field(flag="--private-address-2", path="access_private_ip_2", text="Of endpoint 2; only private."),
    Field(flag="--bgp-asn", path="bgp_asn", text="The gateway's AS number (default 64512).", form="number"),
    Field(flag="--zone", path="availability_zone_ids", text="A zone of the site; many.", form="many"),
    Field(flag="--tag", path="tags", text="A tag; many.", form="pairs", metavar="KEY=VALUE"),
)
_IKE, _IPSEC = "policy_template.ike_policy", "policy_template.ipsec_policy"
UPDATE = (
    *_SHARED,
    Field(flag="--eip1", path="eip_id_1", text="Another EIP for endpoint 1.", metavar="ID"),
    Field(flag="--eip2", path="eip_id_2", text="Another EIP for endpoint 2.", metavar="ID"),
    Field(flag="--ike-encryption", path=f"{_IKE}.encryption_algorithm", text="Of the policy template."),
    Field(flag="--ike-authentication", path=f"{_IKE}.authentication_algorithm", text="Of the policy template."),
    Field(flag="--ike-dh-group", path=f"{_IKE}.dh_group", text="Of the policy template."),
    Field(
        flag="--ike-lifetime", path=f"{_IKE}.lifetime_seconds", text="Seconds, of the policy template.", form="number"
    ),
    Field(flag="--ipsec-encryption", path=f"{_IPSEC}.encryption_algorithm", text="Of the policy template."),
    Field(flag="--ipsec-authentication", path=f"{_IPSEC}.authentication_algorithm", text="Of the policy template."),
    Field(flag="--pfs", path=f"{_IPSEC}.pfs", text="Of the policy template."),
    Field(
        flag="--ipsec-lifetime",
        path=f"{_IPSEC}.lifetime_seconds",
        text="Seconds, of the policy template.",
        form="number",
    ),
)


@click.group
def gateway() -> None:
    """VPN gateways: our side of tunnels."""


@gateway.command("list")
@remote.api_command
@click.option("--status", metavar="STATUS", help="Only those of this status, such as FAULT.")
def _list(run: remote.CommandRun, status: str | None) -> None:
    """List the VPN gateways with their statuses.

    Columns: name, status, since, whether its redundancy is met, why, id.
    """
    gateways = list(resources.list_statuses(run.api, GATEWAY, status=status))
    run.show(
        {GATEWAY.collection: gateways},
        ("NAME", "STATUS", "SINCE", "REDUNDANT", "REASON", "ID"),
        lambda: [
            (
                gateway["name"],
                gateway["status"],
                Moment(gateway.get("since", "")),
                gateway.get("redundant"),
                gateway.get("reason"),
                Id(gateway["id"]),
            )
            for gateway in gateways
        ],
    )


@gateway.command("show")
@remote.api_command
@remote.name_of(GATEWAY)
def _show(run: remote.CommandRun, name: str) -> None:
    """Show a VPN gateway: its endpoints, subnets and tags."""
    answer = crud.show(run, GATEWAY, run.find(GATEWAY, name))
    shown = {key: value for key, value in answer[GATEWAY.envelope].items() if key not in {"master_eip", "slave_eip"}}
    run.show_fields(answer, crud.flat(shown))


@gateway.command("create")
@remote.api_command
@fields.options(CREATE)
@fields.FILE
@crud.CREATE_DRY_RUN
@remote.WAIT
@remote.TIMEOUT
def _create(run: remote.CommandRun, file: str | None, dry_run: bool, wait: bool, timeout: float, **given: Any) -> None:
    """Create a VPN gateway, and print its id.

    With `--wait` the command ends when the gateway is ACTIVE.
    """
    body = fields.body(CREATE, given, file, GATEWAY.envelope)
    if dry_run:
        crud.check_create(run, GATEWAY, body, CREATE)
        return
    made = crud.create(run, GATEWAY, body, CREATE)
    if wait:
        waiting.for_active(run.api, made["name"], GATEWAY.statuses, made["id"], timeout)


@gateway.command("update")
@remote.api_command
@remote.name_of(GATEWAY)
@fields.options(UPDATE)
@click.option("--flavor", metavar="FLAVOR", help="Another flavor; alone.")
@fields.FILE
@crud.DRY_RUN
@remote.WAIT
@remote.TIMEOUT
def _update(
    run: remote.CommandRun,
    name: str,
    flavor: str | None,
    file: str | None,
    dry_run: bool,
    wait: bool,
    timeout: float,
    **given: Any,
) -> None:
    """Change a VPN gateway. What no flag names stays as it is.

    `--local-subnet` replaces all local subnets. With `--dry-run` the output has each field that would change, and standard error names the connections whose
    tunnels would be negotiated anew.
    """
    if dry_run and flavor:
        raise failures.Usage("--dry-run: a change of the flavor has no check (wanted: --dry-run without --flavor)")
    gateway_id = run.find(GATEWAY, name)
    body = fields.body(UPDATE, given, file, GATEWAY.envelope)
    if flavor:
        path = run.api.v5(GATEWAY.path, gateway_id, "update-specification")
        crud.send(run, "POST", path, {GATEWAY.envelope: {"flavor": flavor}}, ())
        output.say(f"{name} has flavor {flavor}")
    if body or not flavor:
        crud.update(run, GATEWAY, gateway_id, body, UPDATE, dry_run=dry_run)
    if wait and not dry_run:
        waiting.for_active(run.api, name, GATEWAY.statuses, gateway_id, timeout)


@gateway.command("delete")
@remote.api_command
@remote.name_of(GATEWAY)
@remote.YES
@remote.WAIT
@remote.TIMEOUT
def _delete(run: remote.CommandRun, name: str, yes: bool, wait: bool, timeout: float) -> None:
    """Delete a VPN gateway that has no connections.

    At a terminal its name must be typed. With `--wait` the command ends when nothing of the gateway is left.
    """
    crud.delete(run, GATEWAY, name, yes=yes, wait=wait, timeout=timeout, retype=True)


@gateway.command("diagnose")
@remote.api_command
@remote.name_of(GATEWAY)
def _diagnose(run: remote.CommandRun, name: str) -> None:
    """Say why a VPN gateway is in its state, which single failure would cut subnets, and who dials it unknown."""
    answer = run.api.get(run.api.ours(GATEWAY.statuses, run.find(GATEWAY, name), "diagnosis"))
    diagnosis = answer["diagnosis"]
    redundancy = diagnosis.get("redundancy") or {}
    counts = [f"{group['count']} {group['status']}" for group in diagnosis["connections"]]
    causes = [f"{cause['cause']} ({cause['count']})" for group in diagnosis["connections"] for cause in group["causes"]]
    pairs = [
        *((key, diagnosis.get(key)) for key in ("status", "reason", "remedy")),
        *((key, Moment(diagnosis.get(key, ""))) for key in ("seen_at", "not_seen_since", "paused_since")),
        ("connections", ", ".join(counts)),
        ("causes", ", ".join(causes)),
        ("redundancy", redundancy.get("summary")),
        *(
            ("single failure", f"{_part(failure)} cuts {', '.join(failure['subnets'])}")
            for failure in redundancy.get("single_failures", [])
        ),
        *(
            ("stranger", f"{stranger.get('peer_address', '')} {stranger['outcome']} {stranger['began_at']}")
            for stranger in diagnosis["strangers"]
        ),
    ]
    run.show_fields(answer, pairs)


def _part(failure: dict[str, Any]) -> str:
    """The name of what fails. The name of a connection gets the word connection before it."""
    return f"connection {failure['name']}" if failure["kind"] == "connection" else str(failure["name"])


@gateway.command("routes")
@remote.api_command
@remote.name_of(GATEWAY)
def _routes(run: remote.CommandRun, name: str) -> None:
    """List the routes of a VPN gateway.

    Columns: destination, next hop, outer address, origin and AS path of a learned route.
    """
    path = run.api.v5(GATEWAY.path, run.find(GATEWAY, name), "routing-table")
    routes = list(run.api.pages(path, "routing_table", resources.PAGE))
    names = ("destination", "nexthop", "outbound_interface_ip", "origin", "as_path")
    run.show(
        {"routing_table": routes},
        ("DESTINATION", "NEXT HOP", "OUT", "ORIGIN", "AS PATH"),
        lambda: [tuple(route.get(key) for key in names) for route in routes],
    )

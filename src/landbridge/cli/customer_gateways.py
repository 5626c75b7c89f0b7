"""`landbridge customer-gateway`: the other sides as the API knows them."""

from typing import Any

import click

from landbridge.cli import crud, fields, remote
from landbridge.cli.fields import Field
from landbridge.client import failures, output, resources
from landbridge.client.resources import CUSTOMER_GATEWAY

_NAME = Field(flag="--name", path="name", text="Letters, digits, _ - and . (absent: cgw-****).")
CREATE = (
    _NAME,
    Field(
        flag="--bgp-asn", path="bgp_asn", text="The device's AS number (default 65000 with an address).", form="number"
    ),
    Field(flag="--tag", path="tags", text="A tag; many.", form="pairs", metavar="KEY=VALUE"),
)
_UPDATE = (_NAME,)
_CERTIFICATE = click.option("--ca-certificate", metavar="FILE", help="CA certificate (PEM), for GM connections.")


@click.group("customer-gateway")
def customer_gateway() -> None:
    """Customer gateways: the other side, an address or a name."""


@customer_gateway.command("list")
@remote.api_command
def _list(run: remote.CommandRun) -> None:
    """List the customer gateways.

    Columns: name, type and value of the identity, AS number, id.
    """
    customer_gateways = list(resources.list_all(run.api, CUSTOMER_GATEWAY))
    run.show(
        {CUSTOMER_GATEWAY.collection: customer_gateways},
        ("NAME", "TYPE", "IDENTITY", "ASN", "ID"),
        lambda: [
            (
                customer_gateway["name"],
                customer_gateway["id_type"],
                customer_gateway["id_value"],
                customer_gateway.get("bgp_asn"),
                output.Id(customer_gateway["id"]),
            )
            for customer_gateway in customer_gateways
        ],
    )


@customer_gateway.command("show")
@remote.api_command
@remote.name_of(CUSTOMER_GATEWAY)
def _show(run: remote.CommandRun, name: str) -> None:
    """Show a customer gateway."""
    answer = crud.show(run, CUSTOMER_GATEWAY, run.find(CUSTOMER_GATEWAY, name))
    run.show_fields(answer, crud.flat(answer[CUSTOMER_GATEWAY.envelope]))


@customer_gateway.command("create")
@remote.api_command
@fields.options(CREATE)
@click.option("--address", metavar="ADDRESS", help="The device's IPv4 address (id_type ip).")
@click.option("--fqdn", metavar="NAME", help="The IKE identity of a device without a fixed address (id_type fqdn).")
@_CERTIFICATE
@fields.FILE
@crud.CREATE_DRY_RUN
def _create(
    run: remote.CommandRun,
    address: str | None,
    fqdn: str | None,
    ca_certificate: str | None,
    file: str | None,
    dry_run: bool,
    **given: Any,
) -> None:
    """Create a customer gateway, and print its id."""
    if address and fqdn:
        raise failures.Usage("--address and --fqdn: a customer gateway has one identity")
    body = fields.body(CREATE, given, file, CUSTOMER_GATEWAY.envelope)
    if address or fqdn:
        body |= {"id_type": "ip" if address else "fqdn", "id_value": address or fqdn}
    if ca_certificate:
        body["ca_certificate"] = {"content": fields.read_text(ca_certificate)}
    if dry_run:
        crud.check_create(run, CUSTOMER_GATEWAY, body, CREATE)
    else:
        crud.create(run, CUSTOMER_GATEWAY, body, CREATE)


@customer_gateway.command("update")
@remote.api_command
@remote.name_of(CUSTOMER_GATEWAY)
@fields.options(_UPDATE)
@_CERTIFICATE
@fields.FILE
@crud.DRY_RUN
def _update(
    run: remote.CommandRun, name: str, ca_certificate: str | None, file: str | None, dry_run: bool, **given: Any
) -> None:
    """Change the name or the CA certificate of a customer gateway."""
    body = fields.body(_UPDATE, given, file, CUSTOMER_GATEWAY.envelope)
    if ca_certificate:
        body["ca_certificate"] = {"content": fields.read_text(ca_certificate)}
    crud.update(run, CUSTOMER_GATEWAY, run.find(CUSTOMER_GATEWAY, name), body, _UPDATE, dry_run=dry_run)


@customer_gateway.command("delete")
@remote.api_command
@remote.name_of(CUSTOMER_GATEWAY)
@remote.YES
def _delete(run: remote.CommandRun, name: str, yes: bool) -> None:
    """Delete a customer gateway that no connection uses."""
    crud.delete(run, CUSTOMER_GATEWAY, name, yes=yes, wait=False, timeout=0)

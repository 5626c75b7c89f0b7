"""`landbridge certificate`: the certificates of GM gateways."""

from typing import Any

import click

from landbridge.cli import crud, fields, remote
from landbridge.client import output, resources
from landbridge.client.resources import GATEWAY

#: Fields whose values are texts in PEM: each has a flag that names a file.
_FILES = ("certificate", "private_key", "certificate_chain", "enc_certificate", "enc_private_key")


@click.group
def certificate() -> None:
    """Certificates of GM gateways (docs/how-to/make-gm-certificates.md). A certificate is named by its gateway."""


@certificate.command("list")
@remote.api_command
def _list(run: remote.CommandRun) -> None:
    """List the certificates of all VPN gateways.

    Columns: name, VPN gateway, subject, end of the certificate, id.
    """
    path = run.api.v5("vpn-gateway-certificates")
    certificates = list(run.api.pages(path, "vpn_gateway_certificates", resources.PAGE))
    names = resources.names(run.api, GATEWAY) if run.form == "table" and certificates else {}
    run.show(
        {"vpn_gateway_certificates": certificates},
        ("NAME", "GATEWAY", "SUBJECT", "EXPIRES", "ID"),
        lambda: [
            (
                certificate["name"],
                names.get(certificate["vgw_id"]),
                certificate["certificate_subject"],
                certificate["certificate_expire_time"],
                output.Id(certificate["id"]),
            )
            for certificate in certificates
        ],
    )


@certificate.command("show")
@remote.api_command
@remote.name_of(GATEWAY, "gateway")
def _show(run: remote.CommandRun, gateway: str) -> None:
    """Show the certificate of a VPN gateway, without its keys."""
    answer = run.api.get(run.api.v5(GATEWAY.path, run.find(GATEWAY, gateway), "certificate"))
    run.show_fields(answer, crud.flat(answer["certificate"]))


def _files(function: Any) -> Any:
    for name in reversed(_FILES):
        function = click.option(f"--{name.replace('_', '-')}", name, metavar="FILE", help="PEM.")(function)
    return click.option("--name", metavar="NAME", help="Letters, digits, _ - and . (absent: vpngw-cert-****).")(
        function
    )


@certificate.command("create")
@remote.api_command
@remote.name_of(GATEWAY, "gateway")
@_files
def _create(run: remote.CommandRun, gateway: str, **given: str | None) -> None:
    """Give a GM gateway its certificates and keys."""
    path = run.api.v5(GATEWAY.path, run.find(GATEWAY, gateway), "certificate")
    answer = crud.send(run, "POST", path, {"certificate": _body(given)}, ())
    run.show_fields(answer, [("id", answer["certificate"]["id"])])
    output.say(f"{gateway} has certificate {answer['certificate']['name']}")


@certificate.command("update")
@remote.api_command
@remote.name_of(GATEWAY, "gateway")
@_files
def _update(run: remote.CommandRun, gateway: str, **given: str | None) -> None:
    """Replace certificates, keys or the name of a GM gateway's certificate. What no flag names stays."""
    path = run.api.v5(GATEWAY.path, run.find(GATEWAY, gateway), "certificate")
    certificate_id = run.api.get(path)["certificate"]["id"]
    answer = crud.send(run, "PUT", f"{path}/{certificate_id}", {"certificate": _body(given)}, ())
    if run.form != "table":
        output.document(answer, run.form)
    output.say(f"updated certificate {answer['certificate']['name']}")


def _body(given: dict[str, str | None]) -> dict[str, str]:
    files = {name: fields.read_text(given[name] or "") for name in _FILES if given[name]}
    return files | ({"name": given["name"]} if given["name"] else {})

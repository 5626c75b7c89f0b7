"""The wizard for a new connection: a form that the rules check while a person types, the configuration of the device, and the wait for it.

The form works without a script: each button sends it. `do` says what for: `live` (the script, while a person types), `check`, `generate` a
pre-shared key, `create`.
"""

import functools
import secrets
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from landbridge import errors, model
from landbridge.console import changes, connection_form
from landbridge.console import connection as connection_page
from landbridge.console.page_context import Answered, PageContext
from landbridge.model import allowed_values
from landbridge.operations import (
    connection_checks,
    connections,
    customer_gateways,
    gateways,
    peer_configurations,
)
from landbridge.operations.connection_checks import CheckedConnection

#: Customer gateways that the form offers. With more, it asks for the id.
DEVICES = 200
#: Causes of a device that has said nothing yet.
SILENT = frozenset({"waiting_for_device", "negotiating", "no_answer"})
#: Letters and digits of a generated key: 24 of them are 142 bits, and no device needs quotes for them.
_KEY_LENGTH = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ends:
    """What a connection can lead between. `more`: whether there are customer gateways that are not listed."""

    gateways: Sequence[gateways.ShownGateway]
    devices: Sequence[model.CustomerGateway]
    more: bool

    def choose(self, form: Mapping[str, str]) -> connection_form.Chosen:
        return connection_form.choose(form, (shown.gateway for shown in self.gateways))


def generate_key() -> str:
    """A random pre-shared key that the rules allow and every device takes."""
    characters = string.ascii_letters + string.digits
    while True:
        key = "".join(secrets.choice(characters) for _ in range(_KEY_LENGTH))
        if key in allowed_values.PSK:
            return key


# -- the form ---------------------------------------------------------------------------------------------------------


async def _draft(context: PageContext, form: Mapping[str, str]) -> changes.Draft:
    ends = await _ends(context)
    chosen = ends.choose(form)
    parsed = connection_form.parse(form, chosen)
    return changes.Draft(
        request=parsed.value.request(),
        violations=parsed.violations,
        fields=connection_form.fields(form, chosen),
        body=connection_form.content(form, chosen),
        place=functools.partial(connection_form.in_row, form),
        values={
            "form": form,
            "chosen": chosen,
            "ends": ends,
            "endpoints": [(shown.gateway, list(_endpoints(shown))) for shown in ends.gateways],
            "styles": _styles(context),
            "is_new": form.get("cgw_id") == connection_form.NEW,
        },
    )


async def _ends(context: PageContext) -> _Ends:
    shown = await context.perform(gateways.list_all, model.GatewayListRequest())
    request = model.CustomerGatewayListRequest(limit=DEVICES)
    page: customer_gateways.CustomerGatewayPage = await context.perform(customer_gateways.list_page, request)
    return _Ends(gateways=shown, devices=page.customer_gateways, more=page.next_marker is not None)


def _endpoints(shown: gateways.ShownGateway) -> Iterator[tuple[str, str]]:
    """The value and the text of each endpoint of a gateway."""
    state = "" if shown.status is None or shown.status.status == "ACTIVE" else f", {shown.status.status}"
    for endpoint in shown.gateway.endpoints:
        role = allowed_values.HA_ROLES.values[endpoint.number - 1]
        name = connection_form.name_of(endpoint)
        text = f"{shown.gateway.name}: endpoint {endpoint.number}, {endpoint.address} ({role}{state})"
        yield f"{shown.gateway.id}/{name}", text


_STYLES = {
    "static": "Routes on both sides lead into the tunnel.",
    "policy": "Pairs of subnets that the tunnel carries, without a tunnel interface.",
    "bgp": "A BGP session inside the tunnel learns the routes.",
    "policy-template": "The device dials in from any address and asks for its subnets.",
}


def _styles(context: PageContext) -> list[tuple[str, str, bool]]:
    """(style, what it means, whether the engine here carries it)."""
    able = context.dependencies.service.abilities.styles
    return [(style, text, style in able) for style, text in _STYLES.items()]


async def _check(context: PageContext, form: Mapping[str, str], draft: changes.Draft) -> model.CheckResult:
    """Returns what the API's check says. A customer gateway that is to be made is checked by its own rules."""
    request = model.ConnectionCheckRequest(connection=draft.request)
    checked: CheckedConnection = await context.perform(connection_checks.check, request, violations=draft.violations)
    if form.get("cgw_id") != connection_form.NEW:
        return model.CheckResult(violations=checked.violations, warnings=checked.warnings)
    device = connection_form.parse_device(form)
    wrong = await context.perform(customer_gateways.check, device.value.request(), violations=device.violations)
    rest = [violation for violation in checked.violations if violation.field != "cgw_id"]
    return model.CheckResult(violations=(*rest, *map(_of_device, wrong.violations)), warnings=checked.warnings)


def _of_device(violation: model.Violation) -> model.Violation:
    return replace(violation, field=f"{connection_form.DEVICE}.{violation.field}")


async def _create_device(context: PageContext, form: dict[str, str]) -> str:
    """Creates the customer gateway, if it is a new one and nothing of the form is wrong."""
    if form.get("cgw_id") != connection_form.NEW:
        return ""
    wrong = (await _check(context, form, await _draft(context, form))).violations
    if wrong:
        raise errors.Invalid(list(wrong))
    parsed = connection_form.parse_device(form)
    device: model.CustomerGateway = await context.perform(
        customer_gateways.create,
        parsed.value.request(),
        violations=parsed.violations,
        token=f"{form['token']}.{connection_form.DEVICE}",
        body=repr(parsed.value).encode(),
    )
    form["cgw_id"] = device.id
    return f"Customer gateway {device.name} is created."


_KIND = changes.Creation(
    noun="connection",
    path="/new-connection",
    show="/new-connection",
    intro="One tunnel from an endpoint of a VPN gateway to a device.",
    draft=_draft,
    check=_check,
    create=connections.create,
    made=lambda result: result.connection,
    prepare=_create_device,
    template="new_connection.html",
)


async def ask(context: PageContext) -> Answered:
    """The form. The address may have first values of fields, without a pre-shared key."""
    form = {name: value for name, value in context.query.items() if name != "psk"}
    return await changes.show_new(context, _KIND, form)


async def answer(context: PageContext) -> Answered:
    if context.form.get("do") != "generate":
        return await changes.answer_new(context, _KIND)
    form = {**context.form, "do": "live", "psk": generate_key(), "show_psk": "true"}
    return await changes.show_new(context, _KIND, form)


# -- the device -------------------------------------------------------------------------------------------------------


async def wait(context: PageContext) -> Answered:
    """Shows what the device needs, and whether its tunnel is up."""
    diagnosis: connections.ConnectionDiagnosis = await context.perform(
        connections.diagnose, model.ConnectionRef(connection_id=context.path("id"))
    )
    connection = diagnosis.connection
    peer_ref = model.CustomerGatewayRef(customer_gateway_id=connection.customer_gateway_id)
    devices = await context.perform(peer_configurations.devices, model.EmptyRequest())
    text, refused = None, ""
    try:
        text = await connection_page.configuration(context, connection.id, devices)
    except errors.Invalid as error:
        refused = str(error)
    return context.render(
        "new_connection_device.html",
        connection=connection,
        status=diagnosis.status,
        health=_health(diagnosis.status),
        warnings=diagnosis.warnings,
        peer=await context.perform(customer_gateways.show, peer_ref),
        devices=devices,
        device=context.query.get("device", ""),
        configuration=text,
        refused=refused,
    )


async def wait_with_psk(context: PageContext) -> Answered:
    """Leads to the page of the wait, whose configuration has the pre-shared key once. The page writes who asked to the audit trail."""
    return await connection_page.with_psk(context, "/new-connection")


def _health(status: model.ConnectionStatus) -> model.TunnelHealth:
    """The health of a tunnel that is waited for. While the device has said nothing it is not down: nobody has set the device up."""
    health = connection_page.health_of(status)
    is_silent = not status.causes or status.causes[0].code in SILENT
    return "pending" if health == "down" and is_silent else health

"""The pages of VPN gateways: the list, one of them with its tunnels, and the forms that create, change and delete one."""

import functools
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from landbridge import model
from landbridge.console import bulk, changes, forms
from landbridge.console import overview as overview_page
from landbridge.console.forms import Field
from landbridge.console.page_context import Answered, PageContext
from landbridge.model import allowed_values
from landbridge.operations import gateway_updates, overview, status_lists
from landbridge.operations import gateways as operations
from landbridge.wire import body
from landbridge.wire import gateways as wire

#: Rows of a page of the list, and of the tunnels of a gateway.
ROWS = 50
#: Networks or EIPs that a form lists. With more, it asks for the id.
LISTED = 200
HEALTH_OF_STATUS: Mapping[model.GatewayStatusName, model.TunnelHealth] = {
    "PENDING_CREATE": "pending",
    "PENDING_UPDATE": "pending",
    "PENDING_DELETE": "deleting",
    "ACTIVE": "up",
    "FAULT": "error",
}
_FIELDS = allowed_values.GATEWAY


async def show_list(context: PageContext) -> Answered:
    request = model.StatusListRequest(limit=ROWS, marker=context.query.get("after", ""))
    page: status_lists.StatusPage = await context.read(status_lists.list_gateways, request, key=request)
    shown = {
        gateway.gateway.id: gateway
        for gateway in await context.perform(operations.list_all, model.GatewayListRequest())
    }
    rows = [(row, shown[row.id]) for row in page.rows if row.id in shown]
    return context.render(
        "gateways.html",
        rows=rows,
        health_of=HEALTH_OF_STATUS,
        next_marker=page.next_marker,
        total=len(shown),
        bulk_kind=BULK,
    )


async def show(context: PageContext) -> Answered:
    diagnosis: operations.GatewayDiagnosis = await context.perform(operations.diagnose, _ref(context))
    request = model.OverviewRequest(gateway_id=diagnosis.gateway.id, health=frozenset(model.HEALTH_ORDER), limit=ROWS)
    its: overview.Overview = await context.perform(overview.select, await overview_page.selection(context, request))
    return context.render(
        "gateway.html",
        gateway=diagnosis.gateway,
        status=diagnosis.status,
        health=_health(diagnosis.status),
        strangers=diagnosis.strangers[::-1],
        redundancy=diagnosis.redundancy,
        pictures=overview_page.pictures(its.gateways),
    )


def _health(status: model.GatewayStatus) -> model.TunnelHealth:
    return "unknown" if status.not_seen_since else HEALTH_OF_STATUS[status.status]


def _ref(context: PageContext) -> model.GatewayRef:
    return model.GatewayRef(gateway_id=context.path("id"))


# -- create -----------------------------------------------------------------------------------------------------------


async def _draft(context: PageContext, form: Mapping[str, str]) -> changes.Draft:
    inventory: operations.FreeInventory = await context.perform(operations.free_inventory, model.EmptyRequest())
    fields = list(_new_fields(form, inventory))
    content = {"vpn_gateway": forms.content(fields, form)}
    parsed = body.parse_value(wire.CreateGateway, "vpn_gateway", content)
    return changes.Draft(request=parsed.value.request(), violations=parsed.violations, fields=fields, body=content)


def _new_fields(form: Mapping[str, str], inventory: operations.FreeInventory) -> Iterator[Field]:
    """The fields of what is chosen. The network is the first free one of the site, and its block is the first local subnet."""
    attachment = _chosen(form, "attachment_type")
    yield Field(path="name", label="Name", group="what", help=f"Empty: {allowed_values.GATEWAY_NAME}****.")
    yield forms.choice(
        "flavor", "Flavor", _FIELDS.flavor, "what", "It sets the number of connections, and the bandwidth of the EIPs."
    )
    text = "active-active: both endpoints carry traffic. active-standby: the second one carries while the first one does not."
    yield forms.choice("ha_mode", "Endpoints", _FIELDS.ha_mode, "what", text)
    text = f"Empty: {allowed_values.GATEWAY_ASN}. Connections of style bgp use it."
    yield Field(path="bgp_asn", label="BGP ASN", group="what", help=text)
    text = "vpc: a network with local subnets. er: an enterprise router, which knows its subnets itself."
    yield forms.choice("attachment_type", "What it serves", _FIELDS.attachment_type, "network", text)
    yield from _network_fields(attachment, form, inventory)
    text = "public: two EIPs. private: two addresses of the network."
    yield forms.choice("network_type", "Outer addresses", _FIELDS.network_type, "outer", text)
    if _chosen(form, "network_type") == "public":
        eips = [(eip.id, eip.address) for eip in inventory.eips]
        for number in (1, 2):
            text = "Empty: a free one of the pool." if len(eips) > LISTED else ""
            yield _listed(f"eip{number}.id", f"EIP of endpoint {number}", "outer", "a free one of the pool", eips, text)
    else:
        for number in (1, 2):
            text = "Empty: a free one."
            yield Field(
                path=f"access_private_ip_{number}", label=f"Address of endpoint {number}", group="outer", help=text
            )
    zones = ", ".join(inventory.site.zones)
    text = f"Of {zones}; {allowed_values.ZONES}, one a line. Empty: the first ones."
    yield Field(path="availability_zone_ids", label="Zones", group="more", kind="lines", help=text)
    text = "The id of a subnet. It is stored and returned."
    yield Field(path="connect_subnet", label="Connect subnet", group="more", help=text)
    yield forms.TAGS


def _chosen(form: Mapping[str, str], name: str) -> str:
    allowed: allowed_values.Choice = getattr(_FIELDS, name)
    given = form.get(name, "")
    return given if given in allowed else allowed.default


def _network_fields(attachment: str, form: Mapping[str, str], inventory: operations.FreeInventory) -> Iterator[Field]:
    path, label = ("er_id", "Enterprise router") if attachment == "er" else ("vpc_id", "VPC")
    networks = [(network.id, f"{network.id} {network.cidr or ''}".strip()) for network in inventory.networks]
    first = networks[0][0] if networks else str(uuid.uuid4()) if inventory.site.any_network else ""
    if inventory.site.any_network or len(networks) > LISTED:
        text = (
            "Any id. The first value is a new one."
            if inventory.site.any_network
            else "The id of a network of the site."
        )
        yield Field(path=path, label=label, group="network", help=text, options=networks[:LISTED], value=first)
    else:
        yield Field(path=path, label=label, group="network", kind="choice", options=networks, value=first)
    if attachment == "vpc":
        chosen = form.get(path, first)
        cidr = next((network.cidr for network in inventory.networks if network.id == chosen), None)
        text = "The CIDR blocks that tunnels reach, one a line, without host bits."
        yield Field(
            path="local_subnets", label="Local subnets", group="network", kind="lines", value=cidr or "", help=text
        )


def _listed(
    path: str,
    label: str,
    group: str,
    none: str,
    options: Sequence[tuple[str, str]],
    help: str = "",  # noqa: A002
) -> Field:
    """A choice of few, or the id of one of many. `none`: the text of the empty choice."""
    if len(options) > LISTED:
        return Field(path=path, label=label, group=group, options=options[:LISTED], help=help)
    return Field(path=path, label=label, group=group, kind="choice", options=[("", none), *options], help=help)


_KIND = changes.Creation(
    noun="VPN gateway",
    path="/new-gateway",
    show="/gateways",
    intro="Our side of tunnels: two endpoints with outer addresses, in front of the network behind them.",
    draft=_draft,
    check=changes.checked_by(operations.check),
    create=operations.create,
    made=lambda result: result.gateway,
)
ask_new = functools.partial(changes.ask_new, kind=_KIND)
answer_new = functools.partial(changes.answer_new, kind=_KIND)


# -- change -----------------------------------------------------------------------------------------------------------


async def _present(context: PageContext) -> changes.Present:
    shown: operations.ShownGateway = await context.perform(operations.show, _ref(context))
    inventory: operations.FreeInventory = await context.perform(operations.free_inventory, model.EmptyRequest())
    gateway = shown.gateway
    fields = list(_edit_fields(gateway, inventory.eips))

    def draft(form: Mapping[str, str]) -> changes.Draft:
        content = {"vpn_gateway": forms.content(fields, form)}
        parsed = body.parse_value(wire.UpdateGateway, "vpn_gateway", content)
        change = model.GatewayUpdateRequest(gateway_id=gateway.id, change=parsed.value.change())
        return changes.Draft(request=change, violations=parsed.violations)

    return changes.Present(
        noun="VPN gateway",
        name=gateway.name,
        show=f"/gateways/{gateway.id}",
        version=shown.etag,
        fields=fields,
        intro="When a change negotiates tunnels anew, the page lists these tunnels first, as does Check. The network, the mode and the ASN cannot be changed.",
        draft=draft,
        check=gateway_updates.check,
        update=gateway_updates.update,
    )


def _edit_fields(gateway: model.VpnGateway, eips: Iterable[model.Eip]) -> Iterator[Field]:
    yield forms.stored(Field(path="name", label="Name"), gateway.name)
    if gateway.attachment_type == "vpc":
        field = Field(path="local_subnets", label="Local subnets", kind="lines", help="CIDR blocks, one a line.")
        yield forms.stored(field, gateway.local_subnets)
    free = [(eip.id, eip.address) for eip in eips]
    for endpoint in gateway.endpoints if gateway.network_type == "public" else ():
        own = (endpoint.eip_id or "", f"{endpoint.address} (present)")
        few = len(free) < LISTED
        field = Field(
            path=f"eip_id_{endpoint.number}",
            label=f"EIP of endpoint {endpoint.number}",
            kind="choice" if few else "text",
            options=[own, *free[:LISTED]],
            help="Another one moves all connections of the endpoint.",
        )
        yield forms.stored(field, endpoint.eip_id)
    if gateway.policy_template is not None:
        yield from _template_fields(gateway.policy_template)


def _template_fields(template: model.PolicyTemplate) -> Iterator[Field]:
    """The policies of all connections of style policy-template."""
    for policy, title, table, names in (
        ("ike", "IKE", allowed_values.IKE, ("encryption_algorithm", "authentication_algorithm", "dh_group")),
        ("ipsec", "IPsec", allowed_values.IPSEC, ("encryption_algorithm", "authentication_algorithm", "pfs")),
    ):
        path = f"policy_template.{policy}_policy"
        for name in names:
            label = f"{title} {name.replace('_', ' ')} of the template"
            yield forms.stored(
                forms.choice(f"{path}.{name}", label, getattr(table, name)), getattr(template, f"{policy}_{name}")
            )
        label, lifetime = f"{title} lifetime of the template", table.lifetime_seconds
        yield forms.stored(
            forms.seconds(f"{path}.lifetime_seconds", label, lifetime), getattr(template, f"{policy}_lifetime_seconds")
        )


ask_edit, edit = changes.edit_pages(_present)


async def _flavor(context: PageContext) -> changes.Present:
    shown: operations.ShownGateway = await context.perform(operations.show, _ref(context))
    gateway = shown.gateway
    field = forms.stored(forms.choice("flavor", "Flavor", _FIELDS.flavor), gateway.flavor)

    def draft(form: Mapping[str, str]) -> changes.Draft:
        content = {"vpn_gateway": forms.content([field], form)}
        parsed = body.parse_value(wire.ChangeFlavor, "vpn_gateway", content)
        change = model.FlavorRequest(gateway_id=gateway.id, flavor=parsed.value.flavor)
        return changes.Draft(request=change, violations=parsed.violations)

    return changes.Present(
        noun="VPN gateway",
        name=gateway.name,
        show=f"/gateways/{gateway.id}",
        version=shown.etag,
        fields=[field],
        intro=f"It has {shown.connections} connections. Basic, Professional and GM are families: a flavor changes within its own.",
        draft=draft,
        update=gateway_updates.change_flavor,
    )


ask_flavor, change_flavor = changes.edit_pages(_flavor)


# -- delete -----------------------------------------------------------------------------------------------------------


async def ask_delete(context: PageContext) -> Answered:
    """Shows what a delete will touch. With connections it would be refused."""
    shown: operations.ShownGateway = await context.perform(operations.show, _ref(context))
    return context.render("delete_gateway.html", shown=shown, gateway=shown.gateway)


async def delete(context: PageContext) -> Answered:
    notice = "The VPN gateway is being deleted. It stays here until nothing of it is left."
    return await changes.delete(context, operations.remove, _ref(context), "/gateways", notice)


# -- bulk actions of the list ----------------------------------------------------------------------------------------------


async def _find_one(context: PageContext, gateway_id: str) -> bulk.SelectedResource:
    shown: operations.ShownGateway = await context.perform(operations.show, model.GatewayRef(gateway_id=gateway_id))
    status = shown.status.status if shown.status else "ACTIVE"
    return bulk.SelectedResource(
        id=shown.gateway.id,
        name=shown.gateway.name,
        health=HEALTH_OF_STATUS[status],
        word=status,
        version=shown.etag,
    )


async def _delete_notes(context: PageContext, ids: Collection[str]) -> dict[str, list[str]]:
    shown = [await context.perform(operations.show, model.GatewayRef(gateway_id=id_)) for id_ in ids]
    return {gateway.gateway.id: bulk.delete_notes(gateway.connections) for gateway in shown}


async def _delete_one(context: PageContext, gateway_id: str, version: str | None) -> None:
    await context.perform(operations.remove, model.GatewayRef(gateway_id=gateway_id), if_match=version)


BULK = bulk.Kind(
    noun="VPN gateway",
    path="/gateways",
    find=_find_one,
    actions=bulk.tag_actions("vpn-gateway")
    | {
        "delete": bulk.Action(
            label="Delete",
            title="Delete {}",
            intro="Their addresses are free again. No tunnel changes: a VPN gateway with connections is not deleted.",
            done="being deleted",
            run=_delete_one,
            notes=_delete_notes,
            is_danger=True,
        )
    },
)
ask_bulk = functools.partial(bulk.ask, kind=BULK)
answer_bulk = functools.partial(bulk.answer, kind=BULK)

"""Certificates of GM gateways: create, show, list, update. Private keys are sealed, and no answer has them."""

import dataclasses
import json
from datetime import datetime, timedelta

from landbridge import errors, model
from landbridge.operations import call as calls
from landbridge.operations import gateways as gateway_operations
from landbridge.operations import idempotency, ids, versions
from landbridge.operations.call import Call
from landbridge.rules import fields
from landbridge.rules import gateway_certificate as rules
from landbridge.store import codec, gateway_certificates, gateways
from landbridge.store.database import Transaction

Keys = tuple[model.Secret, model.Secret]


def etag(made: model.GatewayCertificate) -> str:
    """It has no generations, since no engine carries it."""
    return versions.etag(1, codec.dump(codec.gateway_certificate, made))


@calls.operation("admin", "write")
def create(
    tx: Transaction, call: Call, request: tuple[str, model.GatewayCertificateRequest]
) -> model.GatewayCertificate:
    """`ask`: the gateway, and what it is to have."""
    operation, kind = "create_vgw_certificate", codec.gateway_certificate
    return idempotency.once(tx, call, operation, kind, lambda: _create(tx, call, *request), path_id=request[0].lower())


def _create(
    tx: Transaction, call: Call, gateway_id: str, request: model.GatewayCertificateRequest
) -> model.GatewayCertificate:
    gateway = _gateway(tx, call, gateway_id)
    facts = rules.Facts(now=call.now, gateway=gateway, present=gateway.certificate_id)
    _refuse(fields.merge(call.shape, rules.check_create(request, facts)))
    made_at = call.time_after(gateway_certificates.newest(tx, call.project_id))
    made = rules.complete(request, gateway, ids.generate(made_at))
    gateway_certificates.add(tx, made, _sealed(call, made, request))
    bound = dataclasses.replace(gateway, certificate_id=made.id, updated_at=call.time_after(gateway.updated_at))
    gateways.change(tx, bound, bumps_generation=False)
    call.audit(tx, "create_vgw_certificate", made.id)
    return made


def _gateway(tx: Transaction, call: Call, gateway_id: str) -> model.VpnGateway:
    """Raises Deleting when it is too late."""
    row = gateway_operations.find(tx, call, gateway_id)
    if row.deleting:
        raise errors.Deleting(f"VPN gateway {row.gateway.id} is deleting")
    return row.gateway


def _refuse(violations: list[model.Violation]) -> None:
    if violations:
        raise errors.Invalid(violations)


def _sealed(call: Call, made: model.GatewayCertificate, request: model.GatewayCertificateRequest) -> bytes:
    keys = [key.reveal() if key else "" for key in (request.private_key, request.enc_private_key)]
    return call.service.vault.seal(json.dumps(keys).encode(), made.id)


def _opened(call: Call, made: model.GatewayCertificate, sealed: bytes) -> Keys:
    one, other = json.loads(call.service.vault.open(sealed, made.id))
    return model.Secret(one), model.Secret(other)


def _find(tx: Transaction, call: Call, gateway_id: str) -> tuple[model.GatewayCertificate, bytes]:
    found = gateway_certificates.find(tx, call.project_id, gateway_id.lower())
    if found is None:
        raise errors.NotFound(f"a certificate of VPN gateway {gateway_id[:64]}")
    return found


@calls.operation("reader", "read")
def show(tx: Transaction, call: Call, gateway_id: str) -> model.GatewayCertificate:
    return _find(tx, call, gateway_id)[0]


@calls.operation("reader", "long read")
def list_page(
    tx: Transaction, call: Call, request: tuple[int, datetime | None, int | None]
) -> list[model.GatewayCertificate]:
    """`ask`: how many, only those made after this time, only those that end within so many days (None: all)."""
    limit, after, days = request
    found = gateway_certificates.list_after(tx, call.project_id, after)
    if days is not None:
        found = [each for each in found if each.expire_time <= call.now + timedelta(days=days)]
    return found[:limit]


@calls.operation("admin", "write")
def update(
    tx: Transaction, call: Call, request: tuple[str, str, model.GatewayCertificateRequest]
) -> model.GatewayCertificate:
    """`ask`: the gateway, the certificate, and what is to change. What is absent stays."""
    gateway_id, certificate_id, change = request
    _gateway(tx, call, gateway_id)
    before, sealed = _find(tx, call, gateway_id)
    if before.id != certificate_id.lower():
        raise errors.NotFound(f"certificate {certificate_id[:64]}")
    versions.check_match(call.if_match, lambda: etag(before))
    present = rules.asked(before, _opened(call, before, sealed))
    wish = rules.merged(change, present)
    _refuse(fields.merge(call.shape, rules.check(wish, call.now, present)))
    if wish == present:
        return before
    made = dataclasses.replace(rules.updated(wish, before), updated_at=call.time_after(before.updated_at))
    gateway_certificates.change(tx, made, _sealed(call, made, wish))
    call.audit(tx, "update_vgw_certificate", made.id)
    return made

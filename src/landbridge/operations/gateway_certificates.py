"""Certificates of GM gateways: create, show, list, update. Private keys are sealed; no answer has one."""

import dataclasses
import json
from datetime import timedelta

from landbridge import errors, model
from landbridge.operations import gateways as gateway_operations
from landbridge.operations import idempotency, ids, versions
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.rules import gateway_certificate as rules
from landbridge.store import codec, gateway_certificates, gateways
from landbridge.store.database import Transaction

Keys = tuple[model.Secret, model.Secret]


def etag(made: model.GatewayCertificate) -> str:
    """A certificate has no generations, since no engine carries it."""
    return versions.etag(1, codec.dump(codec.gateway_certificate, made))


@operation("create_vgw_certificate", "admin", "write")
def create(tx: Transaction, call: Call, request: model.GatewayCertificateCreateRequest) -> model.GatewayCertificate:
    return idempotency.once(
        tx,
        call,
        create.name,
        codec.gateway_certificate,
        lambda: _create(tx, call, request.gateway_id, request.certificate),
        path_id=request.gateway_id.lower(),
    )


def _create(
    tx: Transaction, call: Call, gateway_id: str, request: model.GatewayCertificateRequest
) -> model.GatewayCertificate:
    gateway = _gateway(tx, call, gateway_id)
    facts = rules.CertificateFacts(now=call.now, gateway=gateway, present=gateway.certificate_id)
    call.refuse(rules.check_create(request, facts))
    made_at = call.time_after(gateway_certificates.newest(tx, call.project_id))
    made = rules.complete(request, gateway, ids.generate(made_at))
    gateway_certificates.add(tx, made, _sealed(call, made, request))
    bound = dataclasses.replace(gateway, certificate_id=made.id, updated_at=call.time_after(gateway.updated_at))
    gateways.change(tx, bound, bumps_generation=False)
    call.audit(tx, create.name, made.id)
    return made


def _gateway(tx: Transaction, call: Call, gateway_id: str) -> model.VpnGateway:
    """Raises Deleting when the gateway is being deleted."""
    row = gateway_operations.find(tx, call, gateway_id)
    if row.deleting:
        raise errors.Deleting(f"VPN gateway {row.gateway.id}")
    return row.gateway


def _sealed(call: Call, made: model.GatewayCertificate, request: model.GatewayCertificateRequest) -> bytes:
    keys = [key.reveal() if key else "" for key in (request.private_key, request.enc_private_key)]
    return call.service.vault.seal(json.dumps(keys).encode(), made.id)


def _opened(call: Call, made: model.GatewayCertificate, sealed: bytes) -> Keys:
    signing, other = json.loads(call.service.vault.open(sealed, made.id))
    return model.Secret(signing), model.Secret(other)


def _find(tx: Transaction, call: Call, gateway_id: str) -> tuple[model.GatewayCertificate, bytes]:
    certificate = gateway_certificates.find(tx, call.project_id, gateway_id.lower())
    if certificate is None:
        raise errors.NotFound(f"a certificate of VPN gateway {gateway_id[:64]}")
    return certificate


@operation("show_vpn_gateway_certificate", "reader", "read")
def show(tx: Transaction, call: Call, request: model.GatewayRef) -> model.GatewayCertificate:
    return _find(tx, call, request.gateway_id)[0]


@operation("list_vpn_gateway_certificates", "reader", "long read")
def list_page(
    tx: Transaction, call: Call, request: model.GatewayCertificateListRequest
) -> list[model.GatewayCertificate]:
    certificates = gateway_certificates.list_after(tx, call.project_id, request.created_after)
    days = request.expires_within_days
    if days is not None:
        certificates = [
            certificate for certificate in certificates if certificate.expire_time <= call.now + timedelta(days=days)
        ]
    return certificates[: request.limit]


@operation("update_vgw_certificate", "admin", "write")
def update(tx: Transaction, call: Call, request: model.GatewayCertificateUpdateRequest) -> model.GatewayCertificate:
    _gateway(tx, call, request.gateway_id)
    before, sealed = _find(tx, call, request.gateway_id)
    if before.id != request.certificate_id.lower():
        raise errors.NotFound(f"certificate {request.certificate_id[:64]}")
    versions.check_match(call.if_match, lambda: etag(before))
    present = rules.asked(before, _opened(call, before, sealed))
    merged = rules.merged(request.change, present)
    call.refuse(rules.check(merged, call.now, present))
    if merged == present:
        return before
    made = dataclasses.replace(rules.updated(merged, before), updated_at=call.time_after(before.updated_at))
    gateway_certificates.change(tx, made, _sealed(call, made, merged))
    call.audit(tx, update.name, made.id)
    return made

"""Quotas on the wire."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from landbridge import model
from landbridge.wire import schema

#: The `quota` of an answer where no quota is set.
WITHOUT_LIMIT = -1


class QuotaAnswer(schema.Answer):
    """QuotaInfo."""

    type: str = Field(description="customer_gateway, vpn_connection or vpn_gateway")
    quota: int = Field(description="how many the project may have; -1: any number")
    used: int


class QuotasOfAll(schema.Answer):
    """Quotas."""

    resources: list[QuotaAnswer]


class Quotas(schema.Answer):
    quotas: QuotasOfAll
    request_id: str


def quotas(values: Sequence[model.Quota]) -> dict[str, Any]:
    resources = [{"type": quota.kind, "quota": quota.limit or WITHOUT_LIMIT, "used": quota.used} for quota in values]
    return {"quotas": {"resources": resources}}

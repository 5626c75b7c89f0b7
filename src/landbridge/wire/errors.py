"""Error bodies, and the one table from kinds of errors to HTTP status and error code."""

from typing import Any

from landbridge import errors
from landbridge.wire import schema

#: error class -> HTTP status, error code, prefix of the message
TABLE: dict[type[errors.LandbridgeError], tuple[int, str, str]] = {
    errors.Invalid: (400, "VPN.0001", "invalid request: "),
    errors.InUse: (400, "VPN.0001", "invalid request: "),
    errors.Repeated: (400, "VPN.0031", "repeated operation: "),
    errors.Changed: (412, "VPN.0001", "precondition failed: "),
    errors.Deleting: (425, "VPN.0009", ""),
    errors.Unauthenticated: (401, "APIGW.0301", "Incorrect IAM authentication information: "),
    errors.Forbidden: (403, "VPN.0003", "Authentication failed: "),
    errors.NotFound: (404, "VPN.0004", "resource not found: "),
    errors.Busy: (503, "VPN.0030", "the system is busy, try later: "),
}
NO_SUCH_PATH = (404, "APIGW.0101", "The API does not exist or has not been published in the environment")
WRONG_METHOD = (405, "APIGW.0106", "The method is not allowed on this path")
TOO_LARGE = (413, "VPN.0001", "invalid request: the body is larger than 1 MiB")
TOO_LATE = (408, "VPN.0001", "invalid request: it was not complete in time")
NOT_HTTP = (400, "VPN.0001", "invalid request: it is not a request of HTTP/1.1")
WRONG_CHUNKS = (
    400,
    "VPN.0001",
    "invalid request: the body's chunks are too small, or have extensions that are too long",
)
URL_TOO_LONG = (414, "VPN.0001", "invalid request: the request line is longer than 16 KiB")
HEAD_TOO_LARGE = (431, "VPN.0001", "invalid request: more than 32 KiB or 100 fields of headers, or 8 KiB of trailers")
OUR_FAULT = (500, "VPN.0002", "server error: the service has failed, not the request; its log has the request id")


class Detail(schema.Answer):
    field: str
    message: str


class ErrorAnswer(schema.Answer):
    """The body of every error. `details` lists every violation of a request that breaks rules."""

    error_code: str
    error_msg: str
    request_id: str
    details: list[Detail] | None = None


def render(error: errors.LandbridgeError, request_id: str) -> tuple[int, dict[str, Any]]:
    known = TABLE.get(type(error))
    if known is None:
        return OUR_FAULT[0], body(*OUR_FAULT[1:], request_id)
    status, code, prefix = known
    answer = body(code, prefix + str(error), request_id)
    if isinstance(error, errors.Invalid):
        codes = {v.code for v in error.violations}
        answer["error_code"] = codes.pop() if len(codes) == 1 else code
        answer["details"] = [{"field": v.field, "message": v.message} for v in error.violations]
    return status, answer


def body(code: str, message: str, request_id: str) -> dict[str, Any]:
    return {"error_code": code, "error_msg": message, "request_id": request_id}

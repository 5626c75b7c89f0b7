"""The names of the error notifies in a message that charon logs. Pure."""

import re

from landbridge.model import negotiation

#: charon's abbreviation of an error notify -> its name in the RFC.
ERROR_NOTIFIES = {
    "INVAL_IKE_SPI": "INVALID_IKE_SPI",
    "INVAL_MAJOR": "INVALID_MAJOR_VERSION",
    "INVAL_SYN": "INVALID_SYNTAX",
    "INVAL_MID": "INVALID_MESSAGE_ID",
    "ATTR_UNSUP": "ATTRIBUTES_NOT_SUPPORTED",
    "NO_PROP": "NO_PROPOSAL_CHOSEN",
    "PLD_MAL": "PAYLOAD_MALFORMED",
    "INVAL_KE": "INVALID_KE_PAYLOAD",
    "INVAL_ID": "INVALID_ID_INFORMATION",
    "INVAL_CERT": "INVALID_CERTIFICATE",
    "CERT_UNSUP": "CERT_TYPE_UNSUPPORTED",
    "INVAL_CA": "INVALID_CERT_AUTHORITY",
    "INVAL_HASH": "INVALID_HASH_INFORMATION",
    "AUTH_FAILED": "AUTHENTICATION_FAILED",
    "SINGLE_PAIR": "SINGLE_PAIR_REQUIRED",
    "NO_ADD_SAS": "NO_ADDITIONAL_SAS",
    "INT_ADDR_FAIL": "INTERNAL_ADDRESS_FAILURE",
    "FAIL_CP_REQ": "FAILED_CP_REQUIRED",
    "TS_UNACCEPT": "TS_UNACCEPTABLE",
    "INVAL_SEL": "INVALID_SELECTORS",
    "TEMP_FAIL": "TEMPORARY_FAILURE",
    "NO_CHILD_SA": "CHILD_SA_NOT_FOUND",
}
_NOTIFY = re.compile(r"N\(([^)]*)\)$")


def error_of(message: negotiation.Message) -> str | None:
    """The name of the error notify in a message; None without one."""
    for payload in message.payloads:
        match = _NOTIFY.match(payload)
        if match and match[1] in ERROR_NOTIFIES:
            return ERROR_NOTIFIES[match[1]]
    return None

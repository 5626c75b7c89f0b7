"""Errors of the kernel, of charon and of commands, in the operator's words."""

import contextlib
import os
import subprocess
from collections.abc import Iterator

from pyroute2.netlink.exceptions import NetlinkError
from vici.exception import CommandException

from landbridge.engine import base
from landbridge.engine.strongswan.ike import vici_protocol

ERRORS = (OSError, NetlinkError, CommandException, *vici_protocol.PROTOCOL_ERRORS, subprocess.SubprocessError)


@contextlib.contextmanager
def as_step_failed() -> Iterator[None]:
    """Raises StepFailed in place of ERRORS."""
    try:
        yield
    except ERRORS as error:
        raise base.StepFailed(text(error)) from error


def text(error: Exception) -> str:
    if isinstance(error, NetlinkError):
        return f"the kernel answered: {os.strerror(error.code)}"
    if isinstance(error, TimeoutError | BlockingIOError):
        return "charon does not answer"
    if isinstance(error, vici_protocol.PROTOCOL_ERRORS):
        return f"charon's answer cannot be read: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error).removeprefix("Command failed: ")

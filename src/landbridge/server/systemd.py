"""Notifications of this process to systemd."""

import os
import socket


def notify(state: str) -> None:
    """Sends `state` to the service manager (sd_notify(3)). Does nothing where systemd did not start this process."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)

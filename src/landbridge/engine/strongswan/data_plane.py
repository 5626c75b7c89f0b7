"""Detects where ESP is done on this machine: in the kernel, with an XFRM interface for each connection, or in charon, with one TUN for all."""

import subprocess

from landbridge import model

#: What the kernel must have -> arguments of `ip` that need it. The empty argument after `digest_null` is an empty key.
_NEEDED = {
    "ESP": "xfrm state add src 127.0.0.1 dst 127.0.0.1 proto esp spi 0x100 mode tunnel enc cipher_null  auth digest_null ",
    "XFRM interfaces": "link add x1 type xfrm if_id 1",
}


def detect() -> tuple[model.Plane, str]:
    """Returns the data plane that this kernel supports, and the reason. It tries the kernel in a temporary namespace."""
    for need, command in _NEEDED.items():
        done = subprocess.run(["unshare", "--net", "ip", *command.split(" ")], capture_output=True, check=False)  # noqa: S603, S607
        if done.returncode:
            return "userland", f"this kernel has no {need}"
    return "kernel", "this kernel has ESP and XFRM interfaces"

"""`landbridge db check`: looks at a data folder and changes nothing."""

import argparse

from landbridge import bootstrap, config, errors


def check(settings: config.Settings, _: argparse.Namespace) -> None:
    """Every finding on a line of its own, or what there is. Raises when there was a finding."""
    found, counts = bootstrap.check_data(settings)
    for finding in found:
        print(finding)
    if found:
        raise errors.LandbridgeError(f"{settings.serve.data}: {len(found)} findings")
    print("ok, " + ", ".join(f"{number} {_PLURAL[name]}" for name, number in counts.items()))


_PLURAL = {
    "vpn_gateway": "gateways",
    "connection": "connections",
    "customer_gateway": "customer gateways",
    "project": "projects",
    "access_key": "access keys",
    "audit": "audit events",
}

"""`landbridge db check`: checks a data folder and changes nothing."""

from types import SimpleNamespace

from landbridge import config, data_folder, errors
from landbridge.cli import counts


def check(settings: config.Settings, _: SimpleNamespace) -> None:
    """Prints a line for each finding, or how much there is of what. Raises LandbridgeError when there was a finding."""
    faults, numbers = data_folder.check_data(settings)
    for finding in faults:
        print(finding)
    if faults:
        raise errors.LandbridgeError(f"{settings.serve.data}: {counts.count(len(faults), 'finding')}")
    print("ok, " + ", ".join(counts.count(number, _NAMES[name]) for name, number in numbers.items()))


_NAMES = {
    "vpn_gateway": "gateway",
    "connection": "connection",
    "customer_gateway": "customer gateway",
    "project": "project",
    "access_key": "access key",
    "audit": "audit event",
}

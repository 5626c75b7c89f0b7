"""What the tests in virtual machines wait for, against what an installation allows."""

import re

from lab import installed
from landbridge.install import files


def test_systemctl_waits_longer_than_a_restart_of_the_service_may_take():
    text = files.managed(files.OWN)[f"{files.OWN.units}/{files.SERVICE}"]
    bounds = dict(re.findall(r"^Timeout(Start|Stop)Sec=(\d+)$", text, re.MULTILINE))
    assert bounds.keys() == {"Start", "Stop"}
    assert sum(map(int, bounds.values())) < installed.SYSTEMCTL_SECONDS

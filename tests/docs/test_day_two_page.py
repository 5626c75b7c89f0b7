"""The how-to on day two: its commands run on an installation of their own, with the simulated engine and without systemd."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import upgrade
from tests.docs import pages

pytestmark = pytest.mark.process

NAME = "day-two"
#: Stands in for systemd, which does not run here: one service, as its unit starts it. tests/kernel/test_install.py has the real one.
SYSTEMCTL = """\
#!/bin/bash
pid=$(cat /run/service.pid 2>/dev/null)
stop() { [ -z "$pid" ] || { kill "$pid"; while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done; rm /run/service.pid; }; }
start() {
  : > /run/service.log
  setsid /usr/local/bin/landbridge serve --config /etc/landbridge/landbridge.toml --data /var/lib/landbridge --engine simulated \\
    --processes 1 >> /run/service.log 2>&1 &
  echo $! > /run/service.pid
  while kill -0 $! && ! grep -q 'listening on' /run/service.log; do sleep 0.05; done
  kill -0 $! || { cat /run/service.log >&2; exit 1; }
}
case "$1" in
  stop) stop ;;
  start) start ;;
  restart) stop; start ;;
  is-enabled) [ "$2" = landbridge.service ] && echo enabled || echo disabled ;;
  is-active) [ -n "$pid" ] && [ "$2" = landbridge.service ] && echo active || echo inactive ;;
  show) echo "$pid" ;;
  daemon-reload) ;;
  *) echo "systemctl $*: not expected" >&2; exit 1 ;;
esac
"""
#: The host as the page finds it: an earlier installation that runs, with a tunnel. The disk of /srv is a small one.
BEFORE = """\
mkdir -p /run/systemd/system /run/over
for each in etc var opt usr/local media; do
  mkdir -p /run/over/$each/upper /run/over/$each/work
  mount -t overlay overlay -o lowerdir=/$each,upperdir=/run/over/$each/upper,workdir=/run/over/$each/work /$each
done
mount -t tmpfs -o size=64m tmpfs /srv
mkdir -p -m 700 /etc/landbridge /var/lib/landbridge /usr/local/bin
cp site.toml /etc/landbridge/
for each in systemctl journalctl; do install -m 755 $each /usr/local/bin/; done
PATH=/usr/local/bin:$PATH
PYTHONPATH=$PWD/0.0.1 $PYTHON -m landbridge.cli.main install > earlier
landbridge gateway create --name hq --vpc 0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa --local-subnet 10.0.0.0/24 --wait
landbridge customer-gateway create --name branch --address 198.51.100.2
echo A-long-secret-of-your-own > psk
landbridge connection create --name hq-branch --gateway hq --customer-gateway branch --peer-subnet 192.168.44.0/24 --psk-file psk --wait
"""
SITE = """\
[[eip]]
id = "7f0c3a52-5d0e-4c7e-9a43-0d1c2b3a4f51"
address = "203.0.113.9"

[[eip]]
id = "7f0c3a52-5d0e-4c7e-9a43-0d1c2b3a4f52"
address = "203.0.113.10"

[[network]]
id = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
cidr = "10.0.0.0/24"
"""
#: What happens to the host between two commands of the page.
ACCIDENTS = {
    "landbridge projects list\n": "rm /var/lib/landbridge/credentials.toml\n",
    "install -m 600 /media/safe/master.key /var/lib/landbridge/master.key\nlandbridge db check\n": "rm /var/lib/landbridge/master.key\n"
    "if systemctl restart landbridge; then exit 1; fi\n",
    "df -h /var/lib/landbridge\n": "head -c 1G /dev/zero > /srv/ballast || true\n",
    "rm -f /var/lib/landbridge/landbridge.db.before-*\n": "rm /srv/ballast\n",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lb-page-") as name:
        yield Path(name)


def test_every_command_of_the_page_works(folder: Path):
    (folder / "site.toml").write_text(SITE)
    (folder / "systemctl").write_text(SYSTEMCTL)
    (folder / "journalctl").write_text("#!/bin/sh\n")
    replaced = {command: accident + command for command, accident in ACCIDENTS.items()}
    assert all(pages.page(NAME).count(command) == 1 for command in replaced)
    replaced[".venv/bin/landbridge"] = str(pages.LANDBRIDGE)
    upgrade.another_version(folder, "0.0.1")
    printed = pages.run(NAME, folder, isolated=True, before=BEFORE, replaced=replaced, PYTHON=sys.executable)
    for told in (
        "copy landbridge ",
        "start landbridge.service anew; tunnels stay up",
        "ok, 1 gateway, 1 connection",
        "master.key: is missing, and secrets in /var/lib/landbridge/landbridge.db are encrypted under it",
        "landbridge: hq-branch: ACTIVE",
        "nothing was stored",
    ):
        assert told in printed, printed

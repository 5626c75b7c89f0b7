"""`landbridge serve`: runs the service."""

import sys
from types import SimpleNamespace

from landbridge import bootstrap, config
from landbridge.cli import log, worker


def serve(settings: config.Settings, _: SimpleNamespace) -> None:
    log.configure(settings.log)
    try:
        bootstrap.serve(settings, worker.__name__)
    except KeyboardInterrupt:
        print("landbridge: stopped; tunnels stay up until `landbridge engine stop`", file=sys.stderr)

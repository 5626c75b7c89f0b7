"""`landbridge check-config`: reads all settings and the site file, prints them, and starts nothing."""

import sys
from types import SimpleNamespace

from landbridge import config, data_folder, errors, site_file
from landbridge.cli import counts
from landbridge.engine import local
from landbridge.operations import site_cover
from landbridge.server import listener


def check(settings: config.Settings, arguments: SimpleNamespace) -> None:
    """Raises ConfigError where the machine lacks something that the site file names."""
    site = site_file.find(settings)
    listener.resolve(settings.serve)
    listener.certificate(settings.serve)
    if settings.serve.engine in local.STRONGSWAN:
        local.check_units(settings)
    for group, key in config.names():
        print(f"[{group}] {key} = {getattr(getattr(settings, group), key)!r}")
    has = f"{counts.count(len(site.eips), 'EIP')}, {counts.count(len(site.networks), 'network')}"
    print(f"site: {has}, zones {', '.join(site.zones)}")
    if arguments.files_only:
        return
    known = data_folder.known_projects(settings)
    for line in [] if known is None else site_cover.unknown_projects(site, known):
        print(f"landbridge: warning: {line}", file=sys.stderr)
    lacks = local.missing(settings, site)
    if lacks:
        raise errors.ConfigError("\n".join(lacks))

"""Landbridge on a Debian host with systemd: what `landbridge install` and `landbridge uninstall` put there and take away.

At the level of `bootstrap`: files, links and units belong here; what a gateway or a connection is must never enter.
"""

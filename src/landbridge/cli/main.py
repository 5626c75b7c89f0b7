"""`landbridge`: its commands and their flags. A module beside this one has each command, except `serve`."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from landbridge import __version__, bootstrap, config, errors
from landbridge.cli import backup, check_config, console, db, engine, install, keys, log, pause, worker
from landbridge.operations import access

#: Adds a command to a parser, as `argparse` does it.
AddParser = Callable[..., argparse.ArgumentParser]


def main(command_line: Sequence[str] | None = None) -> int:
    """Runs one command. Returns the exit status: 0, or 1 after an error, which it prints in one line."""
    arguments = _parser().parse_args(command_line)
    os.umask(0o077)  # the files of a data folder are for their owner only
    try:
        flags = {name: getattr(arguments, name, None) for name in config.FLAGS}
        arguments.command(config.load(flags, os.environ), arguments)
    except errors.NotFound as error:
        return _fail(f"not found: {error}")
    except errors.LandbridgeError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return 130
    return 0


def _fail(why: str) -> int:
    print(f"landbridge: {why}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="landbridge", description="Site-to-site VPN with the VPN v5 API.")
    parser.add_argument("--version", action="version", version=__version__)
    add = parser.add_subparsers(title="commands", required=True, metavar="COMMAND").add_parser
    serve = _verb(add, "serve", "run the service: API and agent", _serve)
    serve.add_argument("--listen", metavar="HOST:PORT", help="address of the API (default 127.0.0.1:8700)")
    serve.add_argument("--engine", choices=config.ENGINES, help="what makes tunnels (default auto)")
    serve.add_argument("--site", metavar="FILE", help="site file: EIPs and networks (default: documentation addresses)")
    serve.add_argument(
        "--tls-certificate", metavar="FILE", help="certificate and chain (PEM); renewed files are noticed"
    )
    serve.add_argument("--tls-key", metavar="FILE", help="the certificate's private key (PEM)")
    serve.add_argument(
        "--insecure-http", action="store_true", default=None, help="listen beyond this machine without TLS"
    )
    serve.add_argument(
        "--processes", metavar="N", help="processes that answer the API (default one a processor, at most 4)"
    )

    add_keys = add("keys", help="access keys").add_subparsers(required=True, metavar="VERB").add_parser
    create = _verb(add_keys, "create", "make a key and print it, once", keys.create)
    create.add_argument("--project", metavar="PROJECT", help="the key's project, id or name (none for an operator)")
    create.add_argument("--role", choices=access.ROLES, default="admin", help="default admin")
    _verb(add_keys, "list", "all keys, without their secrets", keys.list_all)
    revoke = _verb(add_keys, "revoke", "make a key useless within a second", keys.revoke)
    revoke.add_argument("access_key")

    _verb(add_keys, "rotate-master", "encrypt all secrets anew under a new master key", backup.rotate_master)

    link = _verb(
        add, "console", "print a link that signs in to the console, once and within ten minutes", console.make_link
    )
    link.add_argument("--key", metavar="ACCESS_KEY", help="who signs in (default: the key of credentials.toml)")

    add_projects = add("projects", help="projects").add_subparsers(required=True, metavar="VERB").add_parser
    create = _verb(add_projects, "create", "make a project and print its id", keys.create_project)
    create.add_argument("name")
    _verb(add_projects, "list", "all projects", keys.list_projects)

    for name, command, text, force in (
        ("backup", backup.backup, "save the data folder to a file, also while a service runs", "overwrite FILE"),
        (
            "restore",
            backup.restore,
            "make a data folder of a backup",
            "restore over a database, and keep it aside",
        ),
    ):
        verb = _verb(add, name, text, command)
        verb.add_argument("file", metavar="FILE")
        verb.add_argument("--force", action="store_true", help=force)
    add_db = add("db", help="the database").add_subparsers(required=True, metavar="VERB").add_parser
    _verb(
        add_db, "check", "check that the database of a data folder holds what it must hold; changes nothing", db.check
    )

    add_engine = (
        add("engine", help="the tunnels of this machine").add_subparsers(required=True, metavar="VERB").add_parser
    )
    stop = _verb(add_engine, "stop", "take down all that the engine made for this data folder", engine.stop)
    stop.add_argument("--site", metavar="FILE", help="the site file that the service ran with")
    stop.add_argument("--yes", action="store_true", help="ask nothing")
    for name, command, text in (
        ("pause", pause.pause, "let the agent watch and change nothing, until `resume`"),
        ("resume", pause.resume, "let the agent act again"),
    ):
        verb = _verb(add, name, text, command)
        verb.add_argument("gateway_id", nargs="?", help="only this VPN gateway (default: all)")
    check = _verb(
        add,
        "check-config",
        "read all settings and the site file, print them, and say what this machine lacks",
        check_config.check,
    )
    check.add_argument("--site", metavar="FILE")
    check.add_argument(
        "--files-only", action="store_true", help="do not look whether this machine has what the site names"
    )
    install.add(add)
    return parser


def _verb(add_parser: AddParser, name: str, text: str, command: object) -> argparse.ArgumentParser:
    parser = add_parser(name, help=text, description=text)
    parser.add_argument("--data", metavar="DIR", help="data folder (default /var/lib/landbridge)")
    parser.add_argument("--config", metavar="FILE", help="configuration file (TOML)")
    parser.set_defaults(command=command)
    return parser


def _serve(settings: config.Settings, _: argparse.Namespace) -> None:
    log.configure(settings.log)
    try:
        bootstrap.serve(settings, worker.__name__)
    except KeyboardInterrupt:
        print("landbridge: stopped; tunnels stay up until `landbridge engine stop`", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

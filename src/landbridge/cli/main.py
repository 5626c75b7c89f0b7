"""`landbridge`: serve, keys, projects, engine, check-config."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from landbridge import __version__, bootstrap, config, errors
from landbridge.cli import counts, data_folder, db, install, log, pause
from landbridge.operations import access, clock


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0, or 1 after an error that is told in one line."""
    given = _parser().parse_args(arguments)
    os.umask(0o077)  # whatever is made in a data folder is its owner's only
    try:
        flags = {name: getattr(given, name, None) for name in config.FLAGS}
        given.command(config.load(flags, os.environ), given)
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
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    serve = _verb(verbs, "serve", "run the service: API and agent", _serve)
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

    of_keys = verbs.add_parser("keys", help="access keys").add_subparsers(required=True, metavar="VERB")
    create = _verb(of_keys, "create", "make a key and print it, once", _create_key)
    create.add_argument("--project", metavar="PROJECT", help="the key's project, id or name (none for an operator)")
    create.add_argument("--role", choices=access.ROLES, default="admin", help="default admin")
    _verb(of_keys, "list", "all keys, without their secrets", _list_keys)
    revoke = _verb(of_keys, "revoke", "make a key useless within a second", _revoke_key)
    revoke.add_argument("access_key")

    _verb(of_keys, "rotate-master", "encrypt all secrets anew under a new master key", data_folder.rotate_master)

    of_projects = verbs.add_parser("projects", help="projects").add_subparsers(required=True, metavar="VERB")
    create = _verb(of_projects, "create", "make a project and print its id", _create_project)
    create.add_argument("name")
    _verb(of_projects, "list", "all projects", _list_projects)

    for name, command, text, force in (
        ("backup", data_folder.backup, "save the data folder to a file, also while a service runs", "overwrite FILE"),
        (
            "restore",
            data_folder.restore,
            "make a data folder of a backup",
            "restore over a database, and keep it aside",
        ),
    ):
        verb = _verb(verbs, name, text, command)
        verb.add_argument("file", metavar="FILE")
        verb.add_argument("--force", action="store_true", help=force)
    of_db = verbs.add_parser("db", help="the database").add_subparsers(required=True, metavar="VERB")
    _verb(of_db, "check", "look whether all that must hold in a data folder holds; changes nothing", db.check)

    of_engine = verbs.add_parser("engine", help="the tunnels of this machine").add_subparsers(
        required=True, metavar="VERB"
    )
    stop = _verb(of_engine, "stop", "take down all that the engine made for this data folder", _stop_engine)
    stop.add_argument("--site", metavar="FILE", help="the site file that the service ran with")
    stop.add_argument("--yes", action="store_true", help="ask nothing")
    for name, command, text in (
        ("pause", pause.pause, "let the agent watch and change nothing, until `resume`"),
        ("resume", pause.resume, "let the agent act again"),
    ):
        verb = _verb(verbs, name, text, command)
        verb.add_argument("gateway_id", nargs="?", help="only this VPN gateway (default: all)")
    check = _verb(
        verbs,
        "check-config",
        "read all settings and the site file, print them, and say what this machine lacks",
        _check_config,
    )
    check.add_argument("--site", metavar="FILE")
    check.add_argument(
        "--files-only", action="store_true", help="do not look whether this machine has what the site names"
    )
    install.add(verbs)
    return parser


def _verb(verbs: argparse._SubParsersAction, name: str, text: str, command: object) -> argparse.ArgumentParser:  # type: ignore[type-arg]
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.add_argument("--data", metavar="DIR", help="data folder (default /var/lib/landbridge)")
    parser.add_argument("--config", metavar="FILE", help="configuration file (TOML)")
    parser.set_defaults(command=command)
    return parser


def _serve(settings: config.Settings, _: argparse.Namespace) -> None:
    log.start()
    try:
        bootstrap.serve(settings)
    except KeyboardInterrupt:
        print("landbridge: stopped; tunnels stay up until `landbridge engine stop`", file=sys.stderr)


def _create_key(settings: config.Settings, given: argparse.Namespace) -> None:
    with bootstrap.open_data(settings, make=False) as data:
        made = data.database.write(lambda tx: access.create_key(tx, data.vault, given.project, given.role, clock.now()))
    for name, value in (("endpoint", bootstrap.known_endpoint(settings)), ("project_id", made.project_id)):
        if value is not None:
            print(f'{name} = "{value}"')
    print(f'access_key = "{made.access_key}"')
    print(f'secret_key = "{made.secret_key.reveal()}"')
    print(f'token = "{made.token.reveal()}"')


def _list_keys(settings: config.Settings, _: argparse.Namespace) -> None:
    with bootstrap.open_data(settings, make=False) as data:
        for key in data.database.read(access.list_keys):
            state = "revoked" if key.revoked else "valid"
            print(f"{key.access_key}  {key.role:8}  {key.project_id or '-':32}  {key.created_at:%Y-%m-%d}  {state}")


def _revoke_key(settings: config.Settings, given: argparse.Namespace) -> None:
    with bootstrap.open_data(settings, make=False) as data:
        data.database.write(lambda tx: access.revoke_key(tx, given.access_key, clock.now()))


def _create_project(settings: config.Settings, given: argparse.Namespace) -> None:
    with bootstrap.open_data(settings, make=False) as data:
        print(data.database.write(lambda tx: access.create_project(tx, given.name, clock.now())))


def _list_projects(settings: config.Settings, _: argparse.Namespace) -> None:
    with bootstrap.open_data(settings, make=False) as data:
        for project_id, name in data.database.read(access.list_projects):
            print(f"{project_id}  {name}")


def _stop_engine(settings: config.Settings, given: argparse.Namespace) -> None:
    def agree(gateways: Sequence[str], left: Sequence[str]) -> bool:
        if not (gateways or left or Path(settings.serve.data).is_dir()):
            raise errors.ConfigError(
                f"{settings.serve.data}: no such data folder (--data names it), and nothing of it is here"
            )
        return given.yes or _agrees(gateways, left)

    print(f"took down {counts.count(bootstrap.stop_engine(settings, agree), 'gateway')}")


def _agrees(gateways: Sequence[str], left: Sequence[str]) -> bool:
    """A person is asked. A script that does not say --yes may take down gateways, but nothing whose folder is gone."""
    for one in (*(f"gateway {gateway_id}" for gateway_id in gateways), *(f"{one}, its folder is gone" for one in left)):
        print(one)
    if sys.stdin.isatty():
        return not (gateways or left) or input("Take them down? Their tunnels end. [y/N] ").strip().lower() in (
            "y",
            "yes",
        )
    if left:
        raise errors.ConfigError(
            "nothing was taken down: folders of gateways are gone (--yes takes down what is left too)"
        )
    return True


def _check_config(settings: config.Settings, given: argparse.Namespace) -> None:
    """Ends with 1 where the machine lacks something that the site file names."""
    site = bootstrap.load_site(settings)
    bootstrap.check_listener(settings)
    for group, key in config.names():
        print(f"[{group}] {key} = {getattr(getattr(settings, group), key)!r}")
    has = f"{counts.count(len(site.eips), 'EIP')}, {counts.count(len(site.networks), 'network')}"
    print(f"site: {has}, zones {', '.join(site.zones)}")
    if given.files_only:
        return
    for line in bootstrap.unknown_projects(settings, site):
        print(f"landbridge: warning: {line}", file=sys.stderr)
    lacks = bootstrap.machine_lacks(settings, site)
    if lacks:
        raise errors.ConfigError("\nlandbridge: ".join(lacks))


if __name__ == "__main__":
    sys.exit(main())

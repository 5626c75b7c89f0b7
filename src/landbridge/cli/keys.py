"""`landbridge keys` and `landbridge projects`, on the data folder."""

from types import SimpleNamespace

from landbridge import config, data_folder
from landbridge.data_folder import credentials
from landbridge.operations import access, clock
from landbridge.server import listener


def create(settings: config.Settings, arguments: SimpleNamespace) -> None:
    with data_folder.open_data(settings, make=False) as data:
        made = data.database.write(
            lambda tx: access.create_key(tx, data.vault, arguments.project, arguments.role, clock.now())
        )
    endpoint = credentials.read_endpoint(settings) or listener.configured_endpoint(settings.serve)
    for name, value in (("endpoint", endpoint), ("project_id", made.project_id)):
        if value is not None:
            print(f'{name} = "{value}"')
    print(f'access_key = "{made.access_key}"')
    print(f'secret_key = "{made.secret_key.reveal()}"')
    print(f'token = "{made.token.reveal()}"')


def list_all(settings: config.Settings, _: SimpleNamespace) -> None:
    with data_folder.open_data(settings, make=False) as data:
        for key in data.database.read(access.list_keys):
            state = "revoked" if key.revoked else "valid"
            print(f"{key.access_key}  {key.role:8}  {key.project_id or '-':32}  {key.created_at:%Y-%m-%d}  {state}")


def revoke(settings: config.Settings, arguments: SimpleNamespace) -> None:
    with data_folder.open_data(settings, make=False) as data:
        data.database.write(lambda tx: access.revoke_key(tx, arguments.access_key, clock.now()))


def create_project(settings: config.Settings, arguments: SimpleNamespace) -> None:
    with data_folder.open_data(settings, make=False) as data:
        print(data.database.write(lambda tx: access.create_project(tx, arguments.name, clock.now())))


def list_projects(settings: config.Settings, _: SimpleNamespace) -> None:
    with data_folder.open_data(settings, make=False) as data:
        for project_id, name in data.database.read(access.list_projects):
            print(f"{project_id}  {name}")

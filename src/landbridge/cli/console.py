"""`landbridge console`: a link that signs in to the console."""

from types import SimpleNamespace

from landbridge import config, data_folder, errors
from landbridge.data_folder import credentials
from landbridge.operations import clock, console_sessions
from landbridge.server import listener


def make_link(settings: config.Settings, arguments: SimpleNamespace) -> None:
    """Prints a link that works once. The key is the one of `credentials.toml` where no other one is named."""
    access_key = arguments.key or credentials.read_access_key(settings)
    if access_key is None:
        raise errors.ConfigError(f"no credentials.toml in {settings.serve.data}: name an access key with --key")
    with data_folder.open_data(settings, make=False) as data:
        secret = data.database.write(lambda tx: console_sessions.make_link(tx, access_key, clock.now()))
    endpoint = credentials.read_endpoint(settings) or listener.configured_endpoint(settings.serve)
    print(f"{endpoint}/console/link/{secret.reveal()}")

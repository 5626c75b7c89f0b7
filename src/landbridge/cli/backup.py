"""`landbridge backup`, `restore` and `keys rotate-master`: commands on a data folder as a whole."""

from pathlib import Path
from types import SimpleNamespace

from landbridge import config, data_folder


def backup(settings: config.Settings, arguments: SimpleNamespace) -> None:
    saved = data_folder.save(settings, Path(arguments.file), force=arguments.force)
    print(f"saved {saved.size} bytes to {arguments.file}")
    print(
        f"Its secrets open under the master key {saved.fingerprint} only, which is not in it: keep {saved.key} too, apart."
    )


def restore(settings: config.Settings, arguments: SimpleNamespace) -> None:
    kept = data_folder.restore(settings, Path(arguments.file), force=arguments.force)
    print(f"restored {arguments.file} to {settings.serve.data}")
    if kept is not None:
        print(f"What was there before is kept as {kept}")
    print(
        "Keys that were revoked and resources that were deleted after the backup are back; tunnels made after it go at the next start."
    )


def rotate_master(settings: config.Settings, _: SimpleNamespace) -> None:
    rotated = data_folder.rotate_master(settings)
    print(f"sealed {rotated.values} values anew; {rotated.key} is now the master key {rotated.fingerprint}")
    print(f"The old one is kept as {rotated.kept}: delete it when you keep no backup from before.")

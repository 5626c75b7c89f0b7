"""Which unpacked packages of the cache are used, and which are fetched again."""

from pathlib import Path

import pytest

from lab import debian_packages


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the packages that were fetched into an empty cache. In place of apt, it writes the files that are used."""
    fetched: list[str] = []

    def unpack(package: str, tree: Path) -> None:
        fetched.append(package)
        for file in debian_packages.USED[package]:
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            (tree / file).touch()

    monkeypatch.setattr(debian_packages, "CACHE", tmp_path)
    monkeypatch.setattr(debian_packages, "_unpack", unpack)
    return fetched


@pytest.mark.parametrize("package", debian_packages.USED)
def test_a_package_is_fetched_once(package: str, unpacked: list[str]):
    assert debian_packages.fetch(package) == debian_packages.fetch(package)
    assert unpacked == [package]


@pytest.mark.parametrize(
    ("package", "file"), [(package, file) for package, files in debian_packages.USED.items() for file in files]
)
def test_a_folder_that_lacks_a_file_is_fetched_again(package: str, file: str, unpacked: list[str]):
    tree = debian_packages.fetch(package)
    (tree / file).unlink()
    old = tree / "usr/of-the-version-before"
    old.touch()
    assert (debian_packages.fetch(package) / file).exists()
    assert not old.exists()
    assert unpacked == [package, package]

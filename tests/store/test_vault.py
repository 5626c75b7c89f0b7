"""Encryption at rest."""

from pathlib import Path

import pytest

from landbridge import config, data_folder, errors
from landbridge.store import vault


def test_what_is_sealed_opens_again(safe: vault.Vault):
    assert safe.open(safe.seal(b"secret", "row-1"), "row-1") == b"secret"


def test_a_sealed_value_does_not_show_what_it_holds(safe: vault.Vault):
    assert b"secret" not in safe.seal(b"secret" * 20, "row-1")
    assert safe.seal(b"secret", "row-1") != safe.seal(b"secret", "row-1")


def test_a_sealed_value_belongs_to_its_row(safe: vault.Vault):
    with pytest.raises(errors.ConfigError):
        safe.open(safe.seal(b"secret", "row-1"), "row-2")


@pytest.mark.parametrize("place", [0, 11, 12, -1])
def test_a_changed_value_does_not_open(safe: vault.Vault, place: int):
    sealed = bytearray(safe.seal(b"secret", "row-1"))
    sealed[place] ^= 1
    with pytest.raises(errors.ConfigError):
        safe.open(bytes(sealed), "row-1")


def test_another_master_key_is_told_clearly(safe: vault.Vault):
    other = vault.Vault(b"x" * vault.KEY_BYTES)
    with pytest.raises(errors.ConfigError, match="the master key does not fit this database"):
        other.open(safe.seal(b"secret", "row-1"), "row-1")


def test_a_master_key_is_made_once_and_for_its_owner_only(tmp_path: Path):
    path = tmp_path / "master.key"
    key = vault.read_key(path)
    assert (len(key), path.stat().st_mode & 0o777) == (vault.KEY_BYTES, 0o600)
    assert vault.read_key(path) == key


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_master_key_of_the_wrong_length_is_refused(tmp_path: Path, length: int):
    path = tmp_path / "master.key"
    path.write_bytes(b"k" * length)
    path.chmod(0o600)
    with pytest.raises(errors.ConfigError, match=f"32 bytes, this file has {length}"):
        vault.read_key(path)


def test_a_data_folder_with_another_master_key_does_not_open(tmp_path: Path):
    settings = config.load({"data": str(tmp_path)}, {})
    with data_folder.open_data(settings):
        pass
    (tmp_path / "master.key").write_bytes(b"x" * vault.KEY_BYTES)
    with pytest.raises(errors.ConfigError, match="the master key does not fit"), data_folder.open_data(settings):
        pass


def test_a_master_key_may_live_elsewhere(tmp_path: Path):
    settings = config.load({"data": str(tmp_path / "data")}, {"LANDBRIDGE_SECRETS_MASTER_KEY": str(tmp_path / "key")})
    with data_folder.open_data(settings) as data:
        assert data.fingerprint_key
    assert (tmp_path / "key").exists()
    assert not (tmp_path / "data" / "master.key").exists()


def test_a_master_key_that_others_can_read_is_refused(tmp_path: Path):
    path = tmp_path / "master.key"
    path.write_bytes(b"k" * 32)
    path.chmod(0o640)
    with pytest.raises(errors.ConfigError, match="by its owner only"):
        vault.read_key(path)


def test_a_digest_depends_on_the_master_key():
    one, other = vault.Vault(b"a" * 32), vault.Vault(b"b" * 32)
    assert one.digest(b"x") == one.digest(b"x")
    assert one.digest(b"x") not in {other.digest(b"x"), one.digest(b"y")}

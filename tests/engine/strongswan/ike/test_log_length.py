"""A charon that writes much does not fill the disk."""

from pathlib import Path

import pytest

from landbridge.engine.strongswan.ike import charon


def test_a_long_log_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(charon, "LOG_LIMIT", 100)
    log = tmp_path / "charon.log"
    for filled in ("a" * 101, "b" * 101):
        log.write_text(filled)
        charon.shorten_log(tmp_path)
        assert log.read_text() == ""
        assert (tmp_path / "charon.log.1").read_text() == filled
    log.write_text("c" * 100)
    charon.shorten_log(tmp_path)
    assert log.read_text() == "c" * 100

"""Settings: where they come from, in which order they win, and what is said of wrong ones."""

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest

from landbridge import config, errors
from tests.config import descriptions


def _file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "landbridge.toml"
    path.write_text(text)
    return str(path)


def test_everything_has_a_default():
    settings = config.load({}, {})
    assert (settings.serve.listen, settings.serve.engine, settings.serve.site) == ("127.0.0.1:8700", "auto", "")
    assert (settings.agent.tick_seconds, settings.agent.unseen_after) == (30.0, timedelta(minutes=2))
    assert settings.limits.connections_per_gateway == 0
    assert settings.secrets.master_key == ""
    assert Path(settings.serve.data).is_absolute()


@pytest.mark.parametrize(
    ("text", "group", "key", "value"),
    [
        pytest.param('[serve]\nlisten = "0.0.0.0:80"', "serve", "listen", "0.0.0.0:80", id="text"),
        pytest.param("[agent]\ntick_seconds = 2", "agent", "tick_seconds", 2.0, id="whole-for-fraction"),
        pytest.param("[agent]\ntick_seconds = 0.5", "agent", "tick_seconds", 0.5, id="fraction"),
        pytest.param("[limits]\nconnections_per_gateway = 7", "limits", "connections_per_gateway", 7, id="whole"),
        pytest.param('[secrets]\nmaster_key = "/k"', "secrets", "master_key", "/k", id="path"),
        pytest.param("[serve]\ninsecure_http = true", "serve", "insecure_http", True, id="truth"),
        pytest.param("[limits]\naudit_days = 30", "limits", "audit_days", 30, id="days"),
    ],
)
def test_a_file_sets(tmp_path: Path, text: str, group: str, key: str, value: object):
    settings = config.load({"config": _file(tmp_path, text)}, {})
    assert getattr(getattr(settings, group), key) == value


@pytest.mark.parametrize(
    ("variable", "text", "group", "key", "value"),
    [
        pytest.param("LANDBRIDGE_DATA", "/d", "serve", "data", "/d", id="serve-has-no-group"),
        pytest.param("LANDBRIDGE_ENGINE", "none", "serve", "engine", "none", id="engine"),
        pytest.param("LANDBRIDGE_AGENT_TICK_SECONDS", "0.25", "agent", "tick_seconds", 0.25, id="fraction"),
        pytest.param(
            "LANDBRIDGE_LIMITS_CONNECTIONS_PER_GATEWAY", "5", "limits", "connections_per_gateway", 5, id="whole"
        ),
        pytest.param("LANDBRIDGE_SECRETS_MASTER_KEY", "/k", "secrets", "master_key", "/k", id="path"),
        pytest.param("LANDBRIDGE_INSECURE_HTTP", "true", "serve", "insecure_http", True, id="true"),
        pytest.param("LANDBRIDGE_INSECURE_HTTP", "false", "serve", "insecure_http", False, id="false"),
    ],
)
def test_a_variable_sets(variable: str, text: str, group: str, key: str, value: object):
    settings = config.load({}, {variable: text, "HOME": "/nowhere", "OTHER": "x"})
    assert getattr(getattr(settings, group), key) == value


def test_flags_win_over_variables_and_those_over_the_file(tmp_path: Path):
    path = _file(tmp_path, '[serve]\nlisten = "a:1"\nengine = "none"\ndata = "/file"\n')
    variables = {"LANDBRIDGE_LISTEN": "b:2", "LANDBRIDGE_ENGINE": "simulated"}
    settings = config.load({"config": path, "listen": "c:3", "engine": None}, variables)
    assert (settings.serve.listen, settings.serve.engine, settings.serve.data) == ("c:3", "simulated", "/file")


def test_the_file_may_be_named_by_a_variable_and_a_flag_wins(tmp_path: Path):
    path = _file(tmp_path, "[agent]\ntick_seconds = 3")
    assert config.load({}, {"LANDBRIDGE_CONFIG": path}).agent.tick_seconds == 3.0
    assert config.load({"config": path}, {"LANDBRIDGE_CONFIG": "/nowhere"}).agent.tick_seconds == 3.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("[serve]\ncolour = 1", r"\[serve\] has no setting colour \(there are data, listen", id="key"),
        pytest.param("[consoles]\na = 1", r"no such group \[consoles\] \(there are serve, agent", id="group"),
        pytest.param("engine = 'none'", r"no such group \[engine\]", id="key-without-group"),
        pytest.param("serve = 1", r"no such group \[serve\]", id="group-that-is-no-table"),
        pytest.param('[serve]\ndata = "a\\u0000b"', r"\[serve\] data: 'a\\x00b' is not allowed", id="nul"),
        pytest.param("[serve]\nlisten = 8700", r"\[serve\] listen: 8700 is not allowed \(a string\)", id="number"),
        pytest.param("[serve]\nlisten = '8700'", r"listen: '8700' is not HOST:PORT", id="no-host"),
        pytest.param("[serve]\nlisten = 'h:x'", r"listen: 'h:x' is not HOST:PORT", id="port-no-number"),
        pytest.param("[serve]\nlisten = 'h:65536'", r"is not HOST:PORT", id="port-too-large"),
        pytest.param("[serve]\nlisten = ':80'", r"is not HOST:PORT", id="empty-host"),
        pytest.param("[serve]\nengine = 'ipsec'", r"'ipsec' is not one of auto, strongswan, simulated", id="engine"),
        pytest.param("[agent]\ntick_seconds = 'soon'", r"tick_seconds: 'soon' is not allowed", id="word"),
        pytest.param("[agent]\ntick_seconds = true", r"tick_seconds: True is not allowed", id="bool"),
        pytest.param("[agent]\ntick_seconds = -1", r"tick_seconds: -1 is not allowed", id="negative"),
        pytest.param("[agent]\ntick_seconds = nan", r"tick_seconds: nan is not allowed", id="nan"),
        pytest.param("[agent]\ntick_seconds = inf", r"tick_seconds: inf is not allowed", id="infinity"),
        pytest.param("[echo]\nnqa_interval_seconds = 0", r"0 is not allowed \(from 0.1 to 60\)", id="echoes-at-once"),
        pytest.param("[echo]\nmonitor_interval_seconds = 61", r"61 is not allowed \(from 0.1", id="few-echoes"),
        pytest.param("[limits]\nlearned_prefixes = 0", r"0 is not allowed \(from 1 to 100000\)", id="no-prefix"),
        pytest.param("[echo]\nlosses = 0", r"losses: 0 is not allowed \(from 1 to 100\)", id="no-loss"),
        pytest.param("[echo]\nlosses = 101", r"losses: 101 is not allowed \(from 1 to 100\)", id="many-losses"),
        pytest.param("[agent]\ntick_seconds = []", r"tick_seconds: \[\] is not allowed", id="array"),
        pytest.param("[limits]\nconnections_per_gateway = 1.5", r"1.5 is not allowed \(a whole number", id="fraction"),
        pytest.param("[serve]\ninsecure_http = 1", r"1 is not allowed \(true or false\)", id="number-for-truth"),
        pytest.param("[serve]\ntls_key = 'k'", r"\[serve\] tls_key: needs tls_certificate too", id="key-alone"),
        pytest.param("[serve]\nlisten = ", r"Invalid value", id="no-toml"),
        pytest.param("[serve]\ndata = 'a'\ndata = 'b'", r"line 3|twice|overwrite", id="key-twice"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, text: str, said: str):
    path = _file(tmp_path, text)
    with pytest.raises(errors.ConfigError, match=said) as refused:
        config.load({"config": path}, {})
    assert str(refused.value).startswith(path)


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        pytest.param("LANDBRIDGE_ENGINE", "", "LANDBRIDGE_ENGINE: '' is not one of", id="empty"),
        pytest.param("LANDBRIDGE_LISTEN", "x", "LANDBRIDGE_LISTEN: 'x' is not HOST:PORT", id="listen"),
        pytest.param("LANDBRIDGE_AGENT_TICK_SECONDS", "x", "LANDBRIDGE_AGENT_TICK_SECONDS: 'x' is not", id="number"),
        pytest.param("LANDBRIDGE_AGENT_TICK_SECONDS", "", "is not allowed", id="empty-number"),
        pytest.param("LANDBRIDGE_LIMITS_CONNECTIONS_PER_GATEWAY", "1.0", "is not allowed", id="fraction"),
        pytest.param("LANDBRIDGE_INSECURE_HTTP", "yes", r"'yes' is not allowed \(true or false\)", id="truth"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(variable: str, text: str, said: str):
    with pytest.raises(errors.ConfigError, match=said):
        config.load({}, {variable: text})


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("LANDBRIDGE_COLOUR", "LANDBRIDGE_COLOUR: no such setting, it changes nothing"),
        ("LANDBRIDGE_SERVE_DATA", "the nearest is LANDBRIDGE_DATA"),
        ("LANDBRIDGE_AGENT_TICK_SECOND", "the nearest is LANDBRIDGE_AGENT_TICK_SECONDS"),
        ("LANDBRIDGE_" + "X" * 1000, "no such setting"),
    ],
)
def test_a_variable_that_is_no_setting_is_named_and_stops_nobody(
    caplog: pytest.LogCaptureFixture, variable: str, said: str
):
    """A container's platform, or another program of the same name, may export it."""
    assert config.load({}, {variable: "red", "LANDBRIDGE_LISTEN": "127.0.0.1:1"}).serve.listen == "127.0.0.1:1"
    (warning,) = caplog.messages
    assert said in warning
    assert len(warning) < 200


#: What an earlier `landbridge install` wrote. A later one never replaces it.
WRITTEN_EARLIER = """\
[serve]
site = "/etc/landbridge/site.toml"

[engine]
charon_unit = "landbridge-charon@"
sockets = "/run/landbridge"
"""


def test_a_file_of_an_earlier_installation_means_the_same_and_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = _file(tmp_path, WRITTEN_EARLIER)
    assert config.load({"config": path}, {}).engine == config.Engine(systemd=True)
    assert caplog.messages == [
        f"{path}: [engine] charon_unit: is no longer a setting: [engine] systemd takes its place",
        f"{path}: [engine] sockets: is no longer a setting: [engine] systemd takes its place",
    ]


@pytest.mark.parametrize(
    ("text", "systemd"),
    [
        pytest.param("charon_unit = ''", False, id="children"),
        pytest.param("sockets = '/run/x'", False, id="children-elsewhere"),
        pytest.param("charon_unit = 'u@'\nsystemd = false", False, id="the-new-one-wins"),
    ],
)
def test_settings_of_before_are_read_once(tmp_path: Path, text: str, systemd: bool):
    assert config.load({"config": _file(tmp_path, f"[engine]\n{text}")}, {}).engine.systemd is systemd


def test_a_variable_of_an_earlier_version_stops_nobody(caplog: pytest.LogCaptureFixture):
    settings = config.load({}, {"LANDBRIDGE_AGENT_UNSEEN_AFTER_SECONDS": "5", "LANDBRIDGE_AGENT_TICK_SECONDS": "10"})
    assert settings.agent.unseen_after == timedelta(seconds=40)
    assert caplog.messages == [
        "LANDBRIDGE_AGENT_UNSEEN_AFTER_SECONDS: is no longer a setting: it is four times tick_seconds"
    ]


@dataclasses.dataclass(frozen=True)
class _Group:
    listen: str = ""
    """Another thing."""


def test_two_settings_of_one_name_have_their_own_texts():
    texts = {(group, key): text for group, key, _, text in descriptions.describe()}
    assert texts["serve", "listen"].startswith("Address and port of the API")
    assert descriptions.docstrings(_Group) == {"listen": "Another thing."}


def test_a_wrong_flag_is_refused_by_name():
    with pytest.raises(errors.ConfigError, match="--listen: 'x' is not HOST:PORT"):
        config.load({"listen": "x"}, {})


def test_a_tick_of_zero_is_refused(tmp_path: Path):
    with pytest.raises(errors.ConfigError):
        config.load({"config": _file(tmp_path, "[agent]\ntick_seconds = 0")}, {})


def test_a_file_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(errors.ConfigError, match="No such file"):
        config.load({"config": str(tmp_path / "missing.toml")}, {})


def test_a_file_that_is_no_text_is_told(tmp_path: Path):
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(errors.ConfigError, match=r"binary\.toml"):
        config.load({"config": str(path)}, {})


def test_every_setting_describes_itself():
    described = descriptions.describe()
    groups = {"serve", "agent", "engine", "echo", "limits", "http", "quotas", "metrics", "console", "log", "secrets"}
    assert {group for group, *_ in described} == groups
    for _group, key, _default, text in described:
        assert text.endswith("."), key
        assert len(text) > 20, key

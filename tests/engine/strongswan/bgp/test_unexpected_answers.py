"""A BIRD that says what nobody expects, or nothing: its other sessions, the look and the other gateways are as before."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from landbridge.engine.strongswan import marks
from landbridge.engine.strongswan.bgp import bird, observe, watch

GATEWAY_ID = "11111111-0000-4000-8000-000000000000"
SESSION = "c12        BGP        ---        up     2026-11-30 13:21:53.727  Established"
ANSWERS = {
    "restrict": ["0016 Access restricted"],
    "show protocols all": [
        "2002-Name       Proto      Table      State  Since         Info",
        f"1002-{SESSION}",
        "1006-  BGP state:          Established",
        "     Neighbor address: 169.254.12.2",
        "     Routes:         1 imported, 0 filtered, 1 exported",
        "0000 ",
    ],
    "show bfd sessions": ["0000 "],
    "show route all where source = RTS_BGP": [
        "1007-172.16.12.0/24       unicast [c12 2026-11-30 13:21:53.727] * (100) [AS65001i]",
        " \tvia 169.254.12.2 on x12",
        "1012-\tBGP.origin: IGP",
        " \tBGP.med: 7",
        "0000 ",
    ],
}


def _answer(connection: socket.socket, answers: dict[str, list[str]]) -> None:
    with connection, connection.makefile("rw", newline="\n") as stream, contextlib.suppress(OSError):
        stream.write("0001 BIRD 2.0.12 ready.\n")
        stream.flush()
        for command in stream:
            stream.write("\n".join(answers[command.strip()]) + "\n")
            stream.flush()


@contextlib.contextmanager
def listening(folder: Path) -> Iterator[socket.socket]:
    folder.mkdir(exist_ok=True)
    marks.write(folder, GATEWAY_ID)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / bird.BIRD.socket_file))
        listener.listen()
        yield listener


@contextlib.contextmanager
def speaking(folder: Path, answers: dict[str, list[str]]) -> Iterator[None]:
    """A BIRD with these answers to commands."""
    with listening(folder) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    _answer(listener.accept()[0], answers)

        server = threading.Thread(target=serve)
        server.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        server.join()


def replaced(before: str, now: str) -> dict[str, list[str]]:
    found = {command: [line.replace(before, now) for line in lines] for command, lines in ANSWERS.items()}
    assert found != ANSWERS
    return found


def also(line: str) -> dict[str, list[str]]:
    """The line stands before those of the session c12."""
    head, *rest = ANSWERS["show protocols all"]
    return ANSWERS | {"show protocols all": [head, f"1002-{line}", *rest]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "0123456789ab"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("c13        BGP        ---        start  2026-02-31 25:61:00  Idle", id="no time"),
        pytest.param("c13        BGP        ---        start  yesterday", id="another format"),
        pytest.param("c13 BGP", id="a short line"),
    ],
)
def test_an_unexpected_line_is_a_fault_of_its_session_alone(folder: Path, line: str):
    with speaking(folder, also(line)):
        found = observe.observe(folder)
    assert (found.alive, found.answers, set(found.sessions)) == (True, True, {"c12", "c13"})
    assert (found.sessions["c12"].state, found.sessions["c12"].accepted) == ("established", 1)
    fault = found.sessions["c13"].fault
    assert fault is not None
    assert (fault.code, fault.text) == ("unknown", line)


def test_an_unexpected_line_of_a_session_that_is_established_is_no_fault(folder: Path):
    with speaking(folder, replaced("2026-11-30 13:21:53.727  Established", "13:21 Established")):
        session = observe.observe(folder).sessions["c12"]
    assert (session.state, session.since, session.fault, session.accepted) == ("established", None, None, 1)


@pytest.mark.parametrize("prefix", ["172.16.12.0", "172.16.300.0/24", "172.16.12.0/33", "2001:db8::/32", "x/y"])
def test_a_route_without_an_ipv4_prefix_is_left_out(folder: Path, prefix: str):
    with speaking(folder, replaced("172.16.12.0/24", prefix)):
        found = observe.observe(folder)
    assert (found.answers, found.prefixes("c12"), set(found.sessions)) == (True, frozenset(), {"c12"})


def test_an_unexpected_attribute_is_left_out_of_its_route(folder: Path):
    with speaking(folder, replaced("BGP.med: 7", "BGP.med: seven")):
        [route] = observe.observe(folder).routes["c12"]
    assert (route.prefix, route.origin, route.med) == ("172.16.12.0/24", "igp", None)


class Closing(dict[str, list[str]]):
    """Answers of a BIRD whose session closes after so many questions about it."""

    def __init__(self, questions: int) -> None:
        super().__init__(ANSWERS)
        self._left = questions

    def __getitem__(self, command: str) -> list[str]:
        answer = super().__getitem__(command)
        if command != "restrict":
            self._left -= 1
        if self._left >= 0:
            return answer
        if "route" in command:
            return ["0000 "]
        return [line.replace("up   ", "start").replace("Established", "Active") for line in answer]


@pytest.mark.parametrize("questions", range(4))
def test_a_session_that_closes_during_a_look_is_never_established_without_its_routes(folder: Path, questions: int):
    """It would look as if the device had withdrawn them."""
    with speaking(folder, Closing(questions)):
        found = observe.observe(folder)
    assert found.answers
    assert found.sessions["c12"].state != "established" or found.prefixes("c12") == {"172.16.12.0/24"}


def test_a_log_line_without_a_time_is_no_fault_of_the_look(folder: Path):
    folder.mkdir()
    (folder / bird.BIRD.log_file).write_text("2026-13-45 99:00:00.000 <RMT> c12: Received: Cease\n")
    with speaking(folder, ANSWERS):
        assert observe.observe(folder).sessions["c12"].fault is None


class Watched:
    """`told`: the gateways that a watcher told of."""

    def __init__(self, engine: Path) -> None:
        self.told: list[str] = []
        self._engine = engine

    def rounds(self, number: int) -> None:
        class Stop(threading.Event):
            left = number

            def wait(self, timeout: float | None = None) -> bool:
                self.left -= 1
                return self.left < 0

        watch.Watcher(self._engine, self._changed).run(Stop())

    def _changed(self, gateway_id: str) -> None:
        self.told.append(gateway_id)


def test_a_watcher_goes_on_after_an_answer_that_nobody_expects(folder: Path):
    watched = Watched(folder.parent)
    with speaking(folder, also("c13 BGP --- start 2026-02-31 25:61:00 Idle")):
        watched.rounds(2)
    assert watched.told == [GATEWAY_ID]


def test_a_watcher_goes_on_after_a_fault_of_its_own(folder: Path, caplog: pytest.LogCaptureFixture):
    watched = Watched(folder.parent)
    with speaking(folder, ANSWERS):
        (folder / marks.NAME).write_bytes(b"\xff")
        watched.rounds(2)
    assert "could not be watched" in caplog.text


def test_a_bird_that_hangs_does_not_hide_the_sessions_of_another_gateway(folder: Path):
    watched = Watched(folder.parent)
    with listening(folder.with_name("ba9876543210")), speaking(folder, ANSWERS):
        watched.rounds(1)
    assert watched.told == [GATEWAY_ID, GATEWAY_ID]

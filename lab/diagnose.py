"""`make diagnose-bench`: every misconfiguration of `lab.misconfigurations` is made, and the service is asked what is wrong.

It prints the share of causes that were named alone, among alternatives, and wrongly, by cause and by who called; what was taken for what;
the seconds from the first attempt (or from the fault, for one of a tunnel that was up) to the right answer; and whether the side and both
sides' values were right. `--only PATTERN` takes a part, `--report FILE` writes the answers and logs of each case whose score is not whole.
"""

import argparse
import collections
import dataclasses
import fnmatch
import json
import queue
import statistics
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lab import libreswan, misconfigurations, sites, testbed
from lab.misconfigurations import Case
from landbridge import paths

#: alone: the right cause comes first and is certain. among: it is one of those that are named. wrong: others are named. silent: none is.
#: broken: the case could not be made.
Grade = Literal["alone", "among", "wrong", "silent", "broken"]
TESTBEDS = 10
LOOK_EVERY = 0.1
#: Seconds in which the service may find out more than the wire tells by itself.
FINDING_OUT = 10.0

_PLUTO = {
    "authby": "secret",
    "type": "tunnel",
    "left": "{device}",
    "leftid": "{device}",
    "right": "{gateway}",
    "rightid": "{gateway}",
    "leftsubnet": "{lan}",
    "rightsubnet": "{vpc}",
    "ike": "aes128-sha2_256-dh15",
    "esp": "aes128-sha2_256-dh15",
    "pfs": "yes",
    "keyingtries": "0",
    "narrowing": "no",
}


@dataclass(frozen=True, kw_only=True)
class Score:
    """The score of an answer. `side`, `differs`, `values`: whether each is right; None when the case or the answer has none."""

    grade: Grade
    code: str = ""
    side: bool | None = None
    differs: bool | None = None
    values: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """`seconds`: until the answer was right for the first time and stayed so; None if it never was. `blamed`: what was said meanwhile to be
    wrong with the gateway's other connection, which is right.
    """

    case: Case
    score: Score
    seconds: float | None = None
    answer: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    logs: str = ""
    blamed: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether the answer cannot become better."""
        score = self.score
        return score.grade == "alone" and False not in (score.side, score.differs, score.values)

    @property
    def is_right(self) -> bool:
        return self.score.grade == "alone" or (self.score.grade == "among" and not self.case.is_exact)


def score(case: Case, names: Mapping[str, str], answer: Mapping[str, Any]) -> Score:
    """The score of the causes of a diagnosis. Where the messages show the cause, a list of alternatives is not `alone`."""
    causes: Sequence[Mapping[str, Any]] = answer.get("causes") or ()
    if case.row.code == misconfigurations.NOTHING:
        return _score_nothing(causes, is_up=answer.get("status") == "ACTIVE")
    if not causes:
        return Score(grade="silent")
    first = causes[0]
    found = next((one for one in causes if one["code"] in case.right), None)
    observations = set(misconfigurations.CERTAIN_OBSERVATIONS).intersection(case.row.acceptable)
    misleads = first["is_certain"] and first["code"] not in {*case.right, *observations}
    if found is None:
        fair = not case.is_exact and not misleads and all(one["code"] in case.row.acceptable for one in causes)
        return Score(grade="among" if fair else "wrong", code=first["code"])
    alone = found is first and (first["is_certain"] or len(causes) == 1)
    shown = case.has_values or (alone and bool(found.get("theirs")))
    return Score(
        grade="alone" if alone else "wrong" if misleads else "among",
        code=found["code"],
        side=found["side"] in case.sides,
        differs=set(found.get("differs") or ()) == set(case.row.differs) if shown and case.row.differs else None,
        values=_quotes(case, names, found) if shown and (case.row.ours or case.row.theirs) else None,
    )


def _score_nothing(causes: Sequence[Mapping[str, Any]], *, is_up: bool) -> Score:
    if not causes:
        return Score(grade="alone", code=misconfigurations.NOTHING) if is_up else Score(grade="silent")
    return Score(grade="wrong", code=causes[0]["code"])


def _quotes(case: Case, names: Mapping[str, str], cause: Mapping[str, Any]) -> bool:
    ours, theirs = filled(case.row.ours, names), filled(case.row.theirs, names)
    return ours in (cause.get("ours") or "") and theirs.lower() in (cause.get("theirs") or "").lower()


def filled(value: Any, names: Mapping[str, str]) -> Any:
    """The value with each `{name}` in its texts filled in."""
    if isinstance(value, str):
        for name, word in names.items():
            value = value.replace(f"{{{name}}}", word)
        return value
    if isinstance(value, Mapping):
        return {name: filled(each, names) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(filled(each, names) for each in value)
    return value


# -- making a case ------------------------------------------------------------------------------------------------------


def make(one: testbed.RunningCase, case: Case) -> Result:
    """Makes the case and reads the diagnosis until it is right or the time is over."""
    if case.way.daemon == "strongswan" and not case.row.device_off:
        one.device.start()
    for step in case.row.before:
        step(one)
    if case.way.caller == "device":
        if "id_type" not in case.row.customer_gateway:
            one.only_calls()
        began = _create(one, case)
        sites.wait_for(lambda: _is_loaded(one), "the connection to be loaded", seconds=30)
        began = _bring_up_device(one, case)
    else:
        _bring_up_device(one, case)
        began = _create(one, case)
    if case.row.after:
        case.row.after(one)
    return _watch(one, case, one.began or began)


def _create(one: testbed.RunningCase, case: Case) -> float:
    row, api = case.row, one.testbed.api
    peer = filled({"name": "device", "id_value": "{device}"} | dict(row.customer_gateway), one.words)
    made = api.request("POST", "/v5/{project}/customer-gateways", {"customer_gateway": peer})
    one.customer_gateway_id = made["customer_gateway"]["id"]
    wish = {
        "name": row.name,
        "vgw_id": one.testbed.gateway["id"],
        "vgw_ip": one.testbed.gateway["eip1"]["id"],
        "cgw_id": one.customer_gateway_id,
        "peer_subnets": ["{lan}"],
        "psk": testbed.PSK,
    } | dict(row.body)
    wish["ikepolicy"] = _ike_version(case) | dict(row.body.get("ikepolicy", {}))
    began = time.monotonic()
    answer = api.request("POST", "/v5/{project}/vpn-connection", {"vpn_connection": filled(wish, one.words)})
    one.connection_id = answer["vpn_connection"]["id"]
    return began


def _ike_version(case: Case) -> dict[str, str]:
    if case.way.mode == "v2":
        return {"ike_version": "v2"}
    return {"ike_version": "v1", "phase1_negotiation_mode": case.way.mode}


def _is_loaded(one: testbed.RunningCase) -> bool:
    return not one.diagnosis()["status"].startswith("PENDING")


def _bring_up_device(one: testbed.RunningCase, case: Case) -> float:
    """The device with its configuration; it calls when the case says so."""
    calls = case.way.caller != "we"
    began = time.monotonic()
    if case.row.device_off:
        return began
    if case.way.daemon == "libreswan":
        one.device.folder.mkdir(exist_ok=True)
        one.pluto = libreswan.Pluto(one.device)
        one.pluto.start(pluto_files(case, one.words, calls=calls))
        return time.monotonic()
    one.device.load_text(swanctl_text(case, one.words))
    if calls:
        one.keep(one.call, case.row.calls)
    return began


def swanctl_text(case: Case, names: Mapping[str, str]) -> str:
    """The device's swanctl.conf."""
    plain = {
        "gateway": "{gateway}",
        "psk": "{psk}",
        "version": 2 if case.way.mode == "v2" else 1,
        "aggressive": case.way.mode == "aggressive",
        "pairs": (("{lan}", "{vpc}"),),
        "address": "{device}",
    }
    tunnels = [
        sites.Tunnel(**filled(plain | dict(case.row.device) | dict(each), names)) for each in ({}, *case.row.more)
    ]
    text = sites.render(names["device"], tuple(tunnels))
    for old, new in filled(case.row.edits, names):
        if old not in text:
            raise ValueError(f"{case.name}: {old!r} is not in the device's configuration")
        text = text.replace(old, new)
    return text


def pluto_files(case: Case, names: Mapping[str, str], *, calls: bool) -> dict[str, str]:
    """The device's files in /etc/ipsec.d."""
    version = {"ikev2": "yes" if case.way.mode == "v2" else "no"}
    if case.way.mode == "aggressive":
        version["aggressive"] = "yes"
    words = _PLUTO | version | {"auto": "start" if calls else "add", "psk": "{psk}"} | dict(case.row.pluto)
    words = filled(words, names)
    psk = words.pop("psk")
    conn = "conn hq\n" + "".join(f"    {name}={value}\n" for name, value in words.items())
    secret = f'{words["leftid"]} {words["rightid"]} : PSK "{psk}"\n' if psk else ""
    return {"hq.conf": conn, "hq.secrets": secret}


def _watch(one: testbed.RunningCase, case: Case, began: float) -> Result:
    """The answer must stay right for a while; the seconds are those until it was right first."""
    deadline = began + case.row.seconds
    since, grade = None, ""
    while True:
        answer = _read(one, case)
        now = time.monotonic()
        result = Result(case=case, score=score(case, one.words, answer), answer=answer)
        if result.score.grade != grade or not result.is_right:
            since, grade = now if result.is_right else None, result.score.grade
        is_last = result.is_whole or now - began >= FINDING_OUT
        if since and now - since >= case.row.stays and is_last:
            return dataclasses.replace(result, seconds=since - began)
        if now > deadline + (case.row.stays if since else 0):
            return dataclasses.replace(result, logs=_logs(one))
        time.sleep(LOOK_EVERY)


def _read(one: testbed.RunningCase, case: Case) -> dict[str, Any]:
    """A gateway's diagnosis names strangers: one is the cause that it is no customer gateway's device."""
    if case.row.look == "connection":
        return one.diagnosis()
    answer = one.gateway_diagnosis()
    strangers = [each for each in answer["strangers"] if each.get("peer_address") == one.words["elsewhere"]]
    causes = [
        {"code": "unknown_peer", "side": "device", "is_certain": True, "theirs": each["peer_address"]}
        for each in strangers
    ]
    return answer | {"causes": causes}


def _logs(one: testbed.RunningCase) -> str:
    """The logs of our charon and of the device."""
    folder = one.testbed.world.folder / "data/engine" / one.testbed.namespace.removeprefix(paths.NETNS_PREFIX)
    ours = (folder / "charon.log").read_text(errors="replace").splitlines()
    return "\n".join(["-- our charon", *ours[-120:], "-- the device", *one.device_log().splitlines()[-60:]])


# -- all of them ----------------------------------------------------------------------------------------------------------


def run(cases: Sequence[Case], *, count: int = TESTBEDS, progress: Any = lambda _: None) -> list[Result]:
    """Makes the cases, several at a time, the longest first."""
    waiting: queue.SimpleQueue[Case] = queue.SimpleQueue()
    for case in sorted(cases, key=lambda case: (-case.row.seconds, -case.row.stays, case.row.after is None)):
        waiting.put(case)
    results: list[Result] = []

    def work(place: testbed.Testbed) -> None:
        while True:
            try:
                case = waiting.get_nowait()
            except queue.Empty:
                return
            results.append(_made(place, case))
            progress(results[-1])

    with testbed.testbeds(min(count, len(cases))) as places:
        threads = [threading.Thread(target=work, args=(place,)) for place in places]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        finally:  # an interrupt waits for what runs, so that nothing is left behind
            while not waiting.empty():
                waiting.get_nowait()
            for thread in threads:
                thread.join()
    return results


def _made(place: testbed.Testbed, case: Case) -> Result:
    try:
        with testbed.running_case(place) as one:
            result = make(one, case)
            neighbour = place.diagnosis(place.neighbour_id)
            blamed = tuple(cause["code"] for cause in neighbour["causes"]) or (neighbour["status"],)
            if blamed == ("ACTIVE",):
                return result
            logs = "\n".join(["-- the connection beside it", json.dumps(neighbour, indent=1), result.logs])
            return dataclasses.replace(result, blamed=blamed, logs=logs)
    except Exception:  # noqa: BLE001  one case that cannot be made must not hide the others
        return Result(case=case, score=Score(grade="broken"), logs=traceback.format_exc())


# -- what is printed ------------------------------------------------------------------------------------------------------


def summary(results: Sequence[Result]) -> str:
    """The tables."""
    exact = [result for result in results if result.case.is_exact]
    others = [result for result in results if not result.case.is_exact]
    lines = [
        f"{len(results)} cases",
        f"  the messages show the cause:        {_shares(exact)}",
        f"  the messages do not show the cause: {_shares(others)}",
        f"  side right: {_share(results, 'side')}; what differs: {_share(results, 'differs')}; values: {_share(results, 'values')}",
        f"  seconds to the right answer: {_seconds(results)}",
        f"  the second connection got a cause: {_blamed(results)}",
        "",
        f"{'cause':34}{'cases':>6}{'alone':>7}{'among':>7}{'wrong':>7}{'silent':>7}{'broken':>7}  seconds (median, worst)",
    ]
    groups: list[tuple[str, Callable[[Result], str]]] = [
        ("by cause", lambda one: one.case.row.code),
        ("by who calls", lambda one: one.case.way.caller),
    ]
    groups += [("by version", lambda one: one.case.way.mode), ("by daemon", lambda one: one.case.way.daemon)]
    for title, key in groups:
        lines.append(f"-- {title}")
        lines += [
            _row(name, [one for one in results if key(one) == name]) for name in sorted({key(one) for one in results})
        ]
    lines += ["-- taken for something else", *_confusion(results)]
    return "\n".join(lines)


def _shares(results: Sequence[Result]) -> str:
    counts = collections.Counter(result.score.grade for result in results)
    words = ", ".join(
        f"{counts[word]} {word}" for word in ("alone", "among", "wrong", "silent", "broken") if counts[word]
    )
    return f"{len(results)}: {words}"


def _share(results: Iterable[Result], what: str) -> str:
    scores = [getattr(result.score, what) for result in results]
    known = [one for one in scores if one is not None]
    return f"{sum(known)} of {len(known)}"


def _blamed(results: Iterable[Result]) -> str:
    codes = collections.Counter(code for result in results for code in result.blamed)
    return ", ".join(f"{code} {count}" for code, count in codes.items()) or "never"


def _seconds(results: Iterable[Result]) -> str:
    known = [result.seconds for result in results if result.seconds is not None]
    return f"{statistics.median(known):.1f}, {max(known):.1f}" if known else "-"


def _row(name: str, results: Sequence[Result]) -> str:
    counts = collections.Counter(result.score.grade for result in results)
    numbers = "".join(f"{counts[word] or '-':>7}" for word in ("alone", "among", "wrong", "silent", "broken"))
    return f"{name:34}{len(results):>6}{numbers}  {_seconds(results)}"


def _confusion(results: Iterable[Result]) -> list[str]:
    pairs = collections.Counter(
        (result.case.row.code, result.score.code) for result in results if result.score.grade == "wrong"
    )
    return [f"{was:34} taken for {said}: {count}" for (was, said), count in sorted(pairs.items())] or ["nothing"]


def answers(results: Iterable[Result]) -> str:
    """What a user read first, of every case."""
    lines = []
    for one in sorted(results, key=lambda one: one.case.name):
        cause: Mapping[str, Any] = next(iter(one.answer.get("causes") or ()), {})
        values = [f"{name} {cause[name]}" for name in ("ours", "theirs", "differs") if cause.get(name)]
        words = [
            one.answer.get("status", "-"),
            cause.get("code", "-"),
            *values,
            cause.get("reason", ""),
            cause.get("remedy", ""),
        ]
        lines.append(" | ".join([one.case.name, one.score.grade, *words]))
    return "\n".join(lines)


def report(results: Iterable[Result]) -> str:
    """Every case whose score is not whole, with the answer and the logs of the daemons."""
    parts = []
    for one in sorted(results, key=lambda one: one.case.name):
        whole = one.is_right and not one.blamed and False not in (one.score.side, one.score.differs, one.score.values)
        if whole:
            continue
        row = one.case.row
        wanted = f"wanted: {'|'.join(one.case.right)} sides={'|'.join(one.case.sides)} differs={row.differs} ours~{row.ours!r} theirs~{row.theirs!r}"
        wanted += "" if one.case.is_exact else f" (the messages do not show it: acceptable {'|'.join(row.acceptable)})"
        parts += [
            f"=== {one.case.name}: {one.score} {one.blamed}",
            wanted,
            json.dumps(one.answer, indent=1),
            one.logs,
            "",
        ]
    return "\n".join(parts)


def main() -> int:
    parser = argparse.ArgumentParser(prog="lab.diagnose", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        default=["*"],
        metavar="PATTERN",
        help="a pattern of case names, like 'psk*' or '*strongswan/v2/we'",
    )
    parser.add_argument("--quick", action="store_true", help="those that make test makes")
    parser.add_argument("--report", type=Path, help="a file for the answers and logs of cases whose score is not whole")
    parser.add_argument("--testbeds", type=int, default=TESTBEDS, help="cases at a time")
    given = parser.parse_args()
    cases = [
        case
        for case in misconfigurations.cases()
        if any(fnmatch.fnmatch(case.name, pattern) for pattern in given.only) and (case.is_quick or not given.quick)
    ]
    started = time.monotonic()

    def progress(one: Result) -> None:
        seconds = f"{one.seconds:5.1f} s" if one.seconds is not None else "      -"
        print(
            f"{time.monotonic() - started:6.1f}  {one.score.grade:7}{seconds}  {one.case.name}  {one.score.code}",
            flush=True,
        )

    results = run(cases, count=given.testbeds, progress=progress)
    text = summary(results)
    print(f"\n{text}\n\nIt took {time.monotonic() - started:.0f} s")
    if given.report:
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(f"{text}\n\n{answers(results)}\n\n{report(results)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Races for what only one may have, while processes of the service are killed: a tunnel's /30, an EIP, the last place of a quota, a token.

Many clients ask for the same thing at the same time, and a process that answers them is killed with SIGKILL now and then. Afterwards no two
resources have the same thing, everything that was answered with 201 exists, and `landbridge db check` finds nothing.
"""

import contextlib
import http.client
import itertools
import os
import random
import signal
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from lab.attack import base

CLIENTS = 16
ROUNDS = 12
QUOTA = 160
#: A process answers some seconds after it was started, and only then a kill meets requests.
GROWN_SECONDS = 4.0
VPC = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"


class Racers:
    """Clients that all begin at once. An answer of 5xx, or none, counts as lost: a process was killed."""

    def __init__(self, service: base.Service) -> None:
        self.service = service
        self.key = service.key
        self.threads = ThreadPoolExecutor(CLIENTS)
        self.lost = 0

    def post(self, path: str, body: Any, **headers: str) -> base.Answer:
        url = f"/v5/{self.key.project_id}/{path}"
        try:
            answer = self.service.request("POST", url, body, key=self.key, headers=headers)
        except (OSError, http.client.HTTPException):
            answer = base.Answer(0, {}, b"")
        if answer.status == 0 or answer.status >= 500:
            self.lost += 1
        return answer

    def get(self, path: str) -> Any:
        """Repeats the request when the process that would have answered is killed."""
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = self.service.request("GET", f"/v5/{self.key.project_id}/{path}", key=self.key)
                if answer.status < 500:
                    return answer.json()
            time.sleep(0.05)

    def remove(self, path: str) -> None:
        """Repeats the request until the resource is gone."""
        url = f"/v5/{self.key.project_id}/{path}"
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.service.request("DELETE", url, key=self.key)
                if self.service.request("GET", url, key=self.key).status == 404:
                    return
            time.sleep(0.05)

    def race(self, ask: Callable[[int], base.Answer]) -> list[base.Answer]:
        """The answers of all clients to `ask(number)`, which all begin together."""
        together = threading.Barrier(CLIENTS)

        def one(number: int) -> base.Answer:
            together.wait()
            return ask(number)

        return list(self.threads.map(one, range(CLIENTS)))

    def made(self, path: str, envelope: str, body: dict[str, Any]) -> Any:
        """Creates one resource. Repeats the request with one token until it is answered."""
        token = str(uuid.uuid4())
        while True:
            answer = self.post(path, {envelope: body}, **{"X-Client-Token": token})
            if answer.status == 201:
                return answer.json()[envelope]
            if answer.status and answer.status < 500:
                raise RuntimeError(f"{path}: {answer.status} {answer.content[:300]!r}")
            time.sleep(0.05)

    def pages(self, path: str, envelope: str) -> list[Any]:
        found: list[Any] = []
        marker = ""
        while True:
            page = self.get(f"{path}?limit=200{marker}")
            found += page[envelope]
            if not page.get("page_info", {}).get("next_marker"):
                return found
            marker = f"&marker={page['page_info']['next_marker']}"


@contextlib.contextmanager
def _kills(service: base.Service) -> Iterator[Counter[str]]:
    """Kills one process beside the first now and then."""
    done: Counter[str] = Counter()
    stop = threading.Event()

    def run() -> None:
        there: dict[int, float] = {}
        while not stop.wait(0.1):
            now = time.monotonic()
            there = {pid: there.get(pid, now) for pid in service.pids[1:]}
            grown = [pid for pid, since in there.items() if now - since > GROWN_SECONDS]
            if grown:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(random.choice(grown), signal.SIGKILL)
                    done["kills"] += 1
                there = dict.fromkeys(there, now)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()


def _gateway(racers: Racers) -> Any:
    """The gateway as the API shows it when the engine has it."""
    made = racers.made("vpn-gateways", "vpn_gateway", {"vpc_id": VPC, "local_subnets": ["10.0.0.0/24"]})
    while True:
        shown = racers.get(f"vpn-gateways/{made['id']}")["vpn_gateway"]
        if shown["status"] == "ACTIVE":
            return shown
        time.sleep(0.05)


_addresses = (f"198.18.{one // 250}.{one % 250 + 1}" for one in itertools.count())


def _device(racers: Racers) -> Any:
    return racers.made("customer-gateways", "customer_gateway", {"id_value": next(_addresses)})


def _connection(gateway: Any, device: Any, **more: Any) -> dict[str, Any]:
    wish = {"vgw_id": gateway["id"], "vgw_ip": gateway["eip1"]["id"], "cgw_id": device["id"], "psk": "Correct-Horse-7"}
    return {"vpn_connection": wish | {"peer_subnets": ["192.168.44.0/24"]} | more}


def _one_tunnel(racers: Racers) -> base.Result:
    """All want the same inner /30 on the same gateway."""
    gateway = _gateway(racers)
    won = [_race_for_a_tunnel(racers, gateway, f"169.254.{70 + number}") for number in range(ROUNDS)]
    mine = [one for one in racers.pages("vpn-connection", "vpn_connections") if one["vgw_id"] == gateway["id"]]
    twice = [inner for inner, times in Counter(one["tunnel_local_address"] for one in mine).items() if times > 1]
    held = not twice and 0 < sum(won) <= len(mine) and max(won) <= 1
    return base.Result(
        "one tunnel /30 for many connections", held, f"{sum(won)} of {ROUNDS} rounds won, {len(twice)} /30s twice"
    )


def _race_for_a_tunnel(racers: Racers, gateway: Any, net: str) -> int:
    """Returns how many have won."""
    devices = [_device(racers) for _ in range(CLIENTS)]
    inner = {"tunnel_local_address": f"{net}.1/30", "tunnel_peer_address": f"{net}.2/30"}
    answers = racers.race(lambda n: racers.post("vpn-connection", _connection(gateway, devices[n], **inner)))
    return sum(one.status == 201 for one in answers)


def _one_eip(racers: Racers) -> base.Result:
    """All want the same free EIP."""
    won: list[int] = []
    for _ in range(ROUNDS):
        probe = _gateway(racers)
        eip = probe["eip1"]["id"]
        racers.remove(f"vpn-gateways/{probe['id']}")
        body = {"vpn_gateway": {"vpc_id": VPC, "local_subnets": ["10.0.0.0/24"], "eip1": {"id": eip}}}
        answers = racers.race(partial(_post, racers, "vpn-gateways", body, None))
        won.append(sum(one.status == 201 for one in answers))
    every = racers.get("vpn-gateways")["vpn_gateways"]
    used = Counter(one[eip]["id"] for one in every for eip in ("eip1", "eip2") if eip in one)
    twice = [eip for eip, times in used.items() if times > 1]
    held = not twice and max(won) == 1
    return base.Result("one EIP for many gateways", held, f"{sum(won)} of {ROUNDS} rounds won, {len(twice)} EIPs twice")


def _post(racers: Racers, path: str, body: Any, token: str | None, _: int) -> base.Answer:
    return racers.post(path, body, **({"X-Client-Token": token} if token else {}))


def _one_token(racers: Racers) -> base.Result:
    """All send the same request with the same token: the client's retries, all at once."""
    wrong, answered = 0, set()
    for _ in range(ROUNDS):
        token = str(uuid.uuid4())
        body = {"customer_gateway": {"id_value": next(_addresses)}}
        answers = racers.race(partial(_post, racers, "customer-gateways", body, token))
        ids = {one.json()["customer_gateway"]["id"] for one in answers if one.status == 201}
        wrong += len(ids) > 1
        answered |= ids
    there = [one["id"] for one in racers.pages("customer-gateways", "customer_gateways")]
    held = wrong == 0 and bool(answered) and answered <= set(there)
    return base.Result(
        "one token, one resource", held, f"{len(answered)} of {ROUNDS} tokens answered, {wrong} with two resources"
    )


def _last_places(folder: Path) -> Iterator[base.Result]:
    """A project may have QUOTA customer gateways, and four times as many are asked for at once."""
    settings = {"LANDBRIDGE_QUOTAS_CUSTOMER_GATEWAY": str(QUOTA)}
    with base.Service(folder, "--engine", "simulated", "--processes", "3", settings=settings) as service:
        racers = Racers(service)
        with _kills(service) as kills:
            made = [
                answer.json()["customer_gateway"]["id"]
                for _ in range(4 * QUOTA // CLIENTS)
                for answer in racers.race(
                    lambda _: racers.post("customer-gateways", {"customer_gateway": {"id_value": next_address()}})
                )
                if answer.status == 201
            ]
        there = {one["id"] for one in racers.pages("customer-gateways", "customer_gateways")}
        held = 0 < len(made) <= len(there) <= QUOTA and set(made) <= there
        figures = f"{len(there)} of {QUOTA} places taken, {len(made)} answered 201, {kills['kills']} kills"
        yield base.Result("the last place of a quota", held, figures)
        yield _check(service, "after the race for a quota")


_lock = threading.Lock()


def next_address() -> str:
    with _lock:
        return next(_addresses)


def _check(service: base.Service, when: str) -> base.Result:
    command = [str(base.BIN / "landbridge"), "db", "check", "--data", str(service.data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).strip().splitlines()
    return base.Result(f"landbridge db check {when}", done.returncode == 0, said[-1][:100] if said else "")


def _nothing_is_lost(racers: Racers) -> base.Result:
    """Creates without a race, each answered once, while processes are killed."""
    told = []
    for _ in range(6 * ROUNDS):
        answers = racers.race(
            lambda _: racers.post("customer-gateways", {"customer_gateway": {"id_value": next_address()}})
        )
        told += [one.json()["customer_gateway"]["id"] for one in answers if one.status == 201]
    there = {one["id"] for one in racers.pages("customer-gateways", "customer_gateways")}
    lost = set(told) - there
    return base.Result(
        "what was answered with 201 is there", bool(told) and not lost, f"{len(told)} answered, {len(lost)} lost"
    )


def run(folder: Path) -> Iterator[base.Result]:
    races, quota = folder / "races", folder / "quota"
    races.mkdir()
    quota.mkdir()
    with base.Service(races, "--engine", "simulated", "--processes", "3") as service:
        racers = Racers(service)
        with _kills(service) as kills:
            for attack in (_one_tunnel, _one_eip, _one_token, _nothing_is_lost):
                result = attack(racers)
                yield base.Result(
                    result.what, result.held, f"{result.figures}; {kills['kills']} kills, {racers.lost} unanswered"
                )
        yield _check(service, "after the races")
    yield from _last_places(quota)

"""All peers of a gateway come back at once."""

import statistics

from lab import fleet, reconnect, sites


def measure(runs: int, count: int) -> None:
    """500 peers of one gateway, whose devices are restarted, and whose charon is killed."""
    with fleet.fleet(1, count) as made:
        made.service.start()
        sites.wait_for(lambda: reconnect.is_whole(made), "all tunnels to be up", seconds=fleet.PATIENCE)
        for what, restart in (
            ("devices restarted", reconnect.restart_devices),
            ("charon killed", reconnect.kill_charon),
        ):
            _show(f"{count:,} peers, {what}", [restart(made) for _ in range(runs)])


def _show(what: str, seen: list[reconnect.Reconnect]) -> None:
    print(
        f"{what}: all ACTIVE with one SA each after {statistics.median(one.seconds for one in seen):.1f} s"
        f" ({', '.join(f'{one.seconds:.1f}' for one in seen)}),"
        f" {statistics.median(one.first_messages for one in seen):.0f} IKE_SA_INIT requests; API meanwhile: slowest answer"
        f" {max(one.slowest_answer for one in seen):.2f} s, {sum(one.failed_answers for one in seen)} failed",
        flush=True,
    )

"""`docs/reference/algorithms.md`: what became of every combination, as tables. Pure."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from lab import algorithms
from lab.algorithms import Combination

PATH = Path(__file__).parents[1] / "docs/reference/algorithms.md"
REFUSED = "refused"

_HEAD = """\
# Algorithms: every combination, tried

Made by `make test-full` on {day} with strongSwan {version} on both sides, data plane {data_plane}, in {minutes:.0f} minutes:
{passed:,} of {tried:,} combinations passed; {refused} are refused.
`tests/matrix/test_algorithms_page.py` holds this page to the choices that the rules know.

- An `ikepolicy` was tried with `ipsecpolicy` aes-128, sha2-256, group19, and an `ipsecpolicy` with such an `ikepolicy`. `make test`
  tries all with one another, pairwise.
- `pass`: through the engine against a device with hand-written configuration of exactly one proposal, the tunnel came up and a
  ping crossed it; then the device rekeyed the CHILD_SA, the new one had its own key exchange with the group of `pfs` (none with
  `disable`), and carried another ping.
- `refused`: the API answers 400. IKEv1 cannot negotiate a GCM cipher for itself; as `ipsecpolicy` it takes one.
- With a GCM cipher the IKE policy's authentication algorithm is that of the pseudo-random function; the IPsec policy's has no
  meaning, and all five were tried.
- Weak, and warned of: md5, sha1, 3des, group1, group2, group5, group14.
"""


def render(verdicts: Mapping[Combination, str], *, version: str, data_plane: str, day: date, seconds: float) -> str:
    head = _HEAD.format(
        day=day,
        version=version,
        data_plane=data_plane,
        minutes=seconds / 60,
        tried=sum(verdict != REFUSED for verdict in verdicts.values()),
        passed=sum(verdict == "pass" for verdict in verdicts.values()),
        refused=sum(verdict == REFUSED for verdict in verdicts.values()),
    )
    ike = [_table(f"{mode}: ikepolicy", algorithms.ike_matrix(mode), verdicts) for mode in algorithms.MODES]
    esp = [_table(f"{mode}: ipsecpolicy", algorithms.esp_matrix(mode), verdicts) for mode in algorithms.MODES]
    return "\n".join([head, *ike, *esp])


def _table(title: str, combinations: list[Combination], verdicts: Mapping[Combination, str]) -> str:
    """Rows are encryption and authentication, columns groups."""
    of = ike_choices if title.endswith("ikepolicy") else esp_choices
    cells = {of(combination): verdicts[combination] for combination in combinations}
    groups = list(dict.fromkeys(group for _, _, group in cells))
    pairs = list(dict.fromkeys((encryption, authentication) for encryption, authentication, _ in cells))
    lines = [
        f"## {title}",
        "",
        f"| encryption | authentication | {' | '.join(groups)} |",
        "|---" * (len(groups) + 2) + "|",
    ]
    lines += [f"| {' | '.join([*pair, *(cells[*pair, group] for group in groups)])} |" for pair in pairs]
    return "\n".join([*lines, ""])


def ike_choices(combination: Combination) -> tuple[str, str, str]:
    return combination.ike_encryption, combination.ike_authentication, combination.ike_group


def esp_choices(combination: Combination) -> tuple[str, str, str]:
    return combination.esp_encryption, combination.esp_authentication, combination.pfs

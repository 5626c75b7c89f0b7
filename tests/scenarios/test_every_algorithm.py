"""Every value of every algorithm, group and mode beside every value of every other, in real tunnels.

`make test-full` tries all combinations; here each pair of choices is in one of them.
"""

import pytest

from lab import algorithms, matrix

pytestmark = pytest.mark.tunnel


@pytest.mark.timeout(240)  # a busy machine needs a minute, an idle one a quarter of it
def test_every_pair_of_choices_carries_a_ping_before_and_after_a_rekey() -> None:
    verdicts = matrix.attempt(algorithms.pairwise())
    assert {combination: verdict for combination, verdict in verdicts.items() if verdict != matrix.PASS} == {}

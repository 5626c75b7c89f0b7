"""`landbridge serve` that dies by SIGKILL right after the first step of its agent: `python -m lab.dying_service serve …`.

Steps that only look at a path or at a device do not count.
"""

import os
import signal
import sys
from typing import Any

from landbridge.cli import main
from landbridge.engine import base
from landbridge.engine.strongswan import steps


def run() -> int:
    done = base.PlanRun.done

    def done_and_die(self: base.PlanRun, step: Any) -> None:
        done(self, step)
        if not isinstance(step, steps.CheckPaths | steps.AskDevice):
            os.kill(os.getpid(), signal.SIGKILL)

    base.PlanRun.done = done_and_die  # type: ignore[method-assign]
    return main.main()


if __name__ == "__main__":
    sys.exit(run())

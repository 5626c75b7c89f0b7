"""Carries out the steps of a gateway's BIRD. Raises OSError. Every step is idempotent."""

from pathlib import Path
from typing import assert_never

from landbridge.engine.strongswan import daemon
from landbridge.engine.strongswan.bgp import bird, steps


def apply(folder: Path, namespace: str, launch: daemon.Launch, step: steps.BgpStep) -> None:
    match step:
        case steps.StartBird(configuration, died):
            bird.start(folder, namespace, configuration.text, launch, died=died)
        case steps.ConfigureBird(configuration):
            bird.configure(folder, configuration.text)
        case steps.OpenSession(_, name):
            bird.tell(folder, f"enable {name}")
        case steps.StopBird():
            bird.stop(folder, namespace)
        case _:
            assert_never(step)

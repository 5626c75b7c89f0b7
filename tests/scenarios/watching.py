"""An engine that listens to its charons, without an agent."""

import contextlib
import threading
from collections.abc import Iterator

from lab import sites
from landbridge.engine.strongswan.engine import StrongSwan


@contextlib.contextmanager
def watched(engine: StrongSwan) -> Iterator[None]:
    """What charon says is heard while the block runs: from its beginning on, where charon runs already."""
    stop = threading.Event()
    watcher = threading.Thread(target=engine.watch, args=(lambda _: None, stop))
    watcher.start()
    try:
        sites.wait_for(lambda: _listens(engine), "the engine to listen")
        yield
    finally:
        stop.set()
        watcher.join()


def _listens(engine: StrongSwan) -> bool:
    """To each gateway that it has on this machine."""
    return engine._watcher is not None and engine._folders(()).keys() <= engine._watcher._subscriptions.keys()

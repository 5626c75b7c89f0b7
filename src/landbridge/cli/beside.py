"""`python -m landbridge.cli.beside`: a process that answers the API beside the first one, which starts it. No command of users."""

import contextlib

from landbridge import bootstrap
from landbridge.cli import log

if __name__ == "__main__":
    log.start()
    with contextlib.suppress(KeyboardInterrupt):
        bootstrap.answer_beside()

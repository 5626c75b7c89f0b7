"""`python -m landbridge.cli.beside`: a process that answers the API beside the first one, which starts it. No command of users."""

import sys

from landbridge import bootstrap, errors
from landbridge.cli import log


def main() -> int:
    log.start()
    try:
        bootstrap.answer_beside()
    except (errors.LandbridgeError, OSError) as error:
        print(f"landbridge: {error}", file=sys.stderr)
        return 1
    except EOFError:  # the first process was gone before it said anything
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

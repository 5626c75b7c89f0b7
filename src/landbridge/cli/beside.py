"""`python -m landbridge.cli.beside`: a process that answers the API beside the first one, which starts it. No command of users."""

import sys

from landbridge import bootstrap, errors
from landbridge.cli import log


def main() -> int:
    log.start()
    try:
        bootstrap.answer_beside(int(sys.argv[1]))
    except (errors.LandbridgeError, OSError) as error:
        print(f"landbridge: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

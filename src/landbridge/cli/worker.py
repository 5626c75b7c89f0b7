"""`python -m landbridge.cli.worker`: a worker process of `landbridge serve`, which starts it. Users do not call it."""

import sys

from landbridge import bootstrap, config, errors
from landbridge.cli import log


def main() -> int:
    log.configure(config.Log())  # until its settings are read
    try:
        bootstrap.serve_worker(int(sys.argv[1]), log.configure)
    except (errors.LandbridgeError, OSError) as error:
        print(f"landbridge: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

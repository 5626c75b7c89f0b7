"""Imports Landbridge once and forks a `landbridge` for every line on stdin: its start costs a fourth of a fresh one.

A line is JSON: the log's path, Python text to run beforehand, and the arguments. The answer is the process id.
"""

import json
import os
import signal
import sys

from landbridge.cli import main

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    path, beforehand, arguments = json.loads(line)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        exec(beforehand)  # noqa: S102 - the tests' own text
        os._exit(main.main(arguments))
    print(child, flush=True)  # noqa: T201 - the answer

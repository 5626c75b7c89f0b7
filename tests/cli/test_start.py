"""A command imports what it needs and nothing else: this is what makes it start quickly."""

import json
import subprocess
import sys

import pytest

#: What a command may import of ours, and of others' libraries.
LIGHT = ("landbridge.cli", "landbridge.client", "landbridge.paths", "landbridge.signatures")
LIBRARIES = {"click"}
#: Modules of Python's own that take long.
SLOW = {"argparse", "asyncio", "concurrent.futures", "multiprocessing", "sqlite3", "unittest"}
RUN = """
import json, os, sys
from landbridge.cli import main
status = main.main(json.loads(sys.argv[1]))
print(json.dumps([status, sorted(sys.modules)]), file=sys.stderr)
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "ends"),
    [
        (["--help"], 0),
        (["keys", "create", "--help"], 0),
        (["connection", "create", "--help"], 0),
        (["completion", "bash"], 0),
        (["connection", "list", "--endpoint", "http://127.0.0.1:1"], 1),
        (["status", "--endpoint", "http://127.0.0.1:1"], 1),
    ],
)
def test_a_command_imports_no_more_than_it_needs(words: list[str], ends: int):
    environment = {"LANDBRIDGE_ENDPOINT": "http://127.0.0.1:1", "LANDBRIDGE_TOKEN": "t", "LANDBRIDGE_PROJECT_ID": "p"}
    command = [sys.executable, "-c", RUN, json.dumps(words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    status, modules = json.loads(done.stderr.splitlines()[-1])
    assert status == ends
    ours = {name for name in modules if name.startswith("landbridge.")}
    assert {name for name in ours if not name.startswith(LIGHT)} == set()
    others = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"landbridge", "__main__"}
    assert {name for name in others if not name.startswith(("_", "sitecustomize"))} <= LIBRARIES
    assert SLOW & set(modules) == set()

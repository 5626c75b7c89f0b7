"""The README's first tunnel is made as the page says."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


@pytest.mark.process
def test_the_first_tunnel_is_made_as_the_page_says(start_server: Any, tmp_path: Path):
    (tmp_path / "landbridge-data").symlink_to(start_server().folder)
    script = "".join(re.findall(r"^```bash\n(.*?)^```$", README, re.MULTILINE | re.DOTALL))
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    command = ["bash", "-euo", "pipefail", "-c", script]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    assert "connections {" in ran.stdout
    assert "created connection hq-branch" in ran.stderr
    assert "status\t" in ran.stdout
    assert re.search(r'"total_count": ?1\b', ran.stdout)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)", README))))
def test_every_linked_page_exists(link: str):
    assert (ROOT / link).exists()

"""Every example runs as it stands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = [path for path in sorted((ROOT / "examples").glob("*.py")) if not path.stem.startswith("ray_")]
"""Those that need a cluster are run by ``tests/ray``, which starts one."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_as_it_stands(example: Path, tmp_path: Path) -> None:
    """Started from any folder it ends well and has printed something; so a reader can begin with it."""
    done = subprocess.run(
        [sys.executable, str(example)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=570,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_example_of_the_readme_is_the_one_that_is_tested() -> None:
    """The README's Python is taken from an example, line by line, so it cannot go stale."""
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = readme.split("```python\n", 1)[1].split("```", 1)[0]
    lines = {
        line.strip() for line in (ROOT / "examples" / "first_pipeline.py").read_text("utf-8").splitlines()
    }
    assert [line for line in map(str.strip, shown.splitlines()) if line and line not in lines] == []

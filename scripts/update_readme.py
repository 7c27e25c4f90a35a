"""Runs the demo as a newcomer would, with an empty profile store, and puts its output into the README.

python scripts/update_readme.py        on a machine that does nothing else: figures of a busy one mislead
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "```text\n", "\n```\n"
"""The demo's output is the only block of plain text in the README."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hetero", "demo", "--report", f"{folder}/demo.html"]
        environment = {**os.environ, "HETERO_CACHE": f"{folder}/cache"}
        output = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, check=True
        ).stdout
    before, _, rest = README.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}{output.rstrip()}{END}{after}", "utf-8")


if __name__ == "__main__":
    main()

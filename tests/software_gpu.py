"""Where ``scripts/install_software_gpu.sh`` has put the software adapter, and what to set so that it is found."""

from __future__ import annotations

import os
import re
from pathlib import Path

FOLDER = Path(__file__).parent.parent / ".cache" / "software-gpu"


def environment() -> dict[str, str]:
    """The variables of ``env.sh``; empty where the adapter is not installed.

    Set them where the device's worker process starts, not for the whole test run: every plan of every other test
    would find a GPU that is 40 times slower than the CPU.
    """
    script = FOLDER / "env.sh"
    if not script.is_file():
        return {}
    found = dict(re.findall(r'^export (\w+)="?([^"\n]*)"?$', script.read_text("utf-8"), re.MULTILINE))
    library_path = found["LD_LIBRARY_PATH"].split("$")[0]
    found["LD_LIBRARY_PATH"] = ":".join(filter(None, [library_path, os.environ.get("LD_LIBRARY_PATH")]))
    return found

"""A real headless browser, driven by its own command line: no driver, no package."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from needs import needs

CHECKOUT = Path(__file__).parents[1]
INSTALLED = CHECKOUT / ".cache" / "browser" / "chromium"
"""Where ``scripts/install_browser.sh`` puts it."""


@dataclass(frozen=True)
class Visit:
    """A page after its scripts ran: its document as HTML, and what they wrote to the console (errors too)."""

    document: str
    console: list[str]


def visit(page: Path, profile: Path) -> Visit:
    """Open a file with the network cut off; what the page asks of it fails, and says so on the console."""
    if not INSTALLED.exists():
        needs("a headless browser", "scripts/install_browser.sh could not install chromium here")
    arguments = [
        str(INSTALLED),
        "--headless",
        "--no-sandbox",  # which does not work as root, as in most containers
        "--disable-gpu",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--enable-logging=stderr",
        f"--user-data-dir={profile}",
        "--virtual-time-budget=10000",
        "--window-size=1200,1000",
        "--dump-dom",
        page.as_uri(),
    ]
    done = subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, "HOME": str(profile)},
    )
    return Visit(done.stdout, re.findall(r"CONSOLE[^\]]*\] (.*)", done.stderr))

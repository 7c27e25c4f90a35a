"""What all tests share: a cache, stores and devices of their own, and a list at the end of what could not run here."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from fake_devices import Register

    from hetero.cost.store import ProfileStore

# No deadline: cores are shared. In CI the examples are the same every time, so that a change is judged by itself; the
# search for new ones goes on wherever people run the tests.
settings.register_profile("hetero", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("hetero")

# A shell's background jobs start with Ctrl-C ignored, and so would the programs that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

sys.path.insert(0, str(Path(__file__).parent))  # under importlib's import mode nothing else finds `needs`


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Profiles of this run only: neither read from the user's store nor written to it."""
    before = os.environ.get("HETERO_CACHE")
    cache = tmp_path_factory.mktemp("cache")
    os.environ["HETERO_CACHE"] = str(cache)
    yield cache
    if before is None:
        del os.environ["HETERO_CACHE"]
    else:
        os.environ["HETERO_CACHE"] = before


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProfileStore]:
    """An empty profile store of the test's own."""
    from hetero.cost.store import ProfileStore

    with ProfileStore(tmp_path / "profiles.sqlite") as opened:
        yield opened


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Registers devices that are made for the test, and for its time only."""
    from fake_devices import registering

    return registering(monkeypatch)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    import needs

    needs.report(terminalreporter)

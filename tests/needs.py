"""Tests that need something this machine may lack say so by name; the run ends with the list."""

from __future__ import annotations

from typing import NoReturn

import pytest

_MISSING: dict[str, str] = {}


def needs(what: str, reason: str) -> NoReturn:
    """Skip the running test, and put ``what`` on the list of what could not run here.

    A plain skip is silent; a test suite that skips in silence looks as if it had tested everything.
    """
    _MISSING[what] = reason
    pytest.skip(f"needs {what}: {reason}")


def report(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the list, at the end of the run."""
    if _MISSING:
        terminalreporter.section("could not run here")
        for what, reason in sorted(_MISSING.items()):
            terminalreporter.write_line(f"could not run here: {what}: {reason}")

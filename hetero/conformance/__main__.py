"""``python -m hetero.conformance [DEVICE...]``: run devices through the suite; status 1 where one fails."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from hetero import registry
from hetero.conformance.checks import CHECKS
from hetero.conformance.subject import ConformanceError, Subject
from hetero.device import DeviceStatus
from hetero.errors import HeteroError, UnknownNameError


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line a check; 0 where all hold, 1 where one does not, 2 for a name that no device has."""
    parser = argparse.ArgumentParser(prog="python -m hetero.conformance", description=__doc__)
    parser.add_argument(
        "device", nargs="*", help="names such as cpu/openvino; default: all that are available"
    )
    names = parser.parse_args(arguments).device
    statuses = {status.name: status for status in registry.devices()}
    for name in names:
        if name not in statuses:
            print(UnknownNameError("device", name, statuses), file=sys.stderr)
            return 2
    chosen = [statuses[name] for name in names] or list(statuses.values())
    # a device that was named must be there; one that is only known may be missing
    results = [_run(status, required=bool(names)) for status in chosen]
    return 0 if all(results) else 1


def _run(status: DeviceStatus, required: bool) -> bool:
    if not status.available:
        print(status)
        return not required
    try:
        subject = Subject.from_status(status)
    except HeteroError as error:
        print(f"{status.name}: cannot be opened: {error}")
        return False
    good = True
    for check in CHECKS:
        started = time.perf_counter()
        try:
            check(subject)
            outcome = "ok"
        except ConformanceError as error:
            outcome, good = f"FAILED: {error}", False
        except Exception as error:  # a device may raise anything; the check failed, and this is why
            outcome, good = f"FAILED: {type(error).__name__}: {error}", False
        seconds = time.perf_counter() - started
        print(f"{status.name:<20} {check.__name__.removeprefix('check_'):<16} {seconds:6.2f} s  {outcome}")
    return good


if __name__ == "__main__":
    sys.exit(main())

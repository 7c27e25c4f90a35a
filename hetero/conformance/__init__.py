"""What every device promises, as checks that any device can be run through.

    python -m hetero.conformance                    every device that is available, teaching devices too
    python -m hetero.conformance cpu/openvino       these only

A device joins by being known to the registry: a built-in row, or an entry point of group ``hetero.devices``. In a
test suite each check is a plain function of a `Subject`:

    @pytest.mark.parametrize("check", CHECKS)
    def test_device(check):
        check(Subject.of("abacus0/abacus"))
"""

from __future__ import annotations

from hetero.conformance.checks import CHECKS, Check
from hetero.conformance.subject import ConformanceError, Subject

__all__ = ["CHECKS", "Check", "ConformanceError", "Subject"]

"""How many shots a wanted error takes: the precision that sampling has, as a number that can be planned with."""

from __future__ import annotations

import math

from hetero.errors import ArgumentError, InfeasibleError

__all__ = ["AUTO_ERROR", "MOST_SHOTS", "shots_for", "standard_error"]

AUTO_ERROR = 0.01
"""What ``shots=ht.auto`` aims at where no error limit is given: 2,500 shots."""

MOST_SHOTS = 100_000_000
"""Beyond, counting takes minutes whatever is simulated."""


def standard_error(shots: int) -> float:
    """Of a relative frequency of so many shots, at most: that of one half.

    >>> standard_error(2_500)
    0.01
    """
    return 0.5 / math.sqrt(shots)


def shots_for(error: float) -> int:
    """The fewest shots of which a relative frequency has this standard error at most.

    Raises:
        ArgumentError: the error is no number above 0.
        InfeasibleError: it takes more than `MOST_SHOTS`.

    >>> shots_for(0.01), shots_for(0.5)
    (2500, 1)
    """
    if isinstance(error, bool) or not isinstance(error, int | float) or not 0 < error < math.inf:
        raise ArgumentError(
            f"error={error!r}: a standard error is a number above 0; more shots make it smaller"
        )
    # The tolerance keeps 0.25 / 0.01**2 = 2500.0000000000005 from becoming 2,501.
    shots = max(1, math.ceil(0.25 / error**2 * (1 - 1e-12)))
    if shots > MOST_SHOTS:
        raise InfeasibleError(
            f"a standard error of {error:.1e} takes {shots:.1e} shots; at most {MOST_SHOTS:.0e} are drawn, which have "
            f"{standard_error(MOST_SHOTS):.0e}: ask for observables=, whose values are exact, or allow a larger error"
        )
    return shots

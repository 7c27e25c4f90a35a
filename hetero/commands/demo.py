"""``hetero demo``: the whole way on one pipeline, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    report: Annotated[
        Path, typer.Option("--report", metavar="FILE", help="Where the HTML report goes.")
    ] = Path("hetero-demo.html"),
) -> None:
    """Plan and run one pipeline, beside single engines.

    Devices, plan, texts, predicted against measured, the five figures, and a report; takes a minute or two.
    """
    from hetero.commands.options import require_folder
    from hetero.demo import run_demo

    require_folder(report)
    run_demo(report)

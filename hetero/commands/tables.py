"""Tables for the terminal and for files."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hetero.show import text_table

__all__ = ["print_table"]


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print rows under their headers; the columns named in ``right`` hold numbers.

    A terminal gets cells that break to its width; a file or pipe gets a line a row, however long, to be searched.
    """
    if not sys.stdout.isatty():
        print(text_table(headers, rows))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for header in headers:
        table.add_column(header, justify="right" if header in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # as Text: square brackets of a shape are no markup
    Console(highlight=False).print(table)

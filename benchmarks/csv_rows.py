"""Rows of a benchmark's table in a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def write(path: Path | None, rows: Sequence[Mapping[str, Any]], columns: Iterable[str] = ()) -> None:
    """Write the rows where a path is given; the columns are those of the first row where none are named."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(columns) or list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read(path: Path | None, texts: Collection[str]) -> list[dict[str, Any]]:
    """The rows of an earlier run, none where there was none. All columns but ``texts`` are numbers."""
    if path is None or not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {key: value if key in texts else float(value) for key, value in row.items()}
            for row in csv.DictReader(file)
        ]

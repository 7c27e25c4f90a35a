"""Labelled tables that a person gives: CSV files of numbers whose last column is the class."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hetero.errors import ArgumentError

__all__ = ["SUFFIXES", "read_table"]

SUFFIXES = (".csv",)


def read_table(path: str | Path) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Features (samples, features) and labels (samples,) of a CSV file; a first line without numbers is a header.

    Raises:
        ArgumentError: a cell is no finite number, or rows differ in length; names the line.
    """
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        rows = [(number, row) for number, row in enumerate(csv.reader(file), 1) if any(map(str.strip, row))]
    if rows and not any(map(_is_number, rows[0][1][:-1])):
        rows = rows[1:]
    if not rows or len(rows[0][1]) < 2:
        raise ArgumentError(f"{path}: expected rows of numbers with the class in the last column")
    width = len(rows[0][1])
    for number, row in rows:
        if len(row) != width:
            raise ArgumentError(f"{path}, line {number}: {len(row)} cells, the first row has {width}")
        for cell in row[:-1]:
            if not _is_number(cell):
                raise ArgumentError(f"{path}, line {number}: {cell!r} is not a finite number")
    features = np.array([[float(cell) for cell in row[:-1]] for _, row in rows])
    return features, np.array([row[-1].strip() for _, row in rows])


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False

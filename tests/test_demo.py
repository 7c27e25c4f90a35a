"""`hetero demo`, with less time for measuring than a person gives it."""

from __future__ import annotations

from pathlib import Path

import pytest

import hetero.demo
from hetero.cli import main
from hetero.graphs.business_lines import PAGE


def test_the_demo_goes_the_whole_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Devices, plan, texts, predicted against measured, five figures for each plan, and a report are all there."""
    for name, value in {"BUDGET_S": 3.0, "RUNS": 2, "RUNS_S": 0.5, "LOAD_S": 0.1}.items():
        monkeypatch.setattr(hetero.demo, name, value)
    page = tmp_path / "demo.html"
    assert main(["demo", "--report", str(page)]) == 0
    out = capsys.readouterr().out
    assert "cpu/onnxruntime" in out
    assert "Plan for latency" in out
    for text in PAGE:
        assert text in out
    assert "one request" in out
    for plan in (
        "hetero ",
        "ONNX Runtime everywhere (fp32)",
        "OpenVINO everywhere",
        "torch eager for its module",
    ):
        row = next(line for line in out.splitlines() if line.startswith(plan))
        assert f"{len(PAGE)}/{len(PAGE)} equal" in row
        assert row.count("too few") >= 4  # of two runs no figure is told
    assert "too few: fewer than 5 runs" in out
    assert "Beside single engines" in page.read_text()

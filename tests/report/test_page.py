"""The report: what it says, that it is one file, and that a real browser shows it without an error."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from headless_browser import visit

import hetero as ht
from hetero.bill import bills, total
from hetero.constraint_costs import rows_of
from hetero.errors import ArgumentError
from hetero.events import EventLog
from hetero.explain import path_text
from hetero.plans import Plan
from hetero.report import gantt
from hetero.report.measured import no_word_of_drift
from hetero.report.page import Observed, observe, write_report


@pytest.fixture(scope="module")
def page(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "page.html"
    plan.report(path)
    return path


@pytest.mark.browser
def test_a_real_browser_draws_it_without_a_console_error(page: Path, tmp_path: Path) -> None:
    """Offline, all charts are drawn and nothing is written to the console: two schedules, and two of load."""
    seen = visit(page, tmp_path)
    assert seen.console == []
    assert 'data-charts="4"' in seen.document
    assert len(re.findall(r'class="main-svg"', seen.document)) >= 4
    assert "Predicted: " in seen.document
    assert "Measured: " in seen.document


@pytest.mark.browser
def test_the_browser_of_these_tests_does_see_errors(tmp_path: Path) -> None:
    """A page that throws, and one that loads something from the network, are found out."""
    broken = tmp_path / "broken.html"
    broken.write_text('<script>nowhere()</script><script src="http://example.org/x.js"></script>')
    console = " ".join(visit(broken, tmp_path / "profile").console)
    assert "nowhere is not defined" in console


def test_it_is_one_file(page: Path) -> None:
    """No script, style sheet, font or picture is loaded from anywhere."""
    text = page.read_text()
    markup = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(
        r"<(script|img|iframe)[^>]*\ssrc=|<link[^>]*href=\"(?!data:)|@import|url\((?!#)", markup
    )


def test_names_are_text_and_never_markup(page: Path) -> None:
    """A node called like a tag appears as such; only in the charts' data, which is no markup, it stands as it is."""
    text = page.read_text()
    assert "sum &lt;b&gt; &amp; more" in text
    assert "sum <b>" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


def test_it_shows_all_five_figures_the_bound_and_every_node(plan: Plan, page: Path) -> None:
    """Latency, energy, cost, scalability and precision have a row each, and every node of the plan is named."""
    text = page.read_text()
    for figure in ("latency", "energy", "cost", "scalability", "precision"):
        assert re.search(f"<td>{figure}[^<]*</td>", text), figure
    assert "proven optimal" in text
    for path in plan.choices:
        assert path.rsplit("/", 1)[-1].split(" ")[0] in text


def test_it_shows_what_a_request_costs_part_by_part(plan: Plan, page: Path) -> None:
    """Hardware, energy, overhead and carbon, one request at a time and without a pause; the parts make the whole."""
    text = page.read_text()
    for part in (
        "hardware, $",
        "energy, $",
        "overhead, $",
        "in all, $",
        "CO2, g",
        "one at a time",
        "without a pause",
    ):
        assert part in text, part
    found = total(bills(plan, plan.estimate.seconds))
    assert found.cost.dollars == pytest.approx(plan.estimate.dollars)
    assert found.joules == pytest.approx(plan.estimate.joules)


def test_it_shows_what_doing_without_a_supplier_costs_as_explain_does(plan: Plan, page: Path) -> None:
    """The same rows as in the plan's explanation, and the critical path."""
    text, said = page.read_text(), plan.explain()
    assert "What each constraint costs" in text
    for word, *_ in rows_of(plan)[1:]:
        assert word in text
        assert word in said
    assert path_text(plan).split(" ")[0] in text.split("Critical path: ")[1].split("</p>")[0]


def test_it_shows_throughput_and_latency_under_load(page: Path) -> None:
    """Closed and open loops with p50 and p99."""
    text = page.read_text()
    assert re.search(r"<td>closed: 1 in flight</td>", text)
    assert re.search(r"<td>open: [\d.,e+]+ a second</td>", text)


def test_drift_is_not_told_while_it_is_measured(caplog: pytest.LogCaptureFixture) -> None:
    """The page compares predicted with measured; before and after, and of anything else, the log hears as ever."""
    log = EventLog()
    with no_word_of_drift():
        log.add("drift", "node", "is slow")
        log.add("lost", "device", "is gone")
    log.add("drift", "node", "is slow again")
    assert [record.getMessage() for record in caplog.records] == [
        "lost device: is gone",
        "drift node: is slow again",
    ]
    assert len(log.since()) == 3


def test_loads_are_those_that_were_asked_for(plan: Plan) -> None:
    """Users of closed loops, rates of open ones."""
    curve = observe(plan, users=[2], rates=[50.0], load_s=0.1).curve
    assert curve is not None
    assert [load.users for load in curve.closed] == [2]
    assert [load.rate for load in curve.open] == [50.0]


def test_without_samples_it_shows_what_was_predicted_only(plan: Plan) -> None:
    """A plan that cannot be run here has one chart, and no figure is called seen."""
    assert observe(replace(plan, samples=())) == Observed()


def test_a_node_with_side_effects_is_not_run_for_a_report(tmp_path: Path) -> None:
    """Writing the report of a plan that sends mail sends none."""
    sent: list[int] = []

    @ht.node(retry=False)
    def send(x: int) -> int:
        sent.append(x)
        return x

    with ht.plan(send, 1) as plan:
        sent.clear()
        plan.report(tmp_path / "page.html")
    assert sent == []


def test_a_missing_extra_is_named(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without plotly the error says what to install."""
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(ht.HeteroError, match=r"hetero\[report\]"):
        write_report(plan, tmp_path / "page.html")


def test_an_old_report_survives_a_failure(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the page cannot be made, the file is as it was."""
    path = tmp_path / "page.html"
    path.write_text("old")
    monkeypatch.setattr(gantt, "figure", lambda *_: {}["nothing"])
    with pytest.raises(KeyError):
        plan.report(path)
    assert path.read_text() == "old"


def test_a_folder_that_is_not_there_is_named_before_the_plan_is_run(plan: Plan, tmp_path: Path) -> None:
    """Measuring a plan under load takes seconds, which nobody should wait for to be told of a slip."""
    path = tmp_path / "nowhere" / "page.html"
    calls = sum(one.calls for one in plan.stats().values())
    with pytest.raises(ArgumentError, match=r"cannot write .*page\.html: there is no folder"):
        plan.report(path)
    assert sum(one.calls for one in plan.stats().values()) == calls

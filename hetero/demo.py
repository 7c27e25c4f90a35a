"""``hetero demo``: the whole way on one pipeline, on this machine, and beside what single engines do."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import hetero as ht
from hetero.commands import devices
from hetero.commands.tables import print_table
from hetero.cost.difference import relative_l2
from hetero.errors import InfeasibleError
from hetero.explain import chosen_option, times_the_chosen
from hetero.plans import CONTROL
from hetero.report.figures import dollars_seen, error_text, joules_seen
from hetero.report.measured import Measured, measure, no_word_of_drift
from hetero.report.page import Observed, write_report
from hetero.run.load import FEWEST, Load, LoadCurve, closed_loop
from hetero.show import rate, seconds
from hetero.uniform import habitual_precision, uniform

if TYPE_CHECKING:
    from hetero.plans import Plan

__all__ = ["run_demo"]

PIPELINE = "read_and_route"
HABITS = (
    ("onnxruntime", "ONNX Runtime everywhere"),
    ("openvino", "OpenVINO everywhere"),
    ("torch", "torch eager for its module"),
)
RUNS, RUNS_S, LOAD_S = 7, 2.5, 1.2
IN_FLIGHT = (1, 2)
TOO_FEW = "too few"
"""In the place of a figure that would be told from fewer runs, or answers, than ``hetero.run.load.FEWEST``."""
NOTE_LETTERS = 140
BUDGET_S = 45.0
"""For planning: keeps the whole demo under 90 seconds on two slow cores; usually less is needed."""
HEADERS = (
    "plan", "p50", "p99", "energy, J", "$ per 1,000", "a second, 1 in flight", "2 in flight", "error", "texts"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """A plan and what was seen of it."""

    name: str
    plan: Plan
    measured: Measured
    loads: tuple[Load, ...]
    error: float
    texts_equal: str

    def row(self) -> tuple[str, ...]:
        rates = (TOO_FEW if load.per_second is None else rate(load.per_second) for load in self.loads)
        return (self.name, *self._of_one_request(), *rates, error_text(self.error), self.texts_equal)

    def _of_one_request(self) -> tuple[str, ...]:
        measured = self.measured
        if not measured.enough:
            return (TOO_FEW,) * 4
        joules, dollars = joules_seen(self.plan, measured), dollars_seen(self.plan, measured)
        return (seconds(measured.p50_s), seconds(measured.p99_s), f"{joules:.2f}", f"{1000 * dollars:.4f}")


def run_demo(report: Path) -> None:
    """Print everything, write the report."""
    from hetero.graphs.catalog import ready

    say = _Clock()
    _print_devices()
    face = ready(PIPELINE)
    say("loading the models, fitting the classifiers")
    pipeline, call = face.build(), face.sample()
    say("measuring every option of every node, and solving (the next time this is known)")
    plan = ht.plan(pipeline, *call, budget_s=BUDGET_S)
    _print_plan(plan)
    say("running it")
    print(f"\nThe page, as the plan reads it\n\n{face.show(plan(*call))}")
    say("comparing: every plan alone, one after the other")
    reference = plan.graph.run(*call)
    seen = [_see(name, one, call, reference) for name, one in _plans(plan)]
    _print_predicted(plan, seen[0].measured)
    _print_figures(seen)
    rivals = [HEADERS, *(one.row() for one in seen)]
    write_report(plan, report, Observed(seen[0].measured, LoadCurve(seen[0].loads, ()), rivals))
    say(f"report written to {report}")


class _Clock:
    """Says on standard error what begins, and when."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    def __call__(self, text: str) -> None:
        sys.stdout.flush()
        print(f"[{time.perf_counter() - self._started:5.1f} s] {text}", file=sys.stderr, flush=True)


def _print_devices() -> None:
    from hetero.registry import detect_machine

    print("Devices\n")
    print_table(devices.HEADERS, devices.rows(ht.devices(), detect_machine(teaching=True)))


def _print_plan(plan: Plan) -> None:
    rows = []
    for path, indent, name in _reached(plan):
        choice = plan.choices[path]
        device = "" if choice.device == CONTROL else choice.device
        rows.append((indent + name, device, str(choice.variant), _next_best(plan, path)))
    schedule = plan.schedule
    bound = "proven optimal" if schedule.proven_optimal else f"at most {schedule.gap:.1%} above the optimum"
    print(
        f"\nPlan for {plan.objective}: {seconds(schedule.makespan_s)}, {bound} among the options measured\n"
    )
    print_table(("node", "device", "variant", "the next best would take"), rows)
    for note in plan.notes:
        print(f"note: {shorten(note, NOTE_LETTERS, placeholder=' ...')}")


def _reached(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Path, indent and name of the nodes that the sample reached."""
    for path, node in plan.graph.walk():
        if plan.evidence is None or plan.evidence.per_request(path) > 0:
            yield path, "  " * (path.count("/") - node.name.count("/")), node.name


def _next_best(plan: Plan, path: str) -> str:
    """The cheapest option of another device or precision, as a multiple of the chosen one."""
    choice = plan.choices[path]
    if choice.device == CONTROL:
        return ""
    kind = (choice.device, choice.variant.precision)
    others = [
        (ratio, one.choice)
        for one in plan.options[path]
        if one.usable
        and (one.choice.device, one.choice.variant.precision) != kind
        and (ratio := times_the_chosen(plan, path, one)) is not None
    ]
    if not others:
        return ""
    ratio, other = min(others, key=lambda one: one[0])
    return f"{ratio:.2f} times as long on {other.device} {other.variant.precision}"


def _plans(plan: Plan) -> Iterator[tuple[str, Plan]]:
    """The plan itself, then those of habit, each with a name."""
    yield "hetero", plan
    for engine, name in HABITS:
        try:
            habit = uniform(plan, engine)
        except InfeasibleError as error:
            print(f"note: {error}")
            continue
        device = next(device for device in plan.machine.devices if device.engine == engine)
        yield f"{name} ({habitual_precision(device)})", habit


def _see(name: str, plan: Plan, call: Sequence[Any], reference: Any) -> Seen:
    """Measure a plan, and let go of its engines: their threads would disturb the next one."""
    with plan, no_word_of_drift():
        measured = measure(plan, call, RUNS, RUNS_S)
        loads = tuple(closed_loop(plan, [ht.args(*call)], users=count, seconds=LOAD_S) for count in IN_FLIGHT)
        result = plan(*call)
    expected, found = [line.text for line in reference.lines], [line.text for line in result.lines]
    equal = sum(a == b for a, b in zip(expected, found, strict=False))
    return Seen(
        name, plan, measured, loads, relative_l2((reference,), (result,)), f"{equal}/{len(expected)} equal"
    )


def _print_predicted(plan: Plan, measured: Measured) -> None:
    rows = []
    for path, indent, name in _reached(plan):
        option = chosen_option(plan, path)
        predicted_s = option.estimate.seconds if option is not None and option.estimate is not None else None
        took_s = measured.nodes.get(path)
        rows.append((indent + name, _time(predicted_s), _time(took_s), _ratio(predicted_s, took_s)))
    total_s = plan.estimate.seconds
    rows.append(("one request", _time(total_s), _time(measured.p50_s), _ratio(total_s, measured.p50_s)))
    print(
        f"\nPredicted from node profiles, and measured (medians of {measured.counted_runs}; a map's "
        "nodes: all its items together)\n"
    )
    print_table(("node", "predicted", "measured", "ratio"), rows, right=("predicted", "measured", "ratio"))


def _time(value: float | None) -> str:
    return "" if value is None else seconds(value)


def _ratio(predicted_s: float | None, took_s: float | None) -> str:
    return f"{predicted_s / took_s:.2f}" if predicted_s and took_s else ""


def _print_figures(seen: Sequence[Seen]) -> None:
    print(
        "\nFive figures, and those of habit: every model on one engine, all cores, the engine's own precision\n"
    )
    print_table(HEADERS, [one.row() for one in seen], right=HEADERS[1:7])
    if any(TOO_FEW in one.row() for one in seen):
        print(
            f"{TOO_FEW}: fewer than {FEWEST} runs or answers in the time there was; the machine may be busy"
        )
    counted = seen[0].measured.joules is not None
    print(
        "Latency, throughput and error are measured, error against the reference in fp32. Energy is "
        + ("counted by the hardware" if counted else "modelled from measured times and the processor's watts")
        + ",\ncost from measured times, the processor's price per hour and that of its energy; the report says which."
    )

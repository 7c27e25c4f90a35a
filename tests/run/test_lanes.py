"""From a schedule's times to an order on lanes."""

from hetero.run.lanes import Interval, overlapping, seat, topological_by_start


def test_tasks_side_by_side_take_different_lanes_and_chains_stay_on_theirs():
    """Two parallel chains keep one lane each from end to end."""
    order = topological_by_start(
        [
            Interval("a", "cpu", 1, 0, 1),
            Interval("b", "cpu", 1, 0, 2),
            Interval("a2", "cpu", 1, 1, 3, ("a",)),
            Interval("b2", "cpu", 1, 2, 4, ("b",)),
        ]
    )
    seats = seat(order)
    assert seats["a"].lanes == seats["a2"].lanes
    assert seats["b"].lanes == seats["b2"].lanes
    assert seats["a"].lanes != seats["b"].lanes
    assert overlapping(order)


def test_a_wide_task_comes_after_the_last_task_of_each_of_its_lanes():
    """Capacity is kept without a clock: what held the cores before has to end first."""
    seats = seat(
        topological_by_start(
            [
                Interval("a", "cpu", 1, 0, 1),
                Interval("b", "cpu", 1, 0, 2),
                Interval("wide", "cpu", 2, 2, 3),
                Interval("c", "cpu", 1, 3, 4),
                Interval("d", "cpu", 1, 3, 4),
            ]
        )
    )
    assert set(seats["wide"].after) == {"a", "b"}
    assert seats["c"].after == ("wide",) == seats["d"].after
    assert seats["c"].lanes != seats["d"].lanes


def test_tasks_one_after_the_other_do_not_overlap_though_rounding_says_so():
    """A schedule is exact to 1e-9 of its makespan, not more."""
    assert not overlapping([Interval("a", "cpu", 1, 0.0, 1.0 + 1e-10), Interval("b", "cpu", 1, 1.0, 2.0)])


def test_parents_come_first_even_where_rounding_starts_a_child_earlier():
    """The order of the program is topological whatever the times say."""
    order = topological_by_start(
        [Interval("a", "cpu", 1, 0.0, 1.0), Interval("b", "gpu", 1, -1e-12, 1.0, ("a",))]
    )
    assert [task.name for task in order] == ["a", "b"]


def test_a_task_of_no_time_holds_no_lane_back():
    """A task of zero seconds in the middle of another one's time is not put behind it."""
    seats = seat(topological_by_start([Interval("a", "cpu", 1, 0, 4), Interval("zero", "cpu", 0, 2, 2)]))
    assert seats["zero"].after == ()

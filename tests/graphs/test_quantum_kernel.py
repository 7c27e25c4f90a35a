"""The `quantum_kernel` pipeline: its features, its fairness, and the tables that a person gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from hetero.errors import ArgumentError
from hetero.graphs import quantum_kernel
from hetero.graphs.kernels import squared_distances
from hetero.graphs.quantum_classifier import QuantumClassifier
from hetero.graphs.quantum_features import LIMIT_DEVIATIONS, AngleMap, feature_circuit, observables
from hetero.graphs.quantum_kernel import Comparison
from hetero.graphs.quantum_kernel_pipeline import angles, classify
from hetero.graphs.tables import read_table
from hetero.ops.circuit import CircuitOp


def test_the_pipeline_classifies_real_tumours_by_both_kernels() -> None:
    """On the breast cancer data both kernels are right on far more than the larger class (63%)."""
    result = quantum_kernel.build()(*quantum_kernel.sample())
    assert result.samples == 120
    assert result.quantum_right > 100
    assert result.classical_right > 100
    assert 0 <= result.p_value <= 1
    assert "120 right" in quantum_kernel.show(result)


def test_the_winner_needs_more_than_chance() -> None:
    """A difference within noise has no winner, a real one does."""
    assert Comparison(120, 110, 111, 0.9).winner == "neither"
    assert Comparison(120, 80, 111, 0.001).winner == "classical"
    assert Comparison(120, 111, 80, 0.001).winner == "quantum"
    assert "the classical kernel wins" in quantum_kernel.show(Comparison(120, 80, 111, 0.001))


def test_no_fold_sees_its_test_samples() -> None:
    """Changing a tested sample's features changes the other samples' angles in no fold that tests it."""
    features, labels = quantum_kernel.sample()
    moved = features.copy()
    moved[0] *= 3
    before, after = (angles.op.load()(table, labels)[0] for table in (features, moved))
    untouched = [np.array_equal(before[fold, 1:], after[fold, 1:]) for fold in range(len(before))]
    assert untouched.count(True) == 1


def test_labels_without_structure_are_not_learnt() -> None:
    """The cross-validation is honest: random labels are guessed no better than chance."""
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(5, 100, 4)), rng.integers(0, 2, 100)
    (predicted,) = classify.op.load()(squared_distances(points, points), labels)
    assert 0.3 < (predicted == labels).mean() < 0.7


def test_the_features_are_bloch_vectors() -> None:
    """Three numbers a qubit, of length at most 1, those of the circuit's exact state."""
    x = np.random.default_rng(1).uniform(-1, 1, 4)
    (found,) = CircuitOp.from_circuit(feature_circuit(4), observables(4)).load()(x)
    assert (np.linalg.norm(found.reshape(4, 3), axis=1) <= 1 + 1e-12).all()
    state = Statevector(feature_circuit(4).assign_parameters(x))
    zero, one = state.probabilities([2])
    assert found.reshape(4, 3)[2, 2] == pytest.approx(zero - one)


def test_angles_are_scaled_uncorrelated_and_bounded() -> None:
    """Principal components of deviation pi/10; outliers are clipped; missing directions are zero."""
    features = np.random.default_rng(2).normal(size=(200, 20)) @ np.diag(np.arange(1.0, 21))
    fitted = AngleMap.fit(features, standardise=False)
    turned = fitted(features)
    assert turned.std(0) == pytest.approx(np.full(8, np.pi / 10), rel=0.05)
    assert np.abs(fitted(1e6 * features)).max() <= LIMIT_DEVIATIONS * np.pi / 10 + 1e-12
    narrow = AngleMap.fit(features[:, :2])(features[:, :2])
    assert narrow.shape == (200, 8)
    assert not narrow[:, 2:].any()
    assert np.isfinite(AngleMap.fit(np.ones((5, 3)))(np.ones(3))).all()


def test_angles_refuse_what_is_no_table() -> None:
    """NaN and single samples cannot be fitted."""
    for bad in (np.full((4, 3), np.nan), np.ones((1, 3)), np.ones(3)):
        with pytest.raises(ArgumentError, match="table of finite numbers"):
            AngleMap.fit(bad)


def test_the_classifier_learns_classes_of_embeddings() -> None:
    """Fitted on labelled vectors of 384 numbers, it names the class of new ones by their circuits."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(2, 384))
    labels = np.repeat(["invoice", "letter"], 15)
    examples = np.repeat(centres, 15, axis=0) + 0.8 * rng.normal(size=(30, 384))
    new = np.repeat(centres, 10, axis=0) + 0.8 * rng.normal(size=(20, 384))
    classifier = QuantumClassifier.fit(examples, labels)
    (expectations,) = CircuitOp.from_circuit(feature_circuit(), observables()).load()(classifier.angles(new))
    found = classifier.predict(expectations)
    assert (found == np.repeat(["invoice", "letter"], 10)).mean() >= 0.9
    assert classifier.predict(expectations[:0]).shape == (0,)


def test_the_classifier_needs_examples_of_two_classes() -> None:
    """One class, or two examples of a class, are refused with what was found."""
    with pytest.raises(ArgumentError, match="found a: 4"):
        QuantumClassifier.fit(np.eye(4), ["a"] * 4)
    with pytest.raises(ArgumentError, match="b: 2"):
        QuantumClassifier.fit(np.eye(5), ["a", "a", "a", "b", "b"])


def test_folds_need_five_samples_of_each_class() -> None:
    """Too small a table is an error that says what there is."""
    with pytest.raises(ArgumentError, match="1: 2"):
        angles.op.load()(np.eye(10), np.array([0] * 8 + [1] * 2))


@pytest.mark.parametrize("header", ["", "width,height,kind\n"])
def test_tables_are_read_with_and_without_a_header(header: str, tmp_path: Path) -> None:
    """Numbers in front, the class in the last column, blank lines ignored."""
    path = tmp_path / "table.csv"
    path.write_text(header + "1,2.5,a\n\n-3,4e2,b\n")
    features, labels = read_table(path)
    assert features.tolist() == [[1, 2.5], [-3, 400]]
    assert labels.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,a\n1,x,b\n", "line 2: 'x' is not a finite number"),
        ("1,2,a\n1,nan,b\n", "line 2: 'nan'"),
        ("1,2,a\n1,b\n", "line 2: 2 cells, the first row has 3"),
        ("", "class in the last column"),
        ("only\n", "class in the last column"),
    ],
)
def test_broken_tables_are_named_with_their_line(text: str, message: str, tmp_path: Path) -> None:
    """What cannot be read is said with its place."""
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(ArgumentError, match=message):
        read_table(path)


def test_a_folder_without_tables_is_an_error(tmp_path: Path) -> None:
    """Nothing to read is not silently nothing done."""
    with pytest.raises(FileNotFoundError, match=r"no \.csv"):
        list(quantum_kernel.inputs(tmp_path))


def test_a_table_too_small_for_the_folds_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """By the file's name, also in a folder, where other files are left alone; one that is large enough is read."""
    (tmp_path / "good.csv").write_text("1,2,a\n" * 5 + "3,4,b\n" * 5)
    (tmp_path / "notes.txt").write_text("no table")
    assert [len(labels) for _, labels in quantum_kernel.inputs(tmp_path)] == [10]
    (tmp_path / "small.csv").write_text("1,2,a\n" * 5 + "3,4,b\n" * 3)
    with pytest.raises(ArgumentError, match=r"small\.csv: at least two classes .* found a: 5, b: 3"):
        list(quantum_kernel.inputs(tmp_path))

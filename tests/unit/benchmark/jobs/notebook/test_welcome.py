"""The first notebook is one that Jupyter reads; its cells are executed in the acceptance tests."""

from __future__ import annotations

import json

from benchmark.jobs.notebook import welcome


def test_it_is_a_notebook_of_cells_that_compile() -> None:
    document = json.loads(welcome.text())
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    identifiers = [cell["id"] for cell in document["cells"]]
    assert len(set(identifiers)) == len(identifiers)
    code = [cell["source"] for cell in document["cells"] if cell["cell_type"] == "code"]
    assert len(code) == 3
    for source in code:
        compile(source, "cell", "exec")

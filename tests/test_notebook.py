import os
import sys

import nbformat
import pytest
from nbclient import NotebookClient

CELL = """
from autofix.monitoring.console import Console
from autofix.recipe import Recipe
from autofix.report.records import TrialRecord
console = Console(1)
with console.search("After epoch 2: the same value for every row."):
    console.rung(1, ["reshuffle"])
    console.trial(TrialRecord(1, Recipe(), {}, 0.5, 0.4, 0.6, 0.5, 0.1, "accepted"))
    console.outcome("Repair found: reshuffle.")
"""


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """What a notebook shows below a cell."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return notebook.cells[0].outputs


@pytest.mark.filterwarnings("default")  # of the notebook's own libraries
def test_in_a_notebook_the_search_is_one_drawing_that_is_exchanged_in_place(outputs):
    (shown,) = outputs
    page = shown.data["text/html"]
    assert page.count("reshuffle") == 2  # in the ladder and in how it ended
    assert "0.500" in page
    assert "Repair found" in page
    assert "\x1b" not in page

"""Reports in a real notebook."""

import pytest

nbclient = pytest.importorskip("nbclient", reason="nbclient runs the notebook")
nbformat = pytest.importorskip("nbformat", reason="nbclient runs the notebook")

CELLS = (
    "from autofix.report import Report\nfrom tests.report import made\nreport = Report(made.repaired())",
    "report",
    "report.plot('predictions')",
    "import sys; assert 'matplotlib.pyplot' not in sys.modules",
)


@pytest.mark.sweep
def test_a_cell_shows_the_report_and_another_a_figure():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = [cell.outputs[0]["data"] for cell in notebook.cells[1:3]]
    assert 'class="autofix compact"' in shown[0]["text/html"]
    assert shown[1]["image/png"]

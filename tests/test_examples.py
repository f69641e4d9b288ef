"""The programs of `examples/` do what they say."""

import importlib.util
import os
import pathlib
import runpy
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"


def load(name: str) -> Any:
    spec: Any = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_tried_here():
    tried = pathlib.Path(__file__).read_text(encoding="utf-8")
    assert [path.stem for path in EXAMPLES.glob("*.py") if f'load("{path.stem}")' not in tried] == []


def test_quick_start_repairs_the_learning_rate(capsys):
    report = load("quick_start").main()
    assert report.verdict == "repaired"
    assert report.recipe.strategies == ("lower_learning_rate",)
    assert report.diff.splitlines()[0] == "-optimizer=keras.optimizers.Adam(1.0)"
    out = capsys.readouterr().out
    assert "autofix: epoch 2: spread 0.000" in out
    assert str(report) in out


@pytest.mark.sweep
def test_the_diagnosis_names_all_three_faults():
    diagnosis = load("diagnose_alone").main()
    assert {one.cause for one in diagnosis.matters} == {"output_mismatch", "learning_rate_too_high", "unscaled_inputs"}


@pytest.mark.sweep
def test_the_monitor_warns_once():
    (message,) = load("monitor_alone").main()
    assert "predicts the same value for every row" in message


@pytest.mark.sweep
def test_the_program_of_the_repair_runs_without_autofix(tmp_path):
    script = load("script_of_the_repair").main(tmp_path)
    block = "import sys; sys.modules['autofix'] = None; import runpy; runpy.run_path('train.py')"
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", block], cwd=script.parent, env=environment, check=True, capture_output=True)
    import keras

    repaired = keras.models.load_model(tmp_path / "repaired.keras")
    expected = np.load(tmp_path / "predictions.npy")
    found = repaired.predict(np.load(tmp_path / "x.npy"), verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["quick_start"])
def test_an_example_does_nothing_when_it_is_imported(name, capsys):
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="imported")
    assert capsys.readouterr().out == ""

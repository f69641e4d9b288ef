"""The example folder: its files are what its program makes, and its jobs end as they say."""

import importlib
import json
import pathlib

import keras
import numpy as np
import pytest

import autofix
from autofix.cli import main
from autofix.jobs import data, models
from autofix.jobs.reading import read

FOLDER = pathlib.Path(__file__).parents[2] / "examples" / "jobs"

MOST_BYTES = 310_000
"""Of the data and models, which lie in the repository."""

VERDICTS = {
    "diabetes": "repaired",
    "wine": "repaired",
    "breast_cancer": "repaired",
    "digits": "healthy",
    "iris": "healthy",
    "lottery": "unlearnable",
}

BINARY = (".csv", ".parquet", ".npz", ".keras")


def test_the_example_is_right_and_runs_no_code(capsys):
    assert main(["check", str(FOLDER / "jobs.yaml"), "--format", "jsonl"]) == 0
    assert [json.loads(line)["job"] for line in capsys.readouterr().out.splitlines()] == list(VERDICTS)


def test_the_files_are_what_the_program_makes(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    importlib.import_module("make_files").main(tmp_path)
    there = sorted(path.name for path in FOLDER.iterdir() if path.suffix in BINARY)
    assert sorted(path.name for path in tmp_path.iterdir()) == there
    assert sum((FOLDER / name).stat().st_size for name in there) < MOST_BYTES
    for ours in read(FOLDER / "jobs.yaml").file.jobs:
        new = data.load(ours.model_copy(update={"folder": str(tmp_path)}))
        old = data.load(ours)
        np.testing.assert_array_equal(new.x, old.x)
        np.testing.assert_array_equal(new.y, old.y)
        name = ours.model.file
        weights = [models.load_keras_file(folder / name).get_weights() for folder in (tmp_path, FOLDER)]
        for made, kept in zip(*weights, strict=True):
            np.testing.assert_allclose(made, kept)


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", VERDICTS)
def test_each_job_ends_as_it_says(name, seed):
    file = read(FOLDER / "jobs.yaml", [f"defaults.seed={seed}"]).file
    job = next(one for one in file.jobs if one.name == name)
    keras.backend.clear_session()
    rows = data.load(job)
    model = models.load(job, rows)
    arguments = models.fit_arguments(job, rows, model)
    if VERDICTS[name] == "unlearnable":
        with pytest.warns(autofix.CollapseWarning):
            history = autofix.fit(model, **arguments, verbose=0)
    else:
        history = autofix.fit(model, **arguments, verbose=0)
    assert history.report.verdict == VERDICTS[name]

"""One job as a worker runs it: its files, its record, and nothing of the jobs before."""

import csv
import json
import os
import pathlib

import keras
import numpy as np
import pytest

from autofix.jobs import training
from autofix.jobs.folder import JobFolder
from autofix.jobs.record import JobRecord
from autofix.jobs.schema import Job
from autofix.report import Report


@pytest.fixture
def home(tmp_path):
    """A folder with data and a model that is not compiled."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.0, 1.0, (120, 2)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", 2.0 * x[:, 0] - x[:, 1])
    keras.utils.set_random_seed(1)
    layers = [keras.Input((2,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
    keras.Sequential(layers).save(tmp_path / "m.keras")
    return tmp_path


def run(home, name="job", allow_code=False, **settings):
    values = {
        "model": "m.keras",
        "data": {"train": {"x": "x.npy", "y": "y.npy"}, "validation": 0.2, "test": 0.2},
        "compile": {"optimizer": {"name": "adam", "learning_rate": 0.02}, "loss": "mse", "metrics": ["mae"]},
        "fit": {"epochs": 32, "validation_freq": 3},
        **settings,
    }
    job = Job.model_validate({"name": name, "folder": str(home), **values})
    folder = JobFolder(home / "runs" / name)
    payload = {
        "job": job.model_dump(mode="json"),
        "content_hash": job.content_hash(),
        "folder": str(folder.path),
        "allow_code": allow_code,
    }
    return folder, JobRecord.from_json(training.run(payload))


def test_a_job_leaves_all_its_files_and_the_record_says_what_they_say(home):
    folder, record = run(home)
    assert folder.record() == record
    assert (record.status, record.attempts, record.failure) == ("healthy", 1, "")
    report = Report.from_json(folder.report.read_text())
    assert (report.verdict, report.headline) == (record.status, record.reason)
    with folder.history.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["epoch"] for line in lines] == [str(epoch) for epoch in range(1, 33)]
    assert float(lines[-1]["loss"]) == record.metrics["loss"]
    assert [bool(line["val_loss"]) for line in lines] == [epoch % 3 == 0 for epoch in range(1, 33)]
    assert json.loads(folder.data.read_text())["n_rows"] == {"train": 72, "validation": 24, "test": 24}
    x, y = (np.load(home / f"{name}.npy") for name in "xy")
    model = keras.saving.load_model(folder.model)
    assert 0.0 < record.metrics["test_mae"] < 1.0
    assert np.abs(model.predict(x, verbose=0)[:, 0] - y).mean() < 2 * record.metrics["test_mae"]
    assert "Epoch 32/32" in folder.log.read_text()
    assert not folder.running_file.exists()


def test_a_job_does_not_see_those_before_it(home):
    first = run(home, "first")[1]
    keras.config.set_dtype_policy("float16")  # as the code of a job may
    run(home, "between", fit={"epochs": 2}, seed=7)
    again = run(home, "again")[1]
    assert again.metrics == first.metrics
    assert (again.skill, again.spread) == (first.skill, first.spread)


def test_what_is_not_wanted_is_not_kept(home):
    folder, record = run(home, output={"model": False, "history": False, "html": False}, fit={"epochs": 2})
    assert record.metrics
    assert not any(path.exists() for path in (folder.model, folder.history, folder.page))
    assert folder.report.exists()


def test_a_data_file_that_vanished_is_told_and_nothing_is_half_written(home, capfd):
    (home / "x.npy").unlink()
    folder, record = run(home)
    assert (record.status, record.failure) == ("failed", "error")
    assert record.reason.startswith("DataError: ")
    assert "x.npy" in record.reason
    assert "Traceback" in folder.log.read_text()
    assert sorted(path.name for path in folder.path.iterdir()) == ["job.json", "log.txt", "record.json"]
    # Afterwards, what is printed goes where it went before.
    os.write(1, b"to the former place")
    assert capfd.readouterr().out == "to the former place"


def test_code_runs_only_where_it_is_allowed(home):
    marker = home / "ran"
    (home / "build.py").write_text(
        f"import pathlib, keras\npathlib.Path({str(marker)!r}).touch()\n"
        "def model():\n    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])\n"
    )
    _, record = run(home, model="build.py:model", fit={"epochs": 2})
    assert record.failure == "error"
    assert "--allow-code" in record.reason
    assert not pathlib.Path(marker).exists()
    _, record = run(home, model="build.py:model", fit={"epochs": 40, "batch_size": 8}, allow_code=True)
    assert record.failure == ""
    assert marker.exists()

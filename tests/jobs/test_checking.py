"""What is told of a job file without Keras: files, columns, arrays, functions, strategies, folders."""

import os
import sys

import numpy as np
import pytest

from autofix.jobs.checking import check, plan
from autofix.jobs.reading import read

CODE = """
try:
    import fast
except ImportError:
    fast = None

def build_model(n_features):
    raise SystemExit("it ran")

raise SystemExit("it ran")
"""


@pytest.fixture
def told(tmp_path, job_file):
    """The problems of one job of these sections, in a folder with files of every kind."""
    (tmp_path / "a.csv").write_text("size,plan,t\n1,basic,0\n2,pro,1\n")
    (tmp_path / "b.csv").write_text("size,t\n1,0\n")
    (tmp_path / "twice.csv").write_text("a,a\n1,0\n")
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "text.keras").write_text("no archive")
    (tmp_path / "train.py").write_text(CODE)
    (tmp_path / "broken.py").write_text("def build(:\n")
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 2)), y=np.zeros(3))
    (tmp_path / "m.keras").write_bytes((tmp_path / "a.npz").read_bytes())  # an archive, which is all that is looked for
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    np.save(tmp_path / "y.npy", np.zeros(2))

    def problems(body, allow_code=False, **settings):
        reading = read(job_file(f"version: 1\njobs:\n  j: {{{body}}}\n"))
        return [str(one).removeprefix(f"{tmp_path}/") for one in check(reading, allow_code, **settings)]

    return problems


TABLE = "data: {train: a.csv, target: t"


@pytest.mark.parametrize(
    "body",
    [
        "model: m.keras, data: {train: a.csv, target: t, validation: b.csv, features: [size]}",
        "model: m.keras, data: {train: a.csv, target: t, categories: {plan: [basic, pro]}, test: 0.2}",
        "model: m.keras, data: a.npz",
        "model: m.keras, data: {train: {file: a.npz, x: y, y: x}}",
        "model: m.keras, data: {train: {x: x.npy, y: x.npy}}, autofix: {strategies: [reshuffle]}",
    ],
)
def test_a_job_whose_files_are_there_has_no_problems(body, told):
    assert told(body) == []


@pytest.mark.parametrize(
    ("body", "place", "said"),
    [
        (f"model: n.keras, {TABLE}}}", "model", "Did you mean 'm.keras'?"),
        (f"model: m.h5, {TABLE}}}", "model", "Expected a .keras file"),
        (f"model: text.keras, {TABLE}}}", "model", "no .keras file"),
        ("model: m.keras, data: {train: aa.csv, target: t}", "data.train", "Did you mean 'a.csv'?"),
        ("model: m.keras, data: {train: a.xlsx}", "data.train", "Expected a file that ends in .csv"),
        ("model: m.keras, data: {train: twice.csv, target: a}", "data.train", "'a' twice"),
        ("model: m.keras, data: {train: a.csv}", "data", "`target` is missing"),
        ("model: m.keras, data: {train: a.csv, target: T}", "data.target", "There is no column 'T'"),
        ("model: m.keras, data: {train: a.csv, target: [t, sice]}", "data.target.1", "Did you mean 'size'?"),
        (f"model: m.keras, {TABLE}, features: [sizes]}}", "data.features.0", "Did you mean 'size'?"),
        (f"model: m.keras, {TABLE}, features: [t]}}", "data.features.0", "is the target"),
        (f"model: m.keras, {TABLE}, features: {{exclude: [size, plan]}}}}", "data.features", "No column is left"),
        (f"model: m.keras, {TABLE}, categories: {{plans: [a]}}}}", "data.categories.plans", "Did you mean 'plan'?"),
        (
            f"model: m.keras, {TABLE}, features: [size], categories: {{plan: [a]}}}}",
            "data.categories.plan",
            "is no input",
        ),
        (f"model: m.keras, {TABLE}, validation: b.csv}}", "data.validation", "no column 'plan', as in `train`"),
        ("model: m.keras, data: {train: {file: a.csv, x: a}, target: t}", "data.train.x", "no arrays by name"),
        ("model: m.keras, data: {train: text.npz}", "data.train", "no NPZ file"),
        ("model: m.keras, data: {train: {file: a.npz, x: X}}", "data.train.x", "There is no array 'X'"),
        ("model: m.keras, data: {train: a.npz, target: t}", "data.target", "Only tables"),
        ("model: m.keras, data: {train: {x: x.npy, y: y.npy}}", "data.train", "not as many"),
        ("model: m.keras, data: {train: {x: text.npy, y: y.npy}}", "data.train.x", "no .npy file"),
        ("model: m.keras, data: a.npz, autofix: {strategies: [reshufle]}", "autofix.strategies.0", "'reshuffle'?"),
        ("model: 'train.py:build_model', data: a.npz", "model", "only with --allow-code"),
    ],
)
def test_what_is_not_there_is_told_at_its_place(body, place, said, told):
    found = told(body)
    assert len(found) == 1, found
    assert f": jobs.j.{place}: " in found[0]
    assert said in found[0]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("train.py:build_modle", "Did you mean 'build_model'?"),
        ("trian.py:build_model", "Did you mean 'train.py'?"),
        ("broken.py:build", "line 1"),
        ("no_such_module_here:build", "no module"),
    ],
)
def test_functions_are_looked_for_without_running_their_code(function, said, told):
    assert said in told(f"model: '{function}', data: a.npz", allow_code=True)[0]
    for right in ("train.py:build_model", "train.py:fast", "train:build_model"):
        assert told(f"model: '{right}', data: a.npz", allow_code=True) == []


def test_a_folder_that_cannot_be_made_is_told(told, tmp_path):
    body = "model: m.keras, data: a.npz"
    assert told(body, runs=tmp_path / "new" / "runs") == []
    assert "which is none" in told(body, runs=tmp_path / "a.csv" / "runs")[0]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_told(told, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "no permission" in told("model: m.keras, data: a.npz", runs=tmp_path / "locked")[0]


def test_all_jobs_are_checked_and_what_they_share_is_told_once(tmp_path, job_file):
    text = "version: 1\ndefaults: {data: nope.npz}\njobs: {a: {model: a.keras}, b: {model: b.keras}}"
    found = [str(one) for one in check(read(job_file(text)))]
    assert [line.split(": ")[1] for line in found] == ["defaults.data", "jobs.a.model", "jobs.b.model"]


def test_the_plan_tells_what_is_trained_on_what(job_file):
    text = (
        "version: 1\njobs: {a: {model: 'm:f', data: {train: a.csv, target: [t, u], validation: 0.2, test: b.csv}, "
        "compile: {optimizer: {name: sgd}, loss: {u: mse, v: {class_name: Huber}}}, fit: {epochs: 7}}}"
    )
    assert plan(read(job_file(text)).file.jobs[0]) == {
        "job": "a",
        "model": "m:f",
        "train": "a.csv",
        "target": "t, u",
        "validation": 0.2,
        "test": "b.csv",
        "loss": "mse, Huber",
        "optimizer": "sgd",
        "epochs": 7,
    }

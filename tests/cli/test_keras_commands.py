"""The commands that load Keras: strategies, diagnose, and check of files that are right."""

import json

import keras
import numpy as np
import pytest

import autofix
from autofix.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An untrained model and rows on scales far from its own."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)])
    model.compile(loss="mse", optimizer=keras.optimizers.Adam(1.0))
    model.save(tmp_path / "m.keras")
    x = np.random.default_rng(0).uniform(0, 1000, size=(80, 2))
    lines = ["a,b,t", *(f"{a},{b},{a + b}" for a, b in x)]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_strategies_lists_all_that_are_installed(capsys):
    assert main(["strategies", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert tuple(row["name"] for row in rows) == autofix.strategy_names()
    assert all(row["treats"] and row["does"].endswith(".") and row["from"] for row in rows)
    assert main(["strategies"]) == 0
    assert "reshuffle" in capsys.readouterr().out


def test_diagnose_tells_the_causes_and_changes_nothing(folder, capsys):
    before = (folder / "m.keras").read_bytes()
    assert main(["diagnose", "m.keras", "t.csv", "--target", "t", "--format", "json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert "learning_rate_too_high" in {one["cause"] for one in told["findings"]}
    assert (folder / "m.keras").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["m.keras", "t.csv"]


def test_diagnose_tells_what_does_not_fit_before_it_looks(folder, capsys):
    assert main(["diagnose", "m.keras", "t.csv", "--target", "T"]) == 2
    assert main(["diagnose", "m.keras", "t.csv", "--target", "t", "--exclude", "a"]) == 2
    assert main(["diagnose", "m.keras", "t.csv", "--target", "t", "--set", "compile.lss=mse"]) == 2
    told = capsys.readouterr().err
    assert "data.target: There is no column 'T'" in told
    assert "These are 1 inputs, and m.keras takes 2" in told
    assert "Did you mean 'loss'?" in told


def test_check_asks_keras_last(folder, capsys):
    (folder / "jobs.yaml").write_text(
        "version: 1\njobs: {j: {model: m.keras, data: {train: t.csv, target: t}, compile: {loss: mse, optimizer: adm}}}"
    )
    assert main(["check", "jobs.yaml"]) == 2
    assert "jobs.j.compile.optimizer: There is no such optimizer." in capsys.readouterr().err
    assert main(["check", "jobs.yaml", "--set", "jobs.j.compile.optimizer=adam"]) == 0


def test_demo_trains_with_the_seed_and_the_folder_that_were_given(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("autofix.benchmarks.demo.main", lambda seed, out: asked.append((seed, out)) or 3)
    assert main(["demo", "--seed", "7", "--out", str(tmp_path)]) == 3
    assert asked == [(7, tmp_path)]

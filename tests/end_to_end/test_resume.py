"""A search that was killed goes on where it was, and comes to the same repair."""

import json

import keras
import numpy as np
import pytest

import autofix
from autofix.benchmarks.published import PROGRAMS
from autofix.search import program as program_module
from autofix.search.repair import RepairShop

PROGRAM = next(program for program in PROGRAMS if program.name == "linear_model")
EPOCHS = 60


class Trials:
    """Counts the trials that really run; raises KeyboardInterrupt instead of one of them."""

    def __init__(self, monkeypatch):
        self.ran = []
        self.dies_at = None
        try_recipe = RepairShop.try_recipe

        def counted(shop, recipe, rung, values):
            if len(self.ran) == self.dies_at:
                raise KeyboardInterrupt("killed")
            self.ran.append((rung, recipe.strategies, tuple(sorted(values.items()))))
            return try_recipe(shop, recipe, rung, values)

        monkeypatch.setattr(RepairShop, "try_recipe", counted)
        # One way to run: which of two is faster depends on the machine's load, and the last digits on the choice.
        monkeypatch.setattr(program_module, "XLA_AVERSE", ("",))


@pytest.fixture
def trials(monkeypatch):
    return Trials(monkeypatch)


def fit(directory, program=PROGRAM, epochs=EPOCHS, **options):
    x, y = program.make_data(100, np.random.default_rng(0))
    keras.utils.set_random_seed(0)
    model = program.build()
    # The ladder begins with what does not help here, so that there are trials to interrupt.
    settings = {"order": "ladder", "max_trials": 24, "budget_s": 120.0, **options}
    history = autofix.fit(model, x, y, epochs=epochs, verbose=0, directory=directory, **settings)
    return history.report, model.predict(x, verbose=0)


def told(report):
    """What a report says of the search, less its times."""
    return [(t.rung, t.recipe, t.values, t.status) for t in report.trials], [t.skill for t in report.trials]


def test_a_killed_fit_goes_on_where_it_was(tmp_path, trials):
    whole_report, whole_predictions = fit(None)
    whole = list(trials.ran)
    assert whole_report.verdict == "repaired"
    assert len(whole) >= 5

    trials.ran.clear()
    trials.dies_at = 3
    with pytest.raises(KeyboardInterrupt, match="killed"):
        fit(tmp_path)
    before = list(trials.ran)
    assert before == whole[:3]

    trials.ran.clear()
    trials.dies_at = None
    report, predictions = fit(tmp_path)
    assert before + trials.ran == whole
    assert report.verdict == "repaired"
    assert report.recipe == whole_report.recipe
    (trials_told, skills), (whole_told, whole_skills) = told(report), told(whole_report)
    assert trials_told == whole_told
    np.testing.assert_allclose(skills, whole_skills, atol=1e-6)
    np.testing.assert_allclose(predictions, whole_predictions, atol=1e-5)

    trials.ran.clear()
    again, _ = fit(tmp_path)
    assert trials.ran == []
    assert again.recipe == whole_report.recipe

    # Nothing of it is taken for another problem.
    with pytest.warns(autofix.CollapseWarning):
        fit(tmp_path, epochs=EPOCHS - 1, max_trials=2)
    assert len(trials.ran) == 2
    for path in tmp_path.rglob("*.json"):
        json.loads(path.read_text())


def slow_starter():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([60], [1e-7, 0.1])
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizer=keras.optimizers.Adam(schedule), loss="mse")
    return model


def test_a_false_alarm_is_still_one_when_it_is_resumed(tmp_path, trials):
    x = np.random.default_rng(0).normal(size=(96, 2))
    y = x[:, 0] - 0.5 * x[:, 1]
    weights = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        model = slow_starter()
        report = autofix.fit(model, x, y, epochs=60, verbose=0, directory=tmp_path).report
        assert report.verdict == "healthy"
        assert [trial.status for trial in report.trials] == ["control"]
        weights.append(model.get_weights())
    assert len(trials.ran) == 1
    for first, second in zip(*weights, strict=True):
        np.testing.assert_array_equal(first, second)


def test_another_loss_is_another_problem(tmp_path, trials):
    x, y = PROGRAM.make_data(100, np.random.default_rng(0))
    for loss in ("mse", "mae"):
        keras.utils.set_random_seed(0)
        model = PROGRAM.build()
        model.compile(optimizer="adam", loss=loss)
        with pytest.warns(autofix.CollapseWarning):
            autofix.fit(model, x, y, epochs=8, verbose=0, directory=tmp_path, max_trials=1)
    assert [rung for rung, _, _ in trials.ran] == [0, 0]


def test_no_directory_leaves_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fit(None, max_trials=2, order="evidence")
    assert list(tmp_path.iterdir()) == []

"""Reports of real runs: what they show is what was measured."""

import dataclasses
import time

import keras
import numpy as np
import pytest

import autofix
from autofix.benchmarks.published import PROGRAMS, TRAINING_ROWS
from autofix.report import Report
from autofix.report.html import page
from autofix.report.numbers import bounds, number
from autofix.watch import Watch
from tests.report import reading

RATE = next(program for program in PROGRAMS if program.name == "high_learning_rate")

BUDGET_S = 120.0
"""Enough for the same trials on a busy machine."""

COST = 0.05
"""Share of a run's wall time that its report may take."""


@dataclasses.dataclass(frozen=True)
class Run:
    model: keras.Model
    x: np.ndarray
    y: np.ndarray
    history: dict
    report: Report

    @property
    def record(self):
        return self.report.record


def train_rate() -> Run:
    x, y = RATE.make_data(TRAINING_ROWS, np.random.default_rng(0))
    keras.utils.set_random_seed(0)
    model = RATE.build()
    history = autofix.fit(model, x, y, epochs=RATE.epochs, verbose=0, budget_s=BUDGET_S)
    return Run(model, x, y, history.history, history.report)


def train_classes() -> Run:
    def build(n_units: int = 8) -> keras.Model:
        model = keras.Sequential([keras.layers.Dense(n_units, "relu"), keras.layers.Dense(1, "sigmoid")])
        model.compile(optimizer=keras.optimizers.SGD(1e-5), loss="binary_crossentropy")
        return model

    x = np.random.default_rng(0).normal(size=(200, 2))
    y = np.where(x[:, 0] > 0.0, "yes", "no")
    estimator = autofix.AutofixClassifier(build, epochs=30, verbose=0, random_state=0).fit(x, y, budget_s=BUDGET_S)
    return Run(estimator.model_, x, y, estimator.history_, estimator.report_)


def train_healthy() -> Run:
    x = np.random.default_rng(0).normal(size=(600, 2))
    y = x[:, 0] - x[:, 1]
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    history = autofix.fit(model, x, y, epochs=9, verbose=0)
    return Run(model, x, y, history.history, history.report)


@pytest.fixture(scope="module")
def rate():
    return train_rate()


@pytest.fixture(scope="module")
def classes():
    return train_classes()


@pytest.fixture(scope="module")
def healthy():
    return train_healthy()


@pytest.fixture(params=["rate", "classes", "healthy"])
def run(request):
    return request.getfixturevalue(request.param)


def test_the_runs_end_as_the_tests_below_take_for_granted(rate, classes, healthy):
    assert [one.report.verdict for one in (rate, classes, healthy)] == ["repaired", "repaired", "healthy"]


def test_a_report_with_its_traces_survives_json(run):
    assert Report.from_json(run.report.to_json()) == run.report


def test_the_looks_end_with_those_that_the_verdict_rests_on(rate, classes):
    for record in (rate.record, classes.record):
        assert record.own.looks[-1].heads == record.before
        assert record.own.looks[-1].epoch == record.before_epoch
        assert record.repaired.looks[-1].heads == record.after
        epochs = [look.epoch for look in record.repaired.looks]
        assert epochs == sorted(set(epochs))
    assert [look.epoch for look in rate.record.repaired.looks] == [1, 2, 4, 8, 16, 32, 64, 100]


def test_losses_are_those_of_the_history(rate, healthy):
    assert list(rate.record.repaired.losses.loss) == rate.history["loss"]
    assert list(healthy.record.own.losses.loss) == healthy.history["loss"]
    assert healthy.record.own.losses.epochs == tuple(range(1, 10))


def test_held_out_predictions_belong_to_the_trials(rate, classes):
    for record in (rate.record, classes.record):
        control, fix = record.predictions
        trials = {"control": record.trials[0], "fix": next(t for t in record.trials if t.recipe == record.recipe)}
        for sample in (control, fix):
            trial = trials[sample.source]
            assert sample.assessment.skill == trial.skill
            assert (sample.assessment.skill_lower, sample.assessment.skill_upper) == (
                trial.skill_lower,
                trial.skill_upper,
            )
        assert control.targets == fix.targets


def test_the_predictions_that_are_shown_have_the_loss_that_is_told(rate, classes):
    for sample in rate.record.predictions:
        errors = np.subtract(sample.targets, sample.predictions)
        assert np.mean(errors**2) == pytest.approx(sample.assessment.loss, rel=1e-3)
    for sample in classes.record.predictions:
        wanted, given = np.asarray(sample.targets), np.clip(sample.predictions, 1e-7, 1.0 - 1e-7)
        losses = -(wanted * np.log(given) + (1.0 - wanted) * np.log(1.0 - given))
        assert np.mean(losses) == pytest.approx(sample.assessment.loss, rel=1e-2)


def test_every_row_is_held_out_once_and_shown(rate):
    for sample in rate.record.predictions:
        assert sorted(target for (target,) in sample.targets) == pytest.approx(sorted(rate.y), rel=1e-4)


def test_classes_have_the_names_that_the_user_gave_them(classes):
    assert classes.record.circumstances.class_names == ("no", "yes")
    headers = [one.text for one in reading.read(page(classes.record)).all("th", scope="col")]
    assert "yes" in headers


def test_layers_are_those_of_the_repaired_network_at_its_end(rate):
    hidden, _ = rate.record.repaired.layers
    outputs = np.asarray(rate.model.get_layer(hidden.name)(rate.x.astype("float32")))
    assert hidden.dead_share == pytest.approx((np.ptp(outputs, axis=0) <= 1e-6 * abs(outputs).max(axis=0)).mean())
    assert hidden.gradient > 0.0


def test_a_healthy_run_is_not_measured_for_its_report(healthy):
    assert healthy.record.repaired is None
    assert healthy.record.evidence is None
    assert healthy.record.own.layers == ()


def test_a_healthy_run_shows_its_last_look(healthy):
    (sample,) = healthy.record.predictions
    assert sample.source == "look"
    assert (sample.assessment,) == healthy.record.before
    rows = np.linspace(0, 599, 256).astype(int)
    assert [target for (target,) in sample.targets] == pytest.approx(healthy.y[rows], rel=1e-4, abs=1e-4)
    predicted = healthy.model.predict(healthy.x[rows], verbose=0)
    assert np.asarray(sample.predictions) == pytest.approx(predicted, rel=1e-3, abs=1e-3)


def test_the_circumstances_are_those_of_the_call(rate):
    told = rate.record.circumstances
    assert told.versions["Keras"] == keras.__version__
    assert told.versions["autofix"] == autofix.__version__
    assert told.fit_arguments == {
        "x": "ndarray of shape (100, 2)",
        "y": "ndarray of shape (100,)",
        "epochs": "100",
        "verbose": "0",
        "budget_s": "120.0",
    }
    assert (told.seed, told.look_rows) == (0, "training")


def test_every_number_of_the_page_is_that_of_the_record(run):
    record, tree = run.record, reading.read(page(run.record))
    table = tree.one("section", data_part="numbers")
    for one in (*record.before, *(record.after or ())):
        assert f"{number(one.skill)} {bounds(one.skill_lower, one.skill_upper)}" in table.text
        assert number(one.spread) in table.text
    rows = [row for found in tree.all("table", data_part="trials") for row in found.one("tbody").all("tr")]
    assert len(rows) == len(record.trials)
    for row, trial in zip(rows, record.trials, strict=True):
        words = row.text
        assert f"{number(trial.skill)} {bounds(trial.skill_lower, trial.skill_upper)}" in words
        assert f"{trial.seconds:.2f} {trial.status}" in words
    for reference in record.references:
        assert f"{number(reference.skill)} {bounds(reference.skill_lower, reference.skill_upper)}" in tree.text
    for name, seconds in record.seconds.items():
        assert f"{name} {seconds:.2f}" in tree.text


def test_a_page_costs_little_of_the_time_of_its_run(rate, tmp_path):
    def seconds() -> float:
        started = time.perf_counter()
        rate.report.save(tmp_path / "report.html")
        return time.perf_counter() - started

    assert min(seconds() for _ in range(3)) <= COST * rate.record.seconds["total"]


def test_looks_at_the_repaired_training_change_nothing_and_may_fail(rate, monkeypatch):
    look = Watch._look_at_repaired

    def failing(self, epoch, *, is_last=False):
        if not is_last:
            raise RuntimeError("no look")
        look(self, epoch, is_last=is_last)

    monkeypatch.setattr(Watch, "_look_at_repaired", failing)
    again = train_rate()
    assert again.report.verdict == "repaired"
    assert [look.epoch for look in again.record.repaired.looks] == [100]
    for one, other in zip(again.model.get_weights(), rate.model.get_weights(), strict=True):
        assert np.array_equal(one, other)

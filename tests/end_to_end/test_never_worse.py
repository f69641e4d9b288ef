"""Whatever happens inside autofix, the user ends with what `model.fit` would have given; their own errors pass."""

import csv
import functools
import os
import time

import keras
import numpy as np
import pytest

import autofix
from autofix.monitoring.monitor import CollapseMonitor, Look
from autofix.search.judge import Judge
from autofix.search.probe import ProbeEngine
from autofix.search.repair import RepairShop
from autofix.surgery.adopt import Adoption

EPOCHS = 12


def dying_data():
    x = np.random.default_rng(0).uniform(size=(96, 3)).astype("float32")
    return x, (3.0 * x[:, :1] - 2.0 * x[:, 1:2]).astype("float32")


def dying(rate=3.0):
    """A network whose units die in the first steps."""
    parts = [keras.layers.Dense(8, activation="relu"), keras.layers.Dropout(0.1), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *parts])
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse")
    return model


def unbuilt():
    model = keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(3.0), loss="mse")
    return model


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(8, activation="relu")
        self.head = keras.layers.Dense(1)

    def call(self, inputs):
        return self.head(self.hidden(inputs))


def subclassed():
    model = Subclassed()
    model.compile(optimizer=keras.optimizers.Adam(3.0), loss="mse")
    return model


@functools.cache
def plainly(build=dying):
    keras.utils.set_random_seed(11)
    model = build()
    history = model.fit(*dying_data(), epochs=EPOCHS, verbose=0)
    return model, history


def with_autofix(build=dying, **options):
    """The model as well, for `fit` may raise."""
    keras.utils.set_random_seed(11)
    model = build()
    return model, lambda: autofix.fit(model, *dying_data(), epochs=EPOCHS, verbose=0, **options)


def assert_as_after_keras(model, history, build=dying):
    plain, expected = plainly(build)
    assert history.history == expected.history
    assert len(plain.variables) == len(model.variables)
    for one, other in zip(plain.variables, model.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    for one, other in zip(plain.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_this_program_collapses_and_is_repaired():
    plain, _ = plainly()
    assert np.ptp(plain.predict(dying_data()[0], verbose=0)) < 1e-3
    model, fit = with_autofix()
    assert fit().report.verdict == "repaired"
    assert np.ptp(model.predict(dying_data()[0], verbose=0)) > 1.0


# Failures inside autofix


def broken(*_, **__):
    raise ZeroDivisionError("autofix has a bug")


def fails_when_looking(monkeypatch):
    monkeypatch.setattr(CollapseMonitor, "_look", broken)


def fails_when_repairing(monkeypatch):
    monkeypatch.setattr(RepairShop, "attempt", broken)


def fails_halfway_in_the_search(monkeypatch):
    monkeypatch.setattr(RepairShop, "_choose", broken)


def fails_between_search_and_adoption(monkeypatch):
    monkeypatch.setattr(ProbeEngine, "initial_values", broken)


def fails_after_adopting(monkeypatch):
    adopt = Adoption.apply

    def apply_and_fail(self, *values):
        adopt(self, *values)
        broken()

    monkeypatch.setattr(Adoption, "apply", apply_and_fail)


def fails_late_in_the_final_training(monkeypatch):
    """After its first epochs, so that the weights and the random state have moved on."""
    fit, calls = keras.Sequential.fit, []

    def first_and_third_only(self, *arguments, **options):
        calls.append(self)
        history = fit(self, *arguments, **options)
        return broken() if len(calls) == 2 else history

    monkeypatch.setattr(keras.Sequential, "fit", first_and_third_only)


def collapses_again(monkeypatch):
    look_again = autofix.watch.Watch.look_again

    def see_the_old_look(self):
        look_again(self)
        return Look(EPOCHS, self.suspected.heads)

    monkeypatch.setattr(autofix.watch.Watch, "look_again", see_the_old_look)


FAILURES = [
    fails_when_looking,
    fails_when_repairing,
    fails_halfway_in_the_search,
    fails_between_search_and_adoption,
    fails_after_adopting,
    fails_late_in_the_final_training,
    collapses_again,
]


@pytest.mark.parametrize("failure", FAILURES)
def test_what_fails_inside_leaves_what_keras_would_have_given(monkeypatch, failure):
    model, fit = with_autofix()
    with monkeypatch.context() as patched:
        failure(patched)
        with pytest.warns(autofix.CollapseWarning):
            history = fit()
    assert_as_after_keras(model, history)
    report = history.report
    assert report.verdict in ("unrepaired", "not_assessed")
    assert report.recipe == autofix.Recipe()
    assert any("autofix has a bug" in note or "collapsed too" in note for note in report.notes)


@pytest.mark.parametrize("build", [unbuilt, subclassed])
def test_models_that_are_built_by_fit_end_as_keras_leaves_them(monkeypatch, build):
    model, fit = with_autofix(build)
    with monkeypatch.context() as patched:
        collapses_again(patched)
        with pytest.warns(autofix.CollapseWarning):
            history = fit()
    assert history.report.verdict == "unrepaired"
    assert_as_after_keras(model, history, build)


def test_without_a_repair_the_run_goes_on_as_it_was():
    model, fit = with_autofix(strategies=[])
    with pytest.warns(autofix.CollapseWarning, match="failing"):
        history = fit()
    assert_as_after_keras(model, history)
    assert history.report.verdict == "unrepaired"


def test_a_training_whose_own_recipe_cannot_run_as_a_trial_ends_as_keras_leaves_it(monkeypatch):
    def control(judge, repeat=0):
        raise ValueError("this cannot run")

    monkeypatch.setattr(Judge, "control", control)
    model, fit = with_autofix(dying)
    with pytest.warns(autofix.CollapseWarning, match="as a trial failed: ValueError..this cannot run"):
        history = fit()
    assert_as_after_keras(model, history, dying)
    assert history.report.cause == "learning_rate_too_high"
    assert [trial.status for trial in history.report.trials] == ["failed"]
    assert history.report.notes == ()


def test_the_budget_is_left_for_trials_where_the_machine_stands_still_before_them(monkeypatch):
    now, perf_counter, control = [0.0], time.perf_counter, Judge.control

    def control_that_takes_an_hour(judge, repeat=0):
        if not now[0]:
            now[0] = 3600.0
        return control(judge, repeat)

    monkeypatch.setattr(time, "perf_counter", lambda: perf_counter() + now[0])
    monkeypatch.setattr(Judge, "control", control_that_takes_an_hour)
    _, fit = with_autofix()
    assert fit().report.verdict == "repaired"


def test_a_training_that_stays_collapsed_raises_where_that_was_asked_for():
    model, fit = with_autofix(strategies=[], on_unrepaired="raise")
    with pytest.raises(autofix.UnrepairedError) as raised:
        fit()
    assert raised.value.report.verdict == "unrepaired"
    plain, _ = plainly()
    for one, other in zip(plain.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_repaired_training_does_not_raise():
    _, fit = with_autofix(on_unrepaired="raise")
    assert fit().report.verdict == "repaired"


# The user's own errors


class RaisesAt(keras.callbacks.Callback):
    """Raises at an epoch of the training of that number: 0 is the watched one, 1 the one that counts."""

    def __init__(self, error, epoch, training=0):
        super().__init__()
        self.trainings = []
        self._error = error
        self._epoch = epoch
        self._training = training

    def on_train_begin(self, logs=None):
        note_training()

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self._epoch and n_trainings() == self._training + 1:
            raise self._error


def note_training(logs=None):
    with open(os.environ["TRAININGS"], "a") as file:
        file.write(".")


def n_trainings():
    """Trainings that began. They are counted in a file: what callbacks remember starts anew with each."""
    return os.path.getsize(os.environ["TRAININGS"])


@pytest.fixture(autouse=True)
def no_training_yet(monkeypatch, tmp_path):
    monkeypatch.setenv("TRAININGS", str(tmp_path / "trainings"))


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt("mine")], ids=repr)
@pytest.mark.parametrize(("epoch", "training"), [(0, 0), (5, 1)])
def test_errors_of_a_callback_pass_through(error, epoch, training):
    _, fit = with_autofix(callbacks=[RaisesAt(error, epoch, training)])
    with pytest.raises(type(error), match="mine") as raised:
        fit()
    assert raised.value is error
    assert n_trainings() == training + 1


def test_errors_of_a_lambda_callback_pass_through_from_the_training_that_counts():
    def on_epoch_end(epoch, logs):
        if n_trainings() == 2:
            raise OSError("mine")

    callback = keras.callbacks.LambdaCallback(on_train_begin=note_training, on_epoch_end=on_epoch_end)
    _, fit = with_autofix(callbacks=[callback])
    with pytest.raises(OSError, match="mine"):
        fit()
    assert n_trainings() == 2


def test_a_keyboard_interrupt_in_the_trials_passes_through(monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt("in a trial")

    monkeypatch.setattr(RepairShop, "try_recipe", interrupt)
    _, fit = with_autofix()
    with pytest.raises(KeyboardInterrupt, match="in a trial"):
        fit()


def test_errors_of_keras_pass_through():
    model = dying()
    with pytest.raises(ValueError, match=r"incompatible|shape"):
        autofix.fit(model, np.zeros((20, 5)), np.arange(20.0), verbose=0)


@pytest.mark.filterwarnings("ignore:The structure of `inputs`")
@pytest.mark.parametrize("x", [None, [None]], ids=["none", "none in a list"])
def test_inputs_that_are_missing_are_an_error_of_keras(x):
    errors = []
    for fit in (keras.Model.fit, autofix.fit):
        keras.utils.clear_session()  # the names in the message count up
        model = dying()
        with pytest.raises(ValueError, match="not optional") as raised:
            fit(model, x, np.arange(20.0), verbose=0)
        errors.append((type(raised.value), str(raised.value)))
    assert errors[0] == errors[1]


class Shifted(keras.layers.Layer):
    def call(self, inputs, shift=None):
        return inputs if shift is None else inputs + shift


def with_optional_input():
    keras.utils.set_random_seed(0)
    inputs, shift = keras.Input((2,), name="inputs"), keras.Input((2,), name="shift", optional=True)
    outputs = keras.layers.Dense(1)(Shifted()(inputs, shift))
    model = keras.Model({"inputs": inputs, "shift": shift}, outputs)
    model.compile(optimizer="sgd", loss="mse")
    return model


def optional_inputs(kind):
    x, y = np.random.default_rng(0).uniform(size=(2, 40, 2))
    if kind == "arrays":
        return {"inputs": x, "shift": None}, y[:, :1]
    return (({"inputs": x[rows], "shift": None}, y[rows, :1]) for rows in np.split(np.arange(40), 5))


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("kind", ["arrays", "generator"])
def test_a_training_without_an_optional_input_goes_on_as_in_keras(kind):
    ends = []
    for fit in (keras.Model.fit, autofix.fit):
        model, data = with_optional_input(), optional_inputs(kind)
        history = fit(model, *(data if kind == "arrays" else (data,)), shuffle=False, verbose=0)
        ends.append((history.history, model.get_weights()))
    assert ends[0][0] == ends[1][0]
    for plain, watched in zip(ends[0][1], ends[1][1], strict=True):
        np.testing.assert_array_equal(plain, watched)
    assert "an optional input is None" in history.report.notes[0]


# Callbacks start anew for the training that counts


class Counter(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.epochs = []
        self.by_name = {"losses": []}
        self.begun = 0

    def on_train_begin(self, logs=None):
        self.begun += 1

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)
        self.by_name["losses"].append(logs["loss"])


def test_callbacks_only_know_the_training_that_counts(tmp_path):
    counter = Counter()
    stopping = keras.callbacks.EarlyStopping("loss", patience=EPOCHS, start_from_epoch=1)
    log = tmp_path / "log.csv"
    callbacks = [counter, stopping, keras.callbacks.CSVLogger(str(log))]
    _, fit = with_autofix(callbacks=callbacks)
    history = fit()
    assert history.report.verdict == "repaired"
    assert counter.epochs == list(range(EPOCHS))
    assert counter.by_name["losses"] == history.history["loss"]
    assert counter.begun == 1
    assert stopping.best == min(history.history["loss"][1:])
    rows = list(csv.DictReader(log.read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == list(range(EPOCHS))
    assert [float(row["loss"]) for row in rows] == pytest.approx(history.history["loss"])


def test_callbacks_start_anew_when_the_repaired_training_is_thrown_away(monkeypatch):
    counter = Counter()
    model, fit = with_autofix(callbacks=[counter])
    with monkeypatch.context() as patched:
        collapses_again(patched)
        with pytest.warns(autofix.CollapseWarning):
            history = fit()
    assert_as_after_keras(model, history)
    assert counter.begun == 1
    assert counter.epochs == list(range(EPOCHS))
    assert counter.by_name["losses"] == history.history["loss"]


def test_the_callbacks_model_is_the_users(monkeypatch):
    counter = Counter()
    model, fit = with_autofix(callbacks=[counter])
    fit()
    assert counter.model is model


def test_the_warning_is_the_headline_of_the_report():
    _, fit = with_autofix(strategies=[])
    with pytest.warns(autofix.CollapseWarning) as caught:
        report = fit().report
    assert [str(warning.message) for warning in caught] == [report.headline]

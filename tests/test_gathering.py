"""What is gathered of a run for its report."""

import types

import keras
import numpy as np
import pandas as pd
import pytest

import autofix
from autofix.data.sources import open_source
from autofix.gathering import MOST_EPOCHS, MOST_FEATURE_NAMES, attempt, circumstances, layer_health, trace
from autofix.report.traces import Circumstances, Trace
from autofix.settings import Settings

DEFAULTS = {
    "y": None,
    "batch_size": None,
    "epochs": 1,
    "verbose": "auto",
    "callbacks": None,
    "validation_split": 0.0,
    "validation_data": None,
    "shuffle": True,
    "class_weight": None,
    "sample_weight": None,
    "initial_epoch": 0,
    "steps_per_epoch": None,
    "validation_steps": None,
    "validation_batch_size": None,
    "validation_freq": 1,
}


def history(**columns):
    return types.SimpleNamespace(history=columns)


@pytest.fixture
def told(make_model):
    def tell(x, y, settings=None, n_features=2, **arguments):
        given = {"x": x, **DEFAULTS, "y": y, **arguments}
        source = open_source(make_model(n_features=n_features), given, 0)
        return circumstances(autofix.fit, given, settings or Settings(), source, source.sample())

    return tell


def test_long_curves_are_thinned_and_keep_both_ends():
    n_epochs = 10 * MOST_EPOCHS
    curve = trace((), history(loss=list(range(n_epochs))), 5).losses
    assert len(curve.epochs) == len(curve.loss) == MOST_EPOCHS
    assert (curve.epochs[0], curve.epochs[-1], curve.loss[-1]) == (6, 5 + n_epochs, n_epochs - 1)
    assert all(epoch - 6 == loss for epoch, loss in zip(curve.epochs, curve.loss, strict=True))


def test_validation_losses_of_some_epochs_only_are_left_out():
    assert trace((), history(loss=[3.0, 2.0], val_loss=[4.0, 3.0]), 0).losses.val_loss == (4.0, 3.0)
    assert trace((), history(loss=[3.0, 2.0], val_loss=[4.0]), 0).losses.val_loss == ()


@pytest.mark.parametrize("odd", [None, history(loss=["a"]), history(loss=None), object()])
def test_a_history_of_another_kind_costs_nothing_but_the_curve(odd):
    assert trace((), odd, 0) == Trace()


def test_what_fails_to_be_gathered_is_left_out():
    def fail():
        raise ValueError("no")

    assert attempt(fail) == ()


def test_arguments_are_told_as_typed_but_for_data_and_defaults(told, plane):
    x, y = plane
    found = told(
        x,
        y,
        Settings(max_trials=9, seed=3),
        epochs=7,
        shuffle=False,
        class_weight={0: 1.0},
        callbacks=[keras.callbacks.TerminateOnNaN()],
        validation_data=(x, y),
    )
    assert found.fit_arguments == {
        "x": "ndarray of shape (64, 2)",
        "y": "ndarray of shape (64, 1)",
        "epochs": "7",
        "shuffle": "False",
        "class_weight": "{0: 1.0}",
        "callbacks": "(TerminateOnNaN)",
        "validation_data": "(ndarray of shape (64, 2), ndarray of shape (64, 1))",
        "max_trials": "9",
        "seed": "3",
    }
    assert (found.seed, found.look_rows) == (3, "validation")


def test_data_in_lists_is_not_told(told, plane):
    _, y = plane
    found = told(np.zeros((64, 2)), y, sample_weight=np.ones(64), callbacks=[keras.callbacks.Callback()] * 1000)
    assert all(len(words) <= 120 for words in found.fit_arguments.values())


def test_columns_keep_their_names_where_they_have_some(told, plane):
    x, y = plane
    assert told(pd.DataFrame(x, columns=["age", 7]), y).feature_names == (("age", "7"),)
    assert told(x, y).feature_names == ()


def test_names_of_very_many_columns_are_not_kept(told, plane):
    wide = pd.DataFrame(np.zeros((64, MOST_FEATURE_NAMES + 1)))
    assert told(wide, plane[1], n_features=MOST_FEATURE_NAMES + 1).feature_names == ()


def test_what_cannot_be_told_is_left_out(plane):
    assert circumstances(autofix.fit, {"x": 1}, Settings(), None, None) == Circumstances()


def test_layers_are_measured_and_the_model_ends_as_it_was(make_model, plane):
    model = make_model()
    data = autofix.data.training_data.TrainingData.from_arrays(*plane)
    before = model.get_weights()
    layers = layer_health(model, data)
    assert [layer.units for layer in layers] == [6, 1]
    assert all(layer.gradient > 0.0 for layer in layers)
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))

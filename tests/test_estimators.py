import copy
import io
import pickle
import random
import warnings
from typing import Any

import joblib
import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from scipy import special
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import autofix
from autofix import AutofixClassifier, AutofixRegressor
from autofix.errors import ArgumentError, DataError, ModelError

layers = keras.layers

# The checks of scikit-learn fit random targets, and say nothing of what autofix thinks of these.
pytestmark = pytest.mark.filterwarnings("ignore::autofix.CollapseWarning")


def linear(X, y, activation=None, loss="mse", n_units=None):  # noqa: N803 - as it is called
    n_units = n_units or (1 if y.ndim == 1 else y.shape[1])
    model = keras.Sequential([keras.Input(X.shape[1:]), layers.Dense(n_units, activation=activation)])
    # Eagerly: tracing costs more than the few steps of such trainings.
    model.compile(keras.optimizers.Adam(0.1), loss=loss, run_eagerly=True)
    return model


def hidden(X, y, units=8, rate=0.05):  # noqa: N803
    n_units = 1 if y.ndim == 1 else y.shape[1]
    model = keras.Sequential([keras.Input(X.shape[1:]), layers.Dense(units, activation="relu"), layers.Dense(n_units)])
    model.compile(keras.optimizers.Adam(rate), loss="mse")
    return model


class Linear:
    """The function `linear`, with a name for the ids of tests that is the same in every process."""

    def __call__(self, **given):
        return linear(**given)

    def __repr__(self):
        return "linear"


SOFTMAX = {"activation": "softmax", "loss": "categorical_crossentropy"}

QUICK: dict[str, Any] = {
    "epochs": 5,
    "batch_size": 16,
    "fit_kwargs": {"max_trials": 1},
    "random_state": 0,
}
"""Enough to learn what a linear model can, without a search where there is nothing to learn."""

WEIGHTED_STEPS = {
    "check_sample_weight_equivalence_on_dense_data": (
        "A row of weight 2 weighs double in one gradient step; the same row twice takes part in two steps or changes "
        "what its batch is made of. Only trainings without batches can make these equal."
    )
}

EXPECTED_FAILURES = {
    "AutofixClassifier": WEIGHTED_STEPS,
    "AutofixRegressor": {
        **WEIGHTED_STEPS,
        "check_regressor_multioutput": (
            "It wants float64, where Keras computes in float32: as float64, predictions would be compared to digits "
            "that they do not have."
        ),
    },
}


@parametrize_with_checks(
    [AutofixClassifier(Linear(), model_kwargs=SOFTMAX, **QUICK), AutofixRegressor(Linear(), **QUICK)],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES[type(estimator).__name__],
    xfail_strict=True,
)
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


@pytest.fixture
def plane():
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (60, 2))
    return x, x[:, 0] - 2.0 * x[:, 1] + 0.5


@pytest.fixture
def blobs():
    """Three classes that a linear model tells apart, with names as labels."""
    x, y = make_blobs(90, centers=[[-2, -2], [2, -2], [0, 2]], cluster_std=0.5, random_state=0)
    return x, np.array(["one", "three", "two"])[y]


def weights_of(model):
    return [np.array(weight) for weight in model.get_weights()]


def assert_equal_weights(one, other):
    for first, second in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(first, second)


# Parameters


def test_items_of_the_keyword_parameters_are_parameters():
    given = {"units": 4}
    estimator = AutofixRegressor(hidden, model_kwargs=given, fit_kwargs={"accept": 0.9})
    assert estimator.get_params()["model_kwargs__units"] == 4
    assert "model_kwargs__units" not in estimator.get_params(deep=False)
    estimator.set_params(model_kwargs__units=5, model_kwargs__rate=0.1, fit_kwargs__accept=0.8, epochs=7)
    assert estimator.model_kwargs == {"units": 5, "rate": 0.1}
    assert (estimator.fit_kwargs, estimator.epochs) == ({"accept": 0.8}, 7)
    assert given == {"units": 4}
    with pytest.raises(ValueError, match="Invalid parameter"):
        estimator.set_params(kwargs__units=3)


def test_a_clone_has_its_own_parameters_but_the_same_template(plane):
    model = linear(*plane)
    estimator = AutofixRegressor(model, **QUICK)
    twin = clone(estimator.fit(*plane))
    assert twin.model is model
    assert twin.fit_kwargs == estimator.fit_kwargs
    assert twin.fit_kwargs is not estimator.fit_kwargs
    assert not hasattr(twin, "model_")


def test_a_grid_search_varies_the_network_and_the_training(plane):
    # Without strategies: autofix would repair what the grid has that is bad.
    grid = {
        "model_kwargs__activation": ["relu", None],
        "fit_kwargs": [{"epochs": 1, "strategies": []}, {"epochs": 25, "strategies": []}],
    }
    search = GridSearchCV(AutofixRegressor(linear, random_state=0), grid, cv=2).fit(*plane)
    assert search.best_params_ == {"model_kwargs__activation": None, "fit_kwargs": grid["fit_kwargs"][1]}
    assert search.best_score_ > 0.9
    assert len(search.best_estimator_.history_["loss"]) == 25


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"model": "relu"}, "Unknown kind of model"),
        ({"fit_kwargs": {"epoch": 3}}, "Did you mean 'epochs'"),
        ({"fit_kwargs": {"sample_weight": np.ones(60)}}, "Unknown item of fit_kwargs"),
        ({"fit_kwargs": {"epochs": 3}, "epochs": 3}, "epochs is given twice"),
        ({"fit_kwargs": {"order": "backwards"}}, "Unknown order"),
    ],
)
def test_unknown_parameters_are_refused_in_fit(plane, parameters, message):
    estimator = AutofixRegressor(**{"model": linear, **parameters})
    with pytest.raises(ArgumentError, match=message):
        estimator.fit(*plane)


def test_arguments_of_the_call_go_over_those_of_the_estimator(plane):
    estimator = AutofixRegressor(linear, epochs=5, random_state=0).fit(*plane, epochs=2)
    assert len(estimator.history_["loss"]) == 2


# Models


def test_a_model_without_compile_is_refused(plane):
    uncompiled = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    for model in (uncompiled, lambda X, y: uncompiled, lambda X, y: None):  # noqa: N803
        with pytest.raises(ModelError, match="no compiled model"):
            AutofixRegressor(model).fit(*plane)


def test_a_function_need_not_take_the_data():
    x, y = np.random.default_rng(0).normal(size=(2, 20, 2))

    def build(units=3):
        return linear(x, y[:, 0], n_units=units)

    regressor = AutofixRegressor(build, model_kwargs={"units": 2}, epochs=1).fit(x, y)
    assert regressor.predict(x).shape == (20, 2)


def test_settings_for_a_model_that_is_already_built_are_refused(plane):
    with pytest.raises(ArgumentError, match="model_kwargs are for a function"):
        AutofixRegressor(linear(*plane), model_kwargs={"units": 3}).fit(*plane)


@pytest.mark.parametrize(
    ("n_classes", "n_units", "loss"),
    [
        (3, 1, "binary_crossentropy"),
        (3, 2, "sparse_categorical_crossentropy"),
        (2, 1, "categorical_crossentropy"),
        (2, 3, "mse"),
    ],
)
def test_an_output_that_does_not_fit_the_classes_is_refused(n_classes, n_units, loss):
    x, y = np.zeros((12, 2)), np.arange(12) % n_classes
    estimator = AutofixClassifier(linear, model_kwargs={"n_units": n_units, "loss": loss})
    with pytest.raises(ModelError, match=f"does not fit the {n_classes} classes.*Received: {n_units} with"):
        estimator.fit(x, y)


def test_an_output_that_does_not_fit_the_targets_is_refused(plane):
    with pytest.raises(ModelError, match=r"output layer of 1 units\. Received: 3"):
        AutofixRegressor(linear, model_kwargs={"n_units": 3}).fit(*plane)
    x = keras.Input((2,))
    two = keras.Model(x, [layers.Dense(1)(x), layers.Dense(1)(x)])
    two.compile(loss="mse")
    with pytest.raises(ModelError, match="Expected one output"):
        AutofixRegressor(two).fit(*plane)


def test_the_users_model_and_random_generators_are_left_alone(plane):
    x, y = plane
    model = hidden(x, y)
    model.compile(keras.optimizers.Adam(0.05), loss="mse", metrics=[keras.metrics.MeanAbsoluteError()])
    model.fit(x, y, epochs=2, verbose=0)
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    before = [variable.numpy() for variable in variables]
    state = dict(model.__dict__)
    keras.utils.set_random_seed(3)
    expected = [random.random(), np.random.random(), float(tf.random.uniform(()))]  # noqa: NPY002
    keras.utils.set_random_seed(3)
    first, second = (AutofixRegressor(model, epochs=2, random_state=1).fit(x, y) for _ in range(2))
    assert [random.random(), np.random.random(), float(tf.random.uniform(()))] == expected  # noqa: NPY002
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert all(model.__dict__[name] is value for name, value in state.items())
    assert_equal_weights(first.model_, second.model_)
    assert int(first.model_.optimizer.iterations) == 2 * 2
    assert "mean_absolute_error" in first.history_


def test_every_seed_gives_another_model(plane):
    models = [AutofixRegressor(linear(*plane), **{**QUICK, "random_state": seed}).fit(*plane) for seed in (0, 1)]
    assert (weights_of(models[0].model_)[0] != weights_of(models[1].model_)[0]).all()


# Training


def test_a_healthy_training_is_that_of_keras(plane):
    x, y = plane
    keras.utils.set_random_seed(5)
    expected = hidden(x, y)
    history = expected.fit(x, y, epochs=10, verbose=0)
    for model in (hidden, expected):
        estimator = AutofixRegressor(model, epochs=10, random_state=5).fit(x, y)
        assert estimator.report_.verdict == "healthy"
        assert estimator.history_ == history.history
        assert_equal_weights(estimator.model_, expected)
        np.testing.assert_array_equal(estimator.predict(x), expected.predict(x, verbose=0)[:, 0])


def test_collapsed_trainings_are_repaired_in_a_cross_validation():
    rng = np.random.default_rng(0)
    x = rng.uniform(0.0, 1.0, (100, 2))
    y = 2.0 * x[:, 0] + 3.0 * x[:, 1] + rng.normal(0.0, 0.1, 100)
    estimator = AutofixRegressor(hidden, model_kwargs={"units": 10, "rate": 1.0}, epochs=40, random_state=0)
    plain = clone(estimator).set_params(fit_kwargs={"strategies": []})
    assert cross_val_score(plain, x, y, cv=2).max() < 0.1
    folds = cross_validate(estimator, x, y, cv=2, return_estimator=True)
    assert [fold.report_.verdict for fold in folds["estimator"]] == ["repaired", "repaired"]
    assert min(folds["test_score"]) > 0.9


def test_a_pipeline_scales_what_the_network_sees(blobs):
    x, y = blobs
    pipeline = make_pipeline(StandardScaler(), AutofixClassifier(linear, model_kwargs=SOFTMAX, **QUICK))
    assert cross_val_score(pipeline, 1000.0 * x + 5000.0, y, cv=3).min() > 0.9


def test_without_a_model_there_is_a_default_network(blobs, plane):
    classifier = AutofixClassifier(model_kwargs={"units": 16}, epochs=20, random_state=0).fit(*blobs)
    assert classifier.score(*blobs) > 0.9
    assert classifier.model_.layers[0].units == 16
    images = plane[0].reshape(60, 2, 1)
    regressor = AutofixRegressor(epochs=40, random_state=0).fit(images, plane[1])
    assert regressor.score(images, plane[1]) > 0.9


def test_few_rows_just_train(plane):
    x, y = plane[0][:4], plane[1][:4]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = AutofixRegressor(linear, **QUICK).fit(x, y)
    assert estimator.predict(x).shape == (4,)
    assert len(estimator.history_["loss"]) == 5


def test_what_cannot_be_learned_is_said(plane):
    noise = np.random.default_rng(1).normal(size=60)
    estimator = AutofixRegressor(linear, epochs=6, random_state=0, fit_kwargs={"max_trials": 1})
    with pytest.warns(autofix.CollapseWarning):
        estimator.fit(np.zeros((60, 2)), noise)
    assert estimator.report_.verdict == "unlearnable"


def test_several_targets_come_back_as_several(plane):
    x, y = plane
    both = np.stack([y, -3.0 * y], axis=1)
    estimator = AutofixRegressor(linear, **{**QUICK, "epochs": 15}).fit(x, both)
    assert estimator.n_outputs_ == 2
    assert estimator.predict(x).shape == both.shape
    assert estimator.score(x, both) > 0.9


def test_named_columns_are_kept_and_checked(plane):
    frame = pd.DataFrame(plane[0], columns=["b", "a"])
    estimator = AutofixRegressor(linear, **QUICK).fit(frame, pd.Series(plane[1]))
    assert estimator.feature_names_in_.tolist() == ["b", "a"]
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.predict(frame[["a", "b"]])


# Weights


def test_rows_of_weight_zero_are_as_good_as_absent(plane):
    x, y = plane
    weights = np.repeat([1.0, 0.0], 30)
    weighted = AutofixRegressor(linear, **QUICK).fit(x, y, sample_weight=weights)
    without = AutofixRegressor(linear, **QUICK).fit(x[:30], y[:30], sample_weight=np.ones(30))
    assert_equal_weights(weighted.model_, without.model_)


def test_weights_move_the_model_and_the_score(plane):
    x, y = plane
    y = np.where(np.arange(60) < 30, y, -y)
    weights = np.repeat([1.0, 0.01], 30)
    estimator = AutofixRegressor(linear, **{**QUICK, "epochs": 15}).fit(x, y, sample_weight=weights)
    assert estimator.score(x, y, sample_weight=weights) > 0.8
    assert estimator.score(x, y) < 0.5


@pytest.mark.parametrize("weights", [np.zeros(60), -np.ones(60)])
def test_unusable_weights_are_refused(plane, weights):
    with pytest.raises(DataError, match="sample_weight cannot be used"):
        AutofixRegressor(linear).fit(*plane, sample_weight=weights)


def test_class_weights_have_the_users_labels(blobs):
    x, y = blobs
    by_row = np.select([y == "one", y == "two"], [5.0, 0.5], 1.0)
    estimator = AutofixClassifier(linear, model_kwargs=SOFTMAX, **{**QUICK, "epochs": 1})
    by_class = clone(estimator).set_params(fit_kwargs__class_weight={"one": 5.0, "two": 0.5, "three": 1.0})
    assert_equal_weights(by_class.fit(x, y).model_, clone(estimator).fit(x, y, sample_weight=by_row).model_)
    doubled = clone(estimator).fit(x, y, sample_weight=2.0 * by_row)
    assert_equal_weights(by_class.fit(x, y, sample_weight=np.full(90, 2.0)).model_, doubled.model_)
    # The three are equally frequent, so weights that balance them are 1.
    balanced = clone(estimator).set_params(fit_kwargs__class_weight="balanced")
    assert_equal_weights(balanced.fit(x, y).model_, clone(estimator).fit(x, y, sample_weight=np.ones(90)).model_)


# Classes


def own_loss(y_true, y_pred):
    return keras.ops.sum(keras.losses.categorical_crossentropy(y_true, y_pred, from_logits=True))


def shares(scores):
    return scores / scores.sum(axis=1, keepdims=True)


def one_unit(to_probability):
    return lambda outputs: np.concatenate([1.0 - to_probability(outputs), to_probability(outputs)], axis=1)


def softmax(outputs):
    return special.softmax(outputs, axis=1)


LOSSES = keras.losses
LAYOUTS = {
    "one sigmoid": (2, 1, "sigmoid", "binary_crossentropy", one_unit(lambda p: p)),
    "one logit": (2, 1, None, LOSSES.BinaryCrossentropy(from_logits=True), one_unit(special.expit)),
    "one focal logit": (2, 1, None, LOSSES.BinaryFocalCrossentropy(from_logits=True), one_unit(special.expit)),
    "one sign": (2, 1, "tanh", "hinge", one_unit(lambda sign: 0.5 * (sign + 1.0))),
    "one number": (2, 1, None, "mse", one_unit(lambda p: np.clip(p, 0.0, 1.0))),
    "two of softmax": (2, 2, "softmax", "sparse_categorical_crossentropy", lambda p: p),
    "softmax": (3, 3, "softmax", "categorical_crossentropy", lambda p: p),
    "sparse softmax": (3, 3, "softmax", "sparse_categorical_crossentropy", lambda p: p),
    "logits": (3, 3, None, LOSSES.CategoricalCrossentropy(from_logits=True), softmax),
    "sparse logits": (3, 3, None, LOSSES.SparseCategoricalCrossentropy(from_logits=True), softmax),
    "focal logits": (3, 3, None, LOSSES.CategoricalFocalCrossentropy(from_logits=True), softmax),
    "own loss of logits": (3, 3, None, own_loss, softmax),
    "sigmoids": (3, 3, "sigmoid", "binary_crossentropy", shares),
    "sigmoid logits": (
        3,
        3,
        None,
        LOSSES.BinaryCrossentropy(from_logits=True),
        lambda outputs: shares(special.expit(outputs)),
    ),
    "divergence": (3, 3, "softmax", "kl_divergence", lambda p: p),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_output_gives_probabilities_of_the_classes(blobs, layout):
    n_classes, n_units, activation, loss, expected = LAYOUTS[layout]
    x, y = blobs
    if n_classes == 2:
        x, y = x[y != "two"], y[y != "two"]
    settings = {"n_units": n_units, "activation": activation, "loss": loss}
    estimator = AutofixClassifier(linear, model_kwargs=settings, **QUICK).fit(x, y)
    assert estimator.classes_.tolist() == ["one", "three", "two"][:n_classes]
    probabilities = estimator.predict_proba(x)
    outputs = estimator.model_.predict(x, verbose=0)
    assert outputs.shape == (len(x), n_units)
    np.testing.assert_allclose(probabilities, expected(outputs), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(estimator.predict(x), estimator.classes_[expected(outputs).argmax(axis=1)])
    assert estimator.score(x, y) > 0.9


def test_a_function_gets_one_column_a_class(blobs):
    x, y = blobs
    seen = {}

    def build(X, y):  # noqa: N803
        seen["y"] = y
        return linear(X, y, **SOFTMAX)

    estimator = AutofixClassifier(build, **QUICK).fit(x, y)
    assert seen["y"].shape == (90, 3)
    np.testing.assert_array_equal(estimator.classes_[seen["y"].argmax(axis=1)], y)


def test_labels_of_validation_data_are_the_users(blobs):
    x, y = blobs
    held_out = (x[:30], y[:30])
    estimator = AutofixClassifier(linear, model_kwargs=SOFTMAX, **QUICK).fit(x, y, validation_data=held_out)
    expected = -np.log((estimator.predict_proba(x[:30]) * (y[:30, None] == estimator.classes_)).sum(axis=1)).mean()
    assert estimator.history_["val_loss"][-1] == pytest.approx(expected, rel=1e-4)


# Copies


def pickled(estimator):
    return pickle.loads(pickle.dumps(estimator))


def dumped(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize("copied", [pickled, dumped, copy.deepcopy])
def test_a_copy_of_a_trained_estimator_predicts_the_same(blobs, copied):
    x, y = blobs
    settings = {"loss": LOSSES.SparseCategoricalCrossentropy(from_logits=True)}
    estimator = AutofixClassifier(linear, model_kwargs=settings, **QUICK).fit(x, y)
    twin = copied(estimator)
    np.testing.assert_array_equal(twin.predict_proba(x), estimator.predict_proba(x))
    np.testing.assert_array_equal(twin.predict(x), estimator.predict(x))
    assert twin.report_ == estimator.report_
    assert twin.history_ == estimator.history_

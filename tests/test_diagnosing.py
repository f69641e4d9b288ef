import dataclasses
import json
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

import autofix
from autofix import DataError, Diagnosis, ModelError, diagnose
from autofix.causes import CONFIDENT
from autofix.state import Snapshot

layers = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3)).astype("float32")
Y = (np.sin(2.0 * X[:, :1]) + X[:, 1:2]).astype("float32")


def compiled(*stack, optimizer="adam", loss="mse", n_features=3, seed=0):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((n_features,)), *stack])
    model.compile(optimizer, loss)
    return model


def linear_model_on_nonlinear_data():
    x = RNG.uniform(size=(100, 2))
    y = np.sin(10.0 * x[:, :1]) + np.cos(10.0 * x[:, 1:])
    return compiled(layers.Dense(1), n_features=2), x, y


def huge_learning_rate():
    x = RNG.uniform(size=(100, 2))
    y = 2.0 * x[:, :1] + 3.0 * x[:, 1:] + RNG.normal(0.0, 0.1, (100, 1))
    stack = [layers.Dense(10, "relu"), layers.Dense(1)]
    return compiled(*stack, optimizer=keras.optimizers.Adam(1.0), n_features=2), x, y


def unscaled_inputs():
    x = RNG.uniform(size=(100, 2)) * [1000.0, 1.0]
    return compiled(layers.Dense(10, "relu"), layers.Dense(1), n_features=2), x, x.sum(axis=1, keepdims=True)


def dead_output():
    dead = keras.initializers.Constant(-50.0)
    return compiled(layers.Dense(8, "relu"), layers.Dense(1, "relu", bias_initializer=dead)), X, np.abs(Y)


def dead_units():
    dead = keras.initializers.Constant(-50.0)
    return compiled(layers.Dense(8, "relu", bias_initializer=dead), layers.Dense(1)), X, Y


def frozen():
    model = compiled(layers.Dense(8, "relu"), layers.Dense(1))
    model.trainable = False
    return model, X, Y


def one_unit_softmax():
    stack = [layers.Dense(8, "relu"), layers.Dense(1, "softmax")]
    return compiled(*stack, loss="binary_crossentropy"), X, (Y > 0).astype("int64")


CASES = {
    "insufficient_capacity": linear_model_on_nonlinear_data,
    "learning_rate_too_high": huge_learning_rate,
    "unscaled_inputs": unscaled_inputs,
    "output_mismatch": one_unit_softmax,
    "dead_units": dead_units,
    "frozen_weights": frozen,
}


@pytest.mark.parametrize("cause", CASES)
def test_the_cause_is_found_before_any_training(cause):
    model, x, y = CASES[cause]()
    found = diagnose(model, x, y, epochs=100)
    assert found.cause == cause
    assert found.matters[0].confidence >= CONFIDENT
    assert not found.is_skilled
    assert len(found.assessments) == 1
    assert len(found.evidence.targets) == 1


def test_a_dead_output_is_told_from_dead_units():
    model, x, y = dead_output()
    found = diagnose(model, x, y)
    assert found.cause == "output_mismatch"
    assert "relu is the same for every row" in found.findings[0].evidence
    assert found.assessments[0].state == "constant"


def test_it_is_found_after_the_training_too():
    model, x, y = huge_learning_rate()
    model.fit(x, y, epochs=60, verbose=0)
    found = diagnose(model, x, y, epochs=60)
    assert found.cause == "learning_rate_too_high"
    assert found.assessments[0].is_collapsed


def test_a_network_with_skill_has_nothing_that_matters():
    model = compiled(layers.Dense(16, "tanh"), layers.Dense(1), optimizer=keras.optimizers.Adam(0.02))
    model.fit(X, Y, epochs=60, verbose=0)
    found = diagnose(model, X, Y, epochs=60)
    assert found.is_skilled
    assert found.matters == ()
    assert max((finding.confidence for finding in found.findings), default=0.0) < CONFIDENT
    assert str(found).startswith("The network predicts better than a constant.")


def test_noise_has_no_signal():
    found = diagnose(compiled(layers.Dense(8, "relu"), layers.Dense(1)), X, RNG.normal(size=(120, 1)))
    assert found.cause == "no_signal"
    assert found.evidence.references.p_value > 0.05


def test_it_leaves_no_trace():
    model, x, y = huge_learning_rate()
    model.fit(x, y, epochs=1, verbose=0)
    values, state = Snapshot(model).values, random.getstate()
    diagnose(model, x, y)
    for before, after in zip(values, Snapshot(model).values, strict=True):
        np.testing.assert_array_equal(before, after)
    assert random.getstate() == state


@pytest.mark.parametrize("is_built", [True, False])
def test_a_training_afterwards_is_bit_identical(is_built):
    weights = []
    for looks in (False, True):
        keras.utils.set_random_seed(3)
        stack = [layers.Dense(4, "relu"), layers.Dropout(0.2), layers.Dense(1)]
        model = keras.Sequential([keras.Input((3,)), *stack] if is_built else stack)
        model.compile("adam", "mse")
        if looks:
            diagnose(model, X, Y)
        model.fit(X, Y, epochs=1, verbose=0)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_datasets_and_pydatasets_are_read():
    class Batches(keras.utils.PyDataset):
        @property
        def num_batches(self):
            return 4

        def __getitem__(self, index):
            rows = slice(30 * index, 30 * index + 30)
            return X[rows], Y[rows]

    model = compiled(layers.Dense(1, "sigmoid"))
    expected = diagnose(model, X, Y, batch_size=30)
    for x, source in ((tf.data.Dataset.from_tensor_slices((X, Y)).batch(30), "dataset"), (Batches(), "pydataset")):
        found = diagnose(model, x)
        assert found.findings == expected.findings
        assert found.evidence.fit == dataclasses.replace(
            expected.evidence.fit, source=source, can_regroup=source == "dataset"
        )


def test_of_a_long_dataset_a_part_is_read():
    rows = tf.data.Dataset.range(100_000).map(lambda number: (tf.cast([number % 7], tf.float32), [number % 2]))
    model = compiled(layers.Dense(1), n_features=1)
    found = diagnose(model, rows.batch(64))
    assert found.evidence.fit.n_rows == 64 * 1563
    assert found.assessments[0].n_samples == 256


def test_several_outputs_and_weights():
    inputs = keras.Input((3,))
    hidden = layers.Dense(4, "relu")(inputs)
    outputs = [layers.Dense(1, name="number")(hidden), layers.Dense(1, "softmax", name="label")(hidden)]
    model = keras.Model(inputs, outputs)
    model.compile("adam", ["mse", "binary_crossentropy"])
    found = diagnose(model, X, [Y, (Y > 0).astype("float32")], sample_weight=[np.ones(120), np.arange(120.0)])
    assert [one.output_name for one in found.assessments] == ["number", "label"]
    assert found.cause == "output_mismatch"
    assert "'label'" in found.findings[0].evidence
    assert found.evidence.fit.has_sample_weights


def test_few_rows_are_no_error():
    assert diagnose(compiled(layers.Dense(1)), X[:6], Y[:6]).cause == "too_few_rows"


def test_causes_of_length_need_the_length():
    model = compiled(layers.Dense(4, "relu"), layers.Dense(1))
    found = [finding.cause for finding in diagnose(model, X, Y, batch_size=120, epochs=3).findings]
    unknown = [finding.cause for finding in diagnose(model, X, Y, batch_size=120).findings]
    assert "batch_size_too_large" in found
    assert "batch_size_too_large" not in unknown


def test_a_diagnosis_goes_through_json():
    model, x, y = one_unit_softmax()
    found = diagnose(model, x, y)
    text = found.to_json()
    assert Diagnosis.from_json(text) == found
    assert json.loads(text)["cause"] == "output_mismatch"


def test_numbers_that_are_not_finite_go_through_strict_json():
    model = compiled(layers.Dense(4, "relu"), layers.Dense(1))
    model.layers[0].kernel.assign(np.full((3, 4), np.nan))
    found = diagnose(model, X, Y)
    again = Diagnosis.from_json(found.to_json())
    assert np.isnan(again.evidence.curve.data_loss)
    assert again.findings == found.findings
    assert [finding.cause for finding in found.findings] == ["exploding_gradients", "nonfinite_training"]


def test_the_text_is_short_and_says_what_matters():
    x = X * [1e4, 1e-5, 1.0] + 1e5
    model = compiled(layers.Dense(4, "sigmoid"), layers.Dense(1, "tanh"), optimizer=keras.optimizers.SGD(10.0))
    text = str(diagnose(model, x, 100.0 * Y + 1e6, epochs=1, batch_size=120, shuffle=False))
    assert len(text.splitlines()) <= 20
    assert "* 0.9" in text
    assert "output_mismatch" in text
    assert "unscaled_inputs" in text


@pytest.mark.parametrize(
    ("make", "x", "y", "error", "message"),
    [
        (lambda: keras.Sequential([keras.Input((3,)), layers.Dense(1)]), X, Y, ModelError, "not compiled"),
        (lambda: compiled(layers.Dense(1)), X, Y[:5], DataError, "rows"),
        (lambda: compiled(layers.Dense(1)), np.full_like(X, np.nan), Y, DataError, "finite"),
        (lambda: compiled(layers.Dense(1)), (batch for batch in [(X, Y)]), None, DataError, "only once"),
        (lambda: compiled(layers.Dense(1)), None, None, DataError, "cannot be looked at"),
        (
            lambda: compiled(layers.Dense(1)),
            tf.data.Dataset.from_tensor_slices((X[:0], Y[:0])).batch(4),
            None,
            DataError,
            "no rows",
        ),
    ],
)
def test_what_cannot_be_diagnosed_is_said(make, x, y, error, message):
    with pytest.raises(error, match=message):
        diagnose(make(), x, y)


def test_it_is_public():
    assert autofix.diagnose is diagnose
    assert {"diagnose", "Diagnosis"} <= set(autofix.__all__)

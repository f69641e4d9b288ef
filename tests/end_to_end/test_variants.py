"""A learning rate that is far too high, in every form that a program may have: each is repaired."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import autofix
from autofix.benchmarks.published import PROGRAMS

layers = keras.layers
PROGRAM = next(program for program in PROGRAMS if program.name == "high_learning_rate")
N_ROWS, BATCH, EPOCHS = 100, 32, 100
STEPS = -(-N_ROWS // BATCH)
RATE = 1.0


def make_rows(n_rows, seed):
    x, y = PROGRAM.make_data(n_rows, np.random.default_rng(seed))
    return x.astype("float32"), y.astype("float32")


X, Y = make_rows(N_ROWS, 0)
FRESH_X, FRESH_Y = make_rows(1000, 1)


def compiled(model, rate=RATE, **options):
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse", **options)
    return model


def program():
    return PROGRAM.build()


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return STEPS

    def __getitem__(self, index):
        return X[index * BATCH : (index + 1) * BATCH], Y[index * BATCH : (index + 1) * BATCH]


def batches():
    while True:
        for index in range(STEPS):
            yield X[index * BATCH : (index + 1) * BATCH], Y[index * BATCH : (index + 1) * BATCH]


def dict_input():
    inputs = {"first": keras.Input((1,), name="first"), "last": keras.Input((1,), name="last")}
    hidden = layers.Dense(10, activation="relu")(layers.Concatenate()(list(inputs.values())))
    return compiled(keras.Model(inputs, layers.Dense(1)(hidden)))


def by_name(x):
    return {"first": x[:, :1], "last": x[:, 1:]}


def two_outputs():
    """At this rate the linear output does well, and the one behind hidden units dies."""
    inputs = keras.Input((2,))
    dead = layers.Dense(1, name="dead")(layers.Dense(10, activation="relu")(inputs))
    return compiled(keras.Model(inputs, [dead, layers.Dense(1, name="alive")(inputs)]))


def two_targets(x, y):
    return [y, x[:, 0] - x[:, 1]]


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.head = layers.Dense(10, activation="relu"), layers.Dense(1)

    def call(self, inputs):
        return self.head(self.hidden(inputs))


def mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return PROGRAM.build()
    finally:
        keras.config.set_dtype_policy("float32")


def cosine():
    model = PROGRAM.build()
    schedule = keras.optimizers.schedules.CosineDecay(RATE, EPOCHS * STEPS)
    model.compile(optimizer=keras.optimizers.Adam(schedule), loss="mse")
    return model


def dataset():
    rows = tf.data.Dataset.from_tensor_slices((X, Y))
    return {"x": rows.shuffle(N_ROWS, seed=0).batch(BATCH), "shuffle": False}


VARIANTS = {
    "tf.data": (program, dataset),
    "PyDataset": (program, lambda: {"x": Batches()}),
    "generator": (program, lambda: {"x": batches(), "steps_per_epoch": STEPS, "shuffle": False}),
    "dict input": (dict_input, lambda: {"x": by_name(X), "y": Y}),
    "two outputs": (two_outputs, lambda: {"x": X, "y": two_targets(X, Y)}),
    "subclassed": (lambda: compiled(Subclassed()), lambda: {"x": X, "y": Y}),
    "sample_weight": (program, lambda: {"x": X, "y": Y, "sample_weight": np.linspace(0.5, 1.5, N_ROWS)}),
    "mixed precision": (mixed_precision, lambda: {"x": X, "y": Y}),
    "cosine schedule": (cosine, lambda: {"x": X, "y": Y}),
}


def train(fit, variant):
    build, arguments = VARIANTS[variant]
    keras.utils.set_random_seed(0)
    model = build()
    return model, fit(model, epochs=EPOCHS, verbose=0, **arguments())


def scores(model, variant):
    """R² of each output on fresh rows."""
    x = by_name(FRESH_X) if variant == "dict input" else FRESH_X
    targets = two_targets(FRESH_X, FRESH_Y) if variant == "two outputs" else [FRESH_Y]
    outputs = keras.tree.flatten(model.predict(x, verbose=0))
    return [
        float(1.0 - np.mean(np.square(output[:, 0] - target)) / np.var(target))
        for output, target in zip(outputs, targets, strict=True)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_it_is_repaired(variant):
    plain, _ = train(keras.Model.fit, variant)
    before = scores(plain, variant)
    assert before[0] < 0.1, "this program should collapse under Keras"
    assert all(score > PROGRAM.r2_floor for score in before[1:]), "the other output should be alive"
    model, history = train(autofix.fit, variant)
    report = history.report
    assert report.verdict == "repaired", str(report)
    assert report.recipe.strategies == ("lower_learning_rate",)
    after = scores(model, variant)
    assert after[0] >= PROGRAM.r2_floor
    assert all(now >= PROGRAM.r2_floor for now in after[1:])
    assert len(history.history["loss"]) == EPOCHS

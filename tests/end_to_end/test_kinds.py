"""Every kind of task: programs that collapse under Keras are repaired in place."""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import autofix

RATE = 3.0
"""Adam at this rate kills every unit of a small network on positive inputs, whatever the seed."""

N_ROWS = 160
EPOCHS = 20


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).uniform(size=(N_ROWS, 4)).astype("float32")


def score(x):
    return 3.0 * (x[:, 0] - x[:, 1] + 0.5 * x[:, 2] - 0.25)


def numbers(x):
    return (score(x) + 0.1 * np.random.default_rng(1).normal(size=N_ROWS)).astype("float32")


def labels(x):
    return (score(x) > 0.0).astype("float32")


def classes(x):
    return np.digitize(score(x), [-0.5, 0.5])


def one_hot(x):
    return np.eye(3, dtype="float32")[classes(x)]


def several_labels(x):
    return np.stack([x[:, 0] > 0.5, x[:, 1] + x[:, 2] > 1.0, x[:, 3] > 0.5], axis=1).astype("float32")


def hidden():
    return keras.layers.Dense(10, activation="relu")


def sequential(n_outputs=1, activation=None, loss="mse", optimizer=None):
    model = keras.Sequential([keras.Input((4,)), hidden(), keras.layers.Dense(n_outputs, activation=activation)])
    model.compile(optimizer=optimizer or keras.optimizers.Adam(RATE), loss=loss)
    return model


def binary():
    return sequential(1, "sigmoid", "binary_crossentropy")


def sparse_logits():
    return sequential(3, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))


def one_hot_logits():
    return sequential(3, loss=keras.losses.CategoricalCrossentropy(from_logits=True))


def multi_label():
    return sequential(3, "sigmoid", "binary_crossentropy")


def cosine_schedule():
    return sequential(optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, 100)))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.body, self.head = hidden(), keras.layers.Dense(1)

    def call(self, inputs):
        return self.head(self.body(inputs))


def subclassed():
    model = Subclassed()
    model.compile(optimizer=keras.optimizers.Adam(RATE), loss="mse")
    return model


class OwnStep(keras.Model):
    def train_step(self, data):
        inputs, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            loss = self.compute_loss(inputs, targets, self(inputs, training=True))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


def own_train_step():
    inputs = keras.Input((4,))
    model = OwnStep(inputs, keras.layers.Dense(1)(hidden()(inputs)))
    model.compile(optimizer=keras.optimizers.Adam(RATE), loss="mse")
    return model


def two_outputs():
    left, right = keras.Input((2,), name="left"), keras.Input((2,), name="right")
    body = hidden()(keras.layers.Concatenate()([left, right]))
    number = keras.layers.Dense(1, name="number")(body)
    label = keras.layers.Dense(1, activation="sigmoid", name="label")(body)
    model = keras.Model({"left": left, "right": right}, {"number": number, "label": label})
    losses = {"number": "mse", "label": "binary_crossentropy"}
    model.compile(optimizer=keras.optimizers.Adam(RATE), loss=losses)
    return model


CASES = {
    "binary": (binary, labels),
    "sparse classes as logits": (sparse_logits, classes),
    "one-hot classes as logits": (one_hot_logits, one_hot),
    "several labels": (multi_label, several_labels),
}


def train(fit, build, x, y, **options):
    keras.utils.set_random_seed(0)
    model = build()
    return model, fit(model, x, y, epochs=EPOCHS, verbose=0, **options)


@pytest.mark.parametrize("case", CASES)
def test_a_rate_that_is_too_high_is_found_and_repaired(x, case):
    build, targets = CASES[case]
    y = targets(x)
    plain, _ = train(keras.Model.fit, build, x, y)
    assert np.ptp(plain.predict(x, verbose=0), axis=0).max() < 1e-3, "this program should collapse under Keras"
    model, history = train(autofix.fit, build, x, y)
    report = history.report
    assert report.verdict == "repaired", str(report)
    assert "lower_learning_rate" in report.recipe.strategies
    assert report.after[0].skill > 0.5
    predictions = model.predict(x, verbose=0)
    assert predictions.shape == plain.predict(x, verbose=0).shape
    assert np.ptp(predictions, axis=0).min() > 0.3
    loss = model.evaluate(x, np.asarray(y), verbose=0)
    assert loss < 0.6 * plain.evaluate(x, np.asarray(y), verbose=0)
    assert set(history.history) == {"loss"}
    assert type(model) is type(plain)


def test_a_schedule_keeps_its_shape(x):
    model, history = train(autofix.fit, cosine_schedule, x, numbers(x))
    schedule = model.optimizer._learning_rate
    assert isinstance(schedule, keras.optimizers.schedules.CosineDecay)
    assert schedule.initial_learning_rate < RATE / 10
    assert schedule.decay_steps == 100
    assert "CosineDecay" in history.report.fix


def test_inputs_by_name_and_two_outputs_stay_so(x):
    inputs = {"left": x[:, :2], "right": x[:, 2:]}
    targets = {"number": numbers(x), "label": labels(x)}
    plain, _ = train(keras.Model.fit, two_outputs, inputs, targets)
    assert all(np.ptp(one) < 1e-3 for one in plain.predict(inputs, verbose=0).values())
    model, history = train(autofix.fit, two_outputs, inputs, targets)
    assert history.report.verdict == "repaired", str(history.report)
    assert {head.output_name for head in history.report.after} == {"label", "number"}
    assert all(head.skill > 0.5 for head in history.report.after)
    predictions = model.predict(inputs, verbose=0)
    assert set(predictions) == {"number", "label"}
    assert np.corrcoef(predictions["number"][:, 0], targets["number"])[0, 1] > 0.9
    assert np.mean((predictions["label"][:, 0] > 0.5) == targets["label"]) > 0.9


def test_a_subclassed_model_gets_no_surgery(x):
    model, history = train(autofix.fit, subclassed, x, numbers(x))
    assert not history.report.recipe.needs_surgery
    assert {"standardize_inputs", "add_hidden_layers"} <= set(history.report.left_out)
    assert model.count_params() == 61


def test_the_train_step_of_the_users_class_is_the_one_that_trains(x):
    model, _ = train(autofix.fit, own_train_step, x, numbers(x))
    assert type(model) is OwnStep
    # Further training still goes through it: Keras' own step would report no loss of this name alone.
    assert list(model.fit(x, numbers(x), epochs=1, verbose=0).history) == ["loss"]


def test_a_loss_of_the_users_own_is_called_in_the_thread_of_the_user_alone(x):
    threads = set()

    def own_loss(y_true, y_pred):
        threads.add(threading.current_thread())
        return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 1.5, axis=-1)

    _, history = train(autofix.fit, lambda: sequential(loss=own_loss), x, numbers(x))
    assert history.report.verdict == "repaired", str(history.report)
    assert history.report.references, "the reference learners, which have a thread of their own, are judged by it too"
    assert threads == {threading.current_thread()}


def test_rows_without_weight_do_not_count(x):
    """An eighth of the targets is wrong by far, and weighs nothing."""
    y, weights = numbers(x), np.ones(N_ROWS)
    y[::8] += 3.0
    weights[::8] = 0.0
    model, history = train(autofix.fit, sequential, x, y, sample_weight=weights)
    assert history.report.verdict == "repaired", str(history.report)
    errors = model.predict(x, verbose=0)[:, 0] - numbers(x)
    assert abs(errors.mean()) < 0.15  # it would be 0.375


def test_sorted_rows_without_shuffling_are_repaired():
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(N_ROWS, 4)).astype("float32")
    x = x[np.argsort(labels(x))]
    keras.utils.set_random_seed(0)
    model = binary()
    history = autofix.fit(model, x, labels(x), epochs=EPOCHS, shuffle=False, verbose=0)
    assert history.report.verdict == "repaired", str(history.report)
    assert np.mean((model.predict(x, verbose=0)[:, 0] > 0.5) == labels(x)) > 0.9

import functools
import re

import keras
import numpy as np
import pytest

from autofix.errors import ModelError
from autofix.scoring import losses as module
from autofix.scoring.assess import assess
from autofix.scoring.best_constant import best_constant
from autofix.scoring.losses import head_losses
from autofix.scoring.numpy_losses import LOSS_NAMES, loss_spec

RNG = np.random.default_rng(0)
N = 40
NUMBERS = RNG.normal(size=(N, 3))
SHARES = RNG.dirichlet(np.ones(3), N)
FLAGS = (RNG.uniform(size=(N, 3)) > 0.6).astype(float)
LABELS = RNG.integers(0, 3, N)
ONE_HOT = np.eye(3)[LABELS]

CASES = [
    ("mean_squared_error", {}, NUMBERS, NUMBERS[::-1]),
    ("mean_absolute_error", {}, NUMBERS, NUMBERS[::-1]),
    ("mean_absolute_percentage_error", {}, NUMBERS + 5.0, NUMBERS[::-1]),
    ("mean_squared_logarithmic_error", {}, np.exp(NUMBERS), NUMBERS[::-1]),
    ("huber", {}, NUMBERS, NUMBERS[::-1]),
    ("huber", {"delta": 0.3}, NUMBERS, NUMBERS[::-1]),
    ("log_cosh", {}, 5.0 * NUMBERS, NUMBERS[::-1]),
    ("hinge", {}, FLAGS, NUMBERS),
    ("squared_hinge", {}, 2.0 * FLAGS - 1.0, NUMBERS),
    ("poisson", {}, RNG.poisson(3.0, (N, 3)).astype(float), np.exp(NUMBERS)),
    ("kl_divergence", {}, SHARES, SHARES[::-1]),
    ("cosine_similarity", {}, NUMBERS, NUMBERS[::-1]),
    ("binary_crossentropy", {}, FLAGS, SHARES),
    ("binary_crossentropy", {"label_smoothing": 0.1}, FLAGS, FLAGS[::-1]),
    ("binary_crossentropy", {"from_logits": True}, FLAGS, 20.0 * NUMBERS),
    ("categorical_crossentropy", {}, ONE_HOT, SHARES),
    ("categorical_crossentropy", {}, ONE_HOT, 3.0 * SHARES),
    ("categorical_crossentropy", {"label_smoothing": 0.2, "from_logits": True}, SHARES, NUMBERS),
    ("sparse_categorical_crossentropy", {}, LABELS, SHARES),
    ("sparse_categorical_crossentropy", {}, LABELS[:, None], 2.0 * SHARES),
    ("sparse_categorical_crossentropy", {"from_logits": True}, LABELS, 9.0 * NUMBERS),
]


def keras_losses(name, options, y, p):
    class_name = "".join(part.title() for part in name.split("_")).replace("Kl", "KL")
    loss = getattr(keras.losses, class_name)(reduction=None, **options)
    return keras.ops.convert_to_numpy(loss(y.astype("float32"), p.astype("float32")))


def dense_model(loss, units=1, activation=None, n_outputs=1, names=None):
    inputs = keras.Input((2,))
    names = names or [f"head_{index}" for index in range(n_outputs)]
    outputs = [keras.layers.Dense(units, activation, name=name)(inputs) for name in names]
    model = keras.Model(inputs, outputs[0] if n_outputs == 1 else outputs)
    model.compile(loss=loss)
    return model


def only_loss(loss, y, **kwargs):
    (found,) = head_losses(dense_model(loss, **kwargs), y)
    return found


def names_of(losses):
    return [None if loss is None else loss.name for loss in losses]


# Keras' own losses


def test_every_known_loss_is_compared():
    assert {name for name, *_ in CASES} == set(LOSS_NAMES)


@pytest.mark.parametrize(("name", "options", "y", "p"), CASES)
def test_losses_in_numpy_agree_with_keras(name, options, y, p):
    found = loss_spec(name, **options).per_row(y, p)
    assert found.shape == (N,)
    np.testing.assert_allclose(found, keras_losses(name, options, y, p), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["mean_squared_error", "log_cosh", "binary_crossentropy", "categorical_crossentropy"])
def test_losses_of_sequences_agree_with_keras_averaged_over_steps(name):
    y, p = FLAGS.reshape(N // 4, 4, 3), SHARES.reshape(N // 4, 4, 3)
    expected = keras_losses(name, {}, y, p)
    assert expected.shape == (N // 4, 4)
    np.testing.assert_allclose(loss_spec(name).per_row(y, p), expected.mean(axis=1), rtol=1e-5, atol=1e-5)


def test_sparse_losses_of_sequences_agree_with_keras():
    y, p = LABELS.reshape(N // 4, 4), SHARES.reshape(N // 4, 4, 3)
    expected = keras_losses("sparse_categorical_crossentropy", {}, y, p).mean(axis=1)
    spec = loss_spec("sparse_categorical_crossentropy")
    np.testing.assert_allclose(spec.per_row(y, p), expected, rtol=1e-5)
    assert best_constant(y, spec, (4, 3)).shape == (4, 3)


@pytest.mark.parametrize(
    "loss",
    [
        "mse",
        "MSE",
        "mean_squared_error",
        "MeanSquaredError",
        keras.losses.mean_squared_error,
        keras.losses.MeanSquaredError(),
        keras.losses.MeanSquaredError(reduction="sum", name="mine"),
        keras.losses.MeanSquaredError,
        ["mse"],
        {"head_0": "mse"},
        {"head_0": ["mse"]},
    ],
    ids=lambda loss: re.sub(r" at 0x\w+", "", str(loss)),
)
def test_a_loss_is_recognised_in_every_form_that_compile_takes(loss):
    found = only_loss(loss, NUMBERS[:, :1])
    assert found.name == "mean_squared_error"
    assert found.constant is not None


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (keras.losses.Huber(delta=0.25), loss_spec("huber", delta=0.25)),
        (functools.partial(keras.losses.huber, delta=0.25), loss_spec("huber", delta=0.25)),
        (
            keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
            loss_spec("binary_crossentropy", from_logits=True, label_smoothing=0.1),
        ),
    ],
)
def test_options_are_read_off_the_loss(loss, expected):
    found = only_loss(loss, FLAGS, units=3)
    assert found.name == expected.name
    np.testing.assert_array_equal(found.per_row(FLAGS, NUMBERS), expected.per_row(FLAGS, NUMBERS))


def test_options_that_numpy_does_not_know_are_left_to_keras():
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=0)
    found = only_loss(loss, LABELS, units=3, activation="softmax")
    assert found.constant is None
    rows = found.per_row(LABELS, SHARES)
    assert (rows[LABELS == 0] == 0.0).all()
    expected = loss_spec("sparse_categorical_crossentropy").per_row(LABELS, SHARES)
    np.testing.assert_allclose(rows[LABELS > 0], expected[LABELS > 0], rtol=1e-5)


@pytest.mark.parametrize(
    ("units", "y", "expected"),
    [
        (1, FLAGS[:, 0], "binary_crossentropy"),
        (3, ONE_HOT, "categorical_crossentropy"),
        (3, LABELS, "sparse_categorical_crossentropy"),
        (3, LABELS[:, None], "sparse_categorical_crossentropy"),
    ],
)
def test_crossentropy_stands_for_the_one_that_fits_the_output(units, y, expected):
    assert only_loss("crossentropy", y, units=units).name == expected


# The user's own losses


class Cubic(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 3, axis=-1)


class Doubled(keras.losses.MeanSquaredError):
    def call(self, y_true, y_pred):
        return 2.0 * super().call(y_true, y_pred)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (lambda y, p: keras.ops.square(y - p), lambda e: e**2),
        (lambda y, p: keras.ops.mean(keras.ops.square(y - p), axis=-1), lambda e: e**2),
        (lambda y, p: keras.ops.mean(keras.ops.square(y - p)), lambda e: e**2),
        (Cubic(), lambda e: abs(e) ** 3),
        (Cubic(reduction="sum"), lambda e: abs(e) ** 3),
        (Doubled(), lambda e: 2.0 * e**2),
    ],
    ids=["elementwise", "by row", "scalar", "class", "summing class", "subclass"],
)
def test_a_loss_of_the_users_own_is_evaluated_by_row(loss, expected):
    y, p = NUMBERS[:, 0], NUMBERS[:, 1:2]
    found = only_loss(loss, y)
    assert found.constant is None
    np.testing.assert_allclose(found.per_row(y, p), expected(y - p[:, 0]), rtol=1e-5)


def test_a_custom_lambda_is_assessed_like_the_loss_it_writes_out():
    y = NUMBERS[:, :1]
    custom = assess(y, y + 0.1, only_loss(lambda y, p: keras.ops.mean(keras.ops.square(y - p)), y))
    known = assess(y, y + 0.1, loss_spec("mean_squared_error"))
    assert custom.state == known.state == "skilled"
    assert custom.skill == pytest.approx(known.skill, abs=1e-4)
    assert custom.spread == known.spread


def test_a_loss_that_is_no_mean_of_rows_keeps_mean_and_uncertainty_in_groups_of_rows():
    y = np.random.default_rng(1).normal(size=(2000, 1))
    p = np.zeros_like(y)
    found = only_loss(lambda y, p: keras.ops.sqrt(keras.ops.mean(keras.ops.square(y - p))), y).per_row(y, p)
    assert found.shape == (2000,)
    assert len(np.unique(found)) <= module.MAX_ROW_GROUPS
    root = np.sqrt((y**2).mean())
    assert found.mean() == pytest.approx(root, rel=0.02)
    # To first order, a row moves the root by its squared error over twice the root.
    assert found.std() == pytest.approx((y**2).std() / (2.0 * root), rel=0.3)


def test_a_loss_that_needs_many_rows_gets_larger_groups():
    def one_less_correlation(y_true, y_pred):
        y_true, y_pred = y_true - keras.ops.mean(y_true), y_pred - keras.ops.mean(y_pred)
        scale = keras.ops.sqrt(keras.ops.sum(y_true**2) * keras.ops.sum(y_pred**2))
        return 1.0 - keras.ops.sum(y_true * y_pred) / scale

    y = NUMBERS[:, :1]
    found = only_loss(one_less_correlation, y)
    np.testing.assert_allclose(found.per_row(y, 3.0 * y), 0.0, atol=1e-5)


def test_the_best_constant_of_a_hand_written_crossentropy_is_one_that_the_model_can_predict():
    def unbounded(y_true, y_pred):
        return -keras.ops.sum(y_true * keras.ops.log(y_pred), axis=-1)

    found = only_loss(unbounded, ONE_HOT, units=3, activation="softmax")
    np.testing.assert_allclose(best_constant(ONE_HOT, found, (3,)), ONE_HOT.mean(axis=0), atol=1e-3)


def test_the_best_constant_of_a_custom_loss_on_a_sigmoid_stays_between_zero_and_one():
    found = only_loss(lambda y, p: -keras.ops.mean(y * p, axis=-1), FLAGS[:, :1], activation="sigmoid")
    assert 0.99 < best_constant(FLAGS[:, :1], found, (1,))[0] <= 1.0


# Outputs


@pytest.mark.parametrize(
    "loss",
    [
        ["mse", "mae"],
        {"a": "mse", "b": "mae"},
        {"b": "mae", "a": "mse"},
        (keras.losses.MeanSquaredError(), keras.losses.mean_absolute_error),
    ],
    ids=["list", "dict", "dict in another order", "tuple of objects"],
)
def test_losses_come_in_the_order_of_the_outputs(loss):
    model = dense_model(loss, n_outputs=2, names=["a", "b"])
    found = head_losses(model, [NUMBERS[:, :1]] * 2)
    assert names_of(found) == ["mean_squared_error", "mean_absolute_error"]


def test_one_loss_counts_for_every_output_and_none_for_none():
    y = [NUMBERS[:, :1]] * 2
    both = head_losses(dense_model("mse", n_outputs=2), y)
    assert names_of(both) == ["mean_squared_error"] * 2
    first = head_losses(dense_model(["mse", None], n_outputs=2), y)
    assert names_of(first) == ["mean_squared_error", None]


def test_outputs_in_a_dict_come_in_the_order_of_flattened_targets():
    inputs = keras.Input((2,))
    outputs = {"z": keras.layers.Dense(1)(inputs), "a": keras.layers.Dense(1)(inputs)}
    model = keras.Model(inputs, outputs)
    model.compile(loss={"z": "mse", "a": "mae"})
    y = {"z": np.zeros((4, 1)), "a": np.ones((4, 1))}
    names = {"z": "mean_squared_error", "a": "mean_absolute_error"}
    flat = keras.tree.flatten({key: names[key] for key in y})
    assert names_of(head_losses(model, y)) == flat
    predictions = keras.tree.flatten(model.predict(np.zeros((4, 2)), verbose=0))
    assert len(predictions) == len(flat)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.heads = [keras.layers.Dense(1), keras.layers.Dense(1)]

    def call(self, x):
        return [head(x) for head in self.heads]


@pytest.mark.parametrize("is_built", [False, True])
def test_subclassed_models_have_the_outputs_of_their_targets(is_built):
    model = Subclassed()
    model.compile(loss=["mse", "mae"])
    if is_built:
        model(np.zeros((1, 2)))
    found = head_losses(model, [NUMBERS[:, :1]] * 2)
    assert names_of(found) == ["mean_squared_error", "mean_absolute_error"]


def test_models_without_a_compiled_loss_have_no_losses():
    assert head_losses(dense_model(None, n_outputs=2), [NUMBERS[:, :1]] * 2) == [None, None]


def test_a_model_that_is_not_compiled_is_an_error():
    with pytest.raises(ModelError, match="not compiled"):
        head_losses(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), NUMBERS)


def test_losses_that_do_not_match_the_outputs_are_an_error():
    with pytest.raises(ModelError, match="do not match"):
        head_losses(dense_model(["mse"] * 3, n_outputs=2), [NUMBERS[:, :1]] * 2)


@pytest.mark.parametrize("container", [list, tuple])
def test_losses_of_several_outputs_at_once_are_an_error(container):
    # In a container of another type than the outputs', each loss is one of all of them.
    other = tuple if container is list else list
    inputs = keras.Input((2,))
    model = keras.Model(inputs, container([keras.layers.Dense(1)(inputs), keras.layers.Dense(1)(inputs)]))
    model.compile(loss=other([lambda y, p: p[0], container(["mse", "mae"])]))
    with pytest.raises(ModelError, match="one by one"):
        head_losses(model, [NUMBERS[:, :1]] * 2)


def test_several_losses_of_one_output_among_others_are_an_error():
    # Keras adds them up.
    with pytest.raises(ModelError, match="one by one"):
        head_losses(dense_model([["mse", "mae"], "mse"], n_outputs=2), [NUMBERS[:, :1]] * 2)

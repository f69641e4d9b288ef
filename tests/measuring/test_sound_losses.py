import keras
import numpy as np
import pytest

from autofix.data.training_data import TrainingData
from autofix.measuring.sound_losses import sound_losses
from autofix.scoring.losses import head_losses
from autofix.scoring.task_kinds import task_kind

layers = keras.layers
X = np.random.default_rng(0).normal(size=(60, 3))
LABELS = np.arange(60) % 3


def sound(loss, y, *heads):
    x = keras.Input((3,))
    model = keras.Model(x, [head(x) for head in heads])
    model.compile("adam", loss)
    data = TrainingData.from_arrays(X, y)
    return sound_losses(model, data, head_losses(model, y))


def test_a_loss_that_suits_its_targets_stays():
    found = sound(["mse", "sparse_categorical_crossentropy"], [X[:, 0], LABELS], layers.Dense(1), layers.Dense(3))
    assert [one.loss.name for one in found] == ["mean_squared_error", "sparse_categorical_crossentropy"]
    assert [one.shape for one in found] == [None, None]


@pytest.mark.parametrize(
    ("loss", "y", "head", "name", "shape"),
    [
        ("binary_crossentropy", 40 * X[:, 0], layers.Dense(1, "sigmoid"), "mean_squared_error", None),
        ("mse", LABELS, layers.Dense(3, "softmax"), "sparse_categorical_crossentropy", None),
        (
            "sparse_categorical_crossentropy",
            LABELS,
            layers.Dense(2, "softmax"),
            "sparse_categorical_crossentropy",
            (3,),
        ),
        ("mse", 40 * X[:, 0], layers.Dense(1, "sigmoid"), "mean_squared_error", None),
    ],
)
def test_targets_that_the_loss_is_not_made_for_are_judged_by_another(loss, y, head, name, shape):
    (found,) = sound(loss, y, head)
    assert (found.loss.name, found.shape) == (name, shape)


def test_a_network_that_cannot_get_another_head_keeps_its_loss():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1, activation="sigmoid")

        def call(self, x):
            return self.dense(x)

    model = Own()
    model.compile("adam", "binary_crossentropy")
    model(X[:1])
    y = 40 * X[:, 0]
    (found,) = sound_losses(model, TrainingData.from_arrays(X, y), head_losses(model, y))
    assert found.loss.name == "binary_crossentropy"


def test_the_kind_of_task_comes_from_the_loss_and_the_targets():
    def kind(loss, y, head):
        return task_kind(sound(loss, y, head)[0].loss, np.asarray(y))

    assert kind("mse", X[:, 0], layers.Dense(1)) == "regression"
    assert kind("binary_crossentropy", LABELS // 2, layers.Dense(1, "sigmoid")) == "binary"
    assert kind("sparse_categorical_crossentropy", LABELS, layers.Dense(3, "softmax")) == "multiclass"
    assert kind("binary_crossentropy", np.eye(3)[LABELS], layers.Dense(3, "sigmoid")) == "multilabel"
    assert task_kind(None, LABELS) == "other"

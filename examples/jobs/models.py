"""The networks of the six jobs. `make_files.py` saves them; jobs may also name them: `model: models.py:diabetes`."""

import keras
from keras import layers


def diabetes(n_features: int = 10) -> keras.Model:
    """A sound network; the job trains it with a learning rate of 1."""
    return keras.Sequential(
        [keras.Input((n_features,)), layers.Dense(16, "relu"), layers.Dense(16, "relu"), layers.Dense(1)]
    )


def wine(n_features: int = 13) -> keras.Model:
    """Sigmoids one behind the other, on features from 0.1 to 1,700."""
    return keras.Sequential(
        [
            keras.Input((n_features,)),
            *[layers.Dense(16, "sigmoid") for _ in range(4)],
            layers.Dense(3, "softmax"),
        ]
    )


def breast_cancer(n_features: int = 30) -> keras.Model:
    """A softmax over one unit is 1 for every row."""
    return keras.Sequential([keras.Input((n_features,)), layers.Dense(16, "relu"), layers.Dense(1, "softmax")])


def digits() -> keras.Model:
    """A small convolutional network; nothing is wrong with it."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(24, "relu"),
            layers.Dense(10, "softmax"),
        ]
    )


def iris(n_features: int = 4) -> keras.Model:
    """Nothing is wrong with it."""
    return keras.Sequential([keras.Input((n_features,)), layers.Dense(16, "relu"), layers.Dense(3, "softmax")])


def houses(n_features: int = 7) -> keras.Model:
    """Nothing is wrong with it; the job gives it a target that the features say nothing about."""
    return keras.Sequential([keras.Input((n_features,)), layers.Dense(32, "relu"), layers.Dense(1)])

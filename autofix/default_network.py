"""The network that the estimators train where they are given none."""

from collections.abc import Sequence

import keras

UNITS = 64
"""Of the hidden layer: enough for tables of some dozen columns, and trained in seconds."""

LEARNING_RATE = 0.01
"""Of Adam. With Keras' 0.001, a few hundred rows are not learned within a hundred epochs."""


def default_network(
    input_shape: Sequence[int],
    n_outputs: int,
    output_activation: str | None,
    loss: str,
    metrics: Sequence[str] = (),
    *,
    units: int = UNITS,
    activation: str = "relu",
    learning_rate: float = LEARNING_RATE,
) -> keras.Model:
    """A compiled network of one hidden layer.

    Args:
        input_shape: Of one row.
        n_outputs: Units of the output layer.
        output_activation: Of the output layer, None for linear outputs.
        loss: As in `keras.Model.compile`.
        metrics: As in `keras.Model.compile`.
        units: Of the hidden layer.
        activation: Of the hidden layer.
        learning_rate: Of the optimizer, Adam.

    Example:

    >>> default_network((4,), 1, None, "mse", units=8).count_params()
    49
    """
    model = keras.Sequential(
        [
            keras.Input(tuple(input_shape)),
            *([keras.layers.Flatten()] if len(input_shape) > 1 else []),
            keras.layers.Dense(units, activation=activation),
            keras.layers.Dense(n_outputs, activation=output_activation),
        ]
    )
    model.compile(keras.optimizers.Adam(learning_rate), loss=loss, metrics=list(metrics))
    return model

"""A learning rate that is far too high, found and repaired; run it with `python examples/quick_start.py`."""

import keras
import numpy as np

import autofix


def main() -> autofix.Report:
    """Trains the program and prints the report."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.uniform(0.0, 1.0, size=(100, 2))
    y = 2.0 * x[:, 0] + 3.0 * x[:, 1] + rng.normal(0.0, 0.1, size=100)

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(10, activation="relu"), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(1.0), loss="mse")
    history = autofix.fit(model, x, y, epochs=100)

    print(history.report)  # noqa: T201
    return history.report


if __name__ == "__main__":
    main()

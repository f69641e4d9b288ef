"""What is wrong with a model, without training it; run it with `python examples/diagnose_alone.py`."""

import keras
import numpy as np

import autofix


def main() -> autofix.Diagnosis:
    """Diagnoses a model with three faults and prints them."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).uniform(0.0, 1000.0, size=(200, 2))
    y = (x[:, 0] > x[:, 1]).astype("float32")

    hidden = keras.layers.Dense(10, activation="relu")
    model = keras.Sequential([keras.Input((2,)), hidden, keras.layers.Dense(1, activation="softmax")])
    model.compile(optimizer=keras.optimizers.Adam(1.0), loss="binary_crossentropy")
    diagnosis = autofix.diagnose(model, x, y, epochs=20)

    print(diagnosis)  # noqa: T201
    return diagnosis


if __name__ == "__main__":
    main()

"""Only to be warned: the watch as a callback of `model.fit`; run it with `python examples/monitor_alone.py`."""

import warnings

import keras
import numpy as np

import autofix


def main() -> list[str]:
    """Trains with `model.fit`, and prints what the watch saw and what it warned of."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).uniform(0.0, 1.0, size=(100, 2))
    y = 2.0 * x[:, 0] + 3.0 * x[:, 1]

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(10, activation="relu"), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(1.0), loss="mse")
    monitor = autofix.CollapseMonitor()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", autofix.CollapseWarning)
        model.fit(x, y, epochs=30, verbose=0, callbacks=[monitor])

    for look in monitor.looks:
        (head,) = look.heads
        print(f"epoch {look.epoch}: spread {head.spread:.3f}, skill {head.skill:.3f}")  # noqa: T201
    messages = [str(one.message) for one in caught if issubclass(one.category, autofix.CollapseWarning)]
    print(*messages, sep="\n")  # noqa: T201
    return messages


if __name__ == "__main__":
    main()

"""The repaired training as a program of plain Keras; run it with `python examples/script_of_the_repair.py`."""

import pathlib

import keras
import numpy as np

import autofix


def main(folder: pathlib.Path = pathlib.Path("repaired")) -> pathlib.Path:
    """Repairs a program, and writes one that needs no autofix beside the rows it trains on.

    Args:
        folder: Where to; made if need be.

    Returns:
        The program.
    """
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = np.stack([rng.uniform(0.0, 1000.0, size=100), rng.uniform(0.0, 1.0, size=100)], axis=1)
    y = x[:, 0] + x[:, 1]

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(10, activation="relu"), keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    report = autofix.fit(model, x, y, epochs=60, verbose=0).report

    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    np.save(folder / "predictions.npy", model.predict(x, verbose=0))
    script = folder / "train.py"
    script.write_text(report.to_script(), encoding="utf-8")
    print(report.diff, f"cd {folder} && python train.py", sep="\n\n")  # noqa: T201
    return script


if __name__ == "__main__":
    main()

"""What the watch costs a healthy run: `autofix.fit` against `model.fit`, in interleaved pairs.

Both arms of a pair train the same model from the same seed, one directly after the other, in an order that
changes from pair to pair; the ratio within a pair is free of what slows the machine for longer than a pair.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

import autofix
from autofix.benchmarks import summary

OVERHEAD = 1.02
ARMS = ("plain", "watched")
BATCH_SIZE = 32


def as_arrays(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Arguments of `fit` that hand the rows over as arrays."""
    return {"x": x, "y": y}


def as_dataset(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """The same as a shuffled `tf.data.Dataset`."""
    rows = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x), seed=0)
    return {"x": rows.batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE), "shuffle": False}


class Batches(keras.utils.PyDataset):
    """The same batch by batch, as a `PyDataset`."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        super().__init__()
        self._x, self._y = x, y

    def __len__(self) -> int:
        return math.ceil(len(self._x) / BATCH_SIZE)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = slice(index * BATCH_SIZE, (index + 1) * BATCH_SIZE)
        return self._x[rows], self._y[rows]


@dataclasses.dataclass(frozen=True)
class HealthyRun:
    """A training program that works: it learns within the first few of its epochs.

    Args:
        name: For the results.
        make_data: `rng -> (x, y)`.
        build: The compiled, untrained model.
        epochs: Enough for a training of a few seconds.
        feed: Makes arguments of `fit` of the rows.
    """

    name: str
    make_data: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]
    build: Callable[[], keras.Model]
    epochs: int
    feed: Callable[[np.ndarray, np.ndarray], dict[str, Any]] = as_arrays


def noisy_linear(n_rows: int, n_features: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal inputs, and a weighted sum of them with some noise, of about unit variance."""
    x = rng.normal(size=(n_rows, n_features)).astype(np.float32)
    weights = rng.normal(size=n_features)
    y = x @ (weights / np.linalg.norm(weights)) + rng.normal(0.0, 0.1, size=n_rows)
    return x, y.astype(np.float32)


def digits(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The digits of scikit-learn in random order, shape `(1797, 8, 8, 1)` in 0..1, and their labels."""
    images, labels = load_digits(return_X_y=True)
    order = rng.permutation(len(images))
    return (images[order] / images.max()).reshape(-1, 8, 8, 1).astype(np.float32), labels[order]


def fading_sums(n_rows: int, n_steps: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of shape `(n_rows, n_steps, 1)`, and their sums with a weight that fades into the past."""
    x = rng.normal(size=(n_rows, n_steps, 1)).astype(np.float32)
    weights = 0.8 ** np.arange(n_steps)[::-1]
    return x, (x[:, :, 0] @ (weights / np.linalg.norm(weights))).astype(np.float32)


def dense(n_features: int, units: Sequence[int], learning_rate: float = 0.001) -> keras.Model:
    """A compiled ReLU network for one real target."""
    hidden = [keras.layers.Dense(width, activation="relu") for width in units]
    model = keras.Sequential([keras.Input((n_features,)), *hidden, keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(learning_rate), loss="mse")
    return model


def convolutional() -> keras.Model:
    """A compiled convolutional classifier of `digits`."""
    layers = [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(10, activation="softmax"),
    ]
    model = keras.Sequential(layers)
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer=keras.optimizers.Adam(0.003), loss=loss, metrics=["accuracy"])
    return model


def recurrent(n_steps: int) -> keras.Model:
    """A compiled LSTM for `fading_sums`."""
    model = keras.Sequential([keras.Input((n_steps, 1)), keras.layers.LSTM(16), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(0.003), loss="mse")
    return model


HEALTHY_RUNS = (
    HealthyRun("dense, 100 rows", lambda rng: noisy_linear(100, 2, rng), lambda: dense(2, [10], 0.01), 100),
    HealthyRun("dense, 20,000 rows", lambda rng: noisy_linear(20_000, 20, rng), lambda: dense(20, [64, 64]), 6),
    HealthyRun("CNN", digits, convolutional, 20),
    HealthyRun("LSTM", lambda rng: fading_sums(1_000, 20, rng), lambda: recurrent(20), 22),
    HealthyRun("dense, tf.data", lambda rng: noisy_linear(4_000, 20, rng), lambda: dense(20, [64, 64]), 16, as_dataset),
    HealthyRun(
        "dense, PyDataset",
        lambda rng: noisy_linear(4_000, 20, rng),
        lambda: dense(20, [64, 64]),
        8,
        lambda x, y: {"x": Batches(x, y)},
    ),
)


@dataclasses.dataclass(frozen=True)
class Trained:
    """What one training left.

    Args:
        weights: All weights of the model, in its order.
        logs: `History.history`.
        seconds: Wall time of the whole call.
        verdict: Of the report; empty without one.
        watch_s: Time inside the watch, by the report's own account; NaN without one.
    """

    weights: list[np.ndarray]
    logs: dict[str, list[float]]
    seconds: float
    verdict: str
    watch_s: float


@dataclasses.dataclass(frozen=True)
class Pair:
    """Both arms of a healthy run from one seed.

    Args:
        run: Name of the healthy run.
        seed: Of the data and the initial weights.
        plain_s: Wall time of `model.fit`.
        watched_s: Wall time of `autofix.fit`.
        same_weights: Whether all final weights agree bit by bit.
        same_logs: Whether both histories agree exactly.
        verdict: Of `autofix.fit`.
        watch_s: Time inside the watch, by the report's own account.
        first_loss: Training loss of the first epoch.
        last_loss: Training loss of the last epoch.
    """

    run: str
    seed: int
    plain_s: float
    watched_s: float
    same_weights: bool
    same_logs: bool
    verdict: str
    watch_s: float
    first_loss: float
    last_loss: float

    @property
    def ratio(self) -> float:
        """Wall time of `autofix.fit` over that of `model.fit`."""
        return self.watched_s / self.plain_s


def train(healthy: HealthyRun, seed: int, fit: Callable[..., Any]) -> Trained:
    """Trains a healthy run from a seed with `fit(model, **fit_arguments)`."""
    x, y = healthy.make_data(np.random.default_rng(seed))
    keras.utils.set_random_seed(seed)
    model = healthy.build()
    arguments = healthy.feed(x, y)
    history, seconds = summary.timed(lambda: fit(model, epochs=healthy.epochs, verbose=0, **arguments))
    report = getattr(history, "report", None)
    verdict, parts = (report.verdict, report.seconds) if report else ("", {})
    watch_s = parts.get("looks", math.nan)
    return Trained(model.get_weights(), history.history, seconds, verdict, watch_s)


def run_pair(healthy: HealthyRun, seed: int, watched_fit: Callable[..., Any]) -> Pair:
    """Trains both arms; even seeds begin with the plain one."""
    fits = {"plain": keras.Model.fit, "watched": watched_fit}
    arms = {arm: train(healthy, seed, fits[arm]) for arm in (ARMS if seed % 2 == 0 else ARMS[::-1])}
    plain, watched = arms["plain"], arms["watched"]
    pairs = zip(plain.weights, watched.weights, strict=False)
    return Pair(
        run=healthy.name,
        seed=seed,
        plain_s=plain.seconds,
        watched_s=watched.seconds,
        same_weights=len(plain.weights) == len(watched.weights)
        and all(one.tobytes() == other.tobytes() for one, other in pairs),
        same_logs=plain.logs == watched.logs,
        verdict=watched.verdict,
        watch_s=watched.watch_s,
        first_loss=plain.logs["loss"][0],
        last_loss=plain.logs["loss"][-1],
    )


def check(pairs: Sequence[Pair]) -> list[summary.Check]:
    """The requirements beside the measured figures, for each healthy run."""
    checks = []
    for name in dict.fromkeys(pair.run for pair in pairs):
        own = [pair for pair in pairs if pair.run == name]
        ratio = summary.quartiles(pair.ratio for pair in own)
        low, high = summary.median_interval(pair.ratio for pair in own)
        same = sum(pair.same_weights and pair.same_logs for pair in own)
        learned = sum(pair.last_loss < pair.first_loss / 2 for pair in own)
        measured = f"{ratio}, 95 % interval {low:.3f} to {high:.3f}"
        checks += [
            summary.Check(f"{name}: wall time", f"median at most {OVERHEAD}", measured, ratio.median <= OVERHEAD),
            summary.count_check(f"{name}: same weights, same history", same, len(own), least=len(own)),
            summary.count_check(f"{name}: loss halved, so healthy", learned, len(own), least=len(own)),
        ]
    return checks


def _show_runs(pairs: Sequence[Pair]) -> None:
    rows = []
    for name in dict.fromkeys(pair.run for pair in pairs):
        own = [pair for pair in pairs if pair.run == name]
        seconds = (summary.quartiles(getattr(pair, arm) for pair in own).median for arm in ("plain_s", "watched_s"))
        losses = (summary.quartiles(getattr(pair, loss) for pair in own).median for loss in ("first_loss", "last_loss"))
        share = summary.quartiles(pair.watch_s / pair.watched_s for pair in own).median
        figures = (*(f"{value:.2f}" for value in seconds), f"{100 * share:.2f}")
        verdicts = summary.counted(pair.verdict or "none" for pair in own)
        rows.append((name, *figures, *(f"{value:.3f}" for value in losses), verdicts))
    # The watch's own account is free of the noise of a busy machine, but leaves out what it does not know of.
    columns = ("run", "model.fit s", "autofix.fit s", "watch %", "first loss", "last loss", "verdicts")
    summary.print_table("Healthy runs, medians over pairs", columns, rows)


def main(pairs: int, control: bool, json: Path | None) -> int:
    """Runs the pairs and prints the requirements.

    Args:
        pairs: How many pairs of each healthy run; even, so that both orders are equally frequent.
        control: Whether to put `model.fit` into both arms, which shows how exact the measurement is.
        json: Where to write every pair; nowhere when None.

    Returns:
        The exit code: 1 when a floor is missed.
    """
    watched_fit = keras.Model.fit if control else autofix.fit
    measured: list[Pair] = []
    for healthy in HEALTHY_RUNS:
        # Not counted: the first pair pays for what TensorFlow loads once.
        run_pair(healthy, pairs, watched_fit)
        for seed in range(pairs):
            pair = run_pair(healthy, seed, watched_fit)
            measured.append(pair)
            summary.console.print(
                f"{pair.run} pair {seed}: {pair.plain_s:.2f} s, {pair.watched_s:.2f} s, "
                f"ratio {pair.ratio:.3f}, weights {'identical' if pair.same_weights else 'DIFFERENT'}, "
                f"{pair.verdict or 'no verdict'}",
                soft_wrap=True,
            )
    _show_runs(measured)
    checks = check(measured)
    summary.write_json(json, pairs=measured, checks=checks, control=control)
    return summary.print_checks(checks)

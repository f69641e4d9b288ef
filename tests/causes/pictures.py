"""Pictures of the causes, and what autofix says of them: `python -m tests.causes.pictures` plants and trains each."""

import dataclasses
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

import autofix
from autofix.benchmarks.faults.bases import BY_NAME
from autofix.benchmarks.faults.catalogue import Case
from autofix.benchmarks.faults.programs import Program
from tests.causes.document import EXAMPLES, IMAGES

FAULTS = {
    "output_mismatch": ("unreachable_targets", "regression"),
    "frozen_weights": ("frozen_weights", "regression"),
    "insufficient_capacity": ("linear_network", "regression"),
    "learning_rate_too_high": ("learning_rate_too_high", "regression"),
    "learning_rate_too_low": ("learning_rate_too_low", "regression"),
    "unshuffled_data": ("unshuffled_data", "regression"),
    "unscaled_inputs": ("unscaled_inputs", "regression"),
    "unscaled_targets": ("unscaled_targets", "regression"),
    "unencoded_categories": ("unencoded_categories", "codes"),
    "imbalanced_labels": ("imbalanced_labels", "binary"),
    "symmetric_initialization": ("zero_weights", "regression"),
    "dead_units": ("dead_units", "regression"),
    "saturated_units": ("saturated_units", "regression"),
    "vanishing_gradients": ("stacked_sigmoids", "regression"),
    "excessive_regularization": ("l2_penalty", "regression"),
    "batch_size_too_large": ("batch_size_too_large", "regression"),
    "batch_size_too_small": ("batch_size_too_small", "regression"),
    "exploding_gradients": ("exploding_network", "regression"),
    "nonfinite_training": ("exploding_network", "regression"),
    "insufficient_training": ("insufficient_training", "regression"),
}
"""For each cause a fault of the benchmark and the program it is planted into."""

RANKS = {"nonfinite_training": 5}
"""How far down the cause may stand, where others explain it."""

SEEDS = range(6)
"""Tried in order, until one shows the cause: not every fault ends every training."""

SHOWN_ROWS = 90

JITTER = 0.15
"""Classes are drawn this wide, so that their rows do not lie on each other."""

GREY, RED = "#8a8a8a", "#D55E00"


@dataclasses.dataclass(frozen=True)
class Run:
    """A training: its losses, what it predicts for the fresh rows, and what was found."""

    losses: list[float]
    predictions: np.ndarray
    targets: np.ndarray
    findings: tuple[Any, ...] = ()


def train(program: Program) -> Run:
    """Trains a program as it is, diagnosed where it is suspected."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = program.build()
        history = autofix.fit(model, **program.fit_arguments, strategies=[])
        outputs = model.predict(program.x_fresh[:SHOWN_ROWS], verbose=0)
    targets = np.asarray(program.y_fresh[:SHOWN_ROWS], float).reshape(-1)
    keras.backend.clear_session()
    return Run(history.history["loss"], outputs.reshape(-1), targets, history.report.findings)


def shuffled(program: Program) -> Program:
    """The program with targets that have nothing to do with its inputs."""
    rng = np.random.default_rng(program.seed)
    y, y_fresh = rng.permutation(program.y), rng.permutation(program.y_fresh)
    return program.changed("The targets were dealt out anew, so that they have nothing to do with the inputs.", y=y,
                           y_fresh=y_fresh)  # fmt: skip


def of_one_target(program: Program) -> Program:
    """The program with one target for every row."""
    y, y_fresh = np.full_like(program.y, program.y[0]), np.full_like(program.y_fresh, program.y[0])
    return program.changed("Every row has the target of the first.", y=y, y_fresh=y_fresh)


def of_one_input(program: Program) -> Program:
    """The program with the same inputs in every row."""
    x, x_fresh = (np.broadcast_to(program.x[:1], rows.shape).copy() for rows in (program.x, program.x_fresh))
    return program.changed("Every row has the inputs of the first.", x=x, x_fresh=x_fresh)


def of_few_rows(program: Program) -> Program:
    """The program with eight rows and a learning rate that is too high for them, which nothing can prove."""
    broken = Case(*FAULTS["learning_rate_too_high"], program.seed).broken()
    return broken.changed("Eight rows were left to train on.", x=broken.x[:8], y=broken.y[:8])


ALTERED = {
    "no_signal": shuffled,
    "constant_targets": of_one_target,
    "constant_features": of_one_input,
    "too_few_rows": of_few_rows,
}
"""Causes that lie in the rows alone, and how they are put there."""


def example(cause: str) -> tuple[Program, Run, Run] | None:
    """A broken program that shows the cause, its training, and that of the healthy one; None where none did."""
    for seed in SEEDS:
        if cause in ALTERED:
            healthy = BY_NAME["regression"].draw(seed)
            broken = ALTERED[cause](healthy)
        else:
            case = Case(*FAULTS[cause], seed)
            healthy, broken = case.healthy(), case.broken()
        run = train(broken)
        ranks = [finding.cause for finding in run.findings[: RANKS.get(cause, 2)]]
        if cause in ranks:
            return broken, run, train(healthy)
    return None


def placed(targets: np.ndarray) -> np.ndarray:
    """Where the targets are drawn: rows of a class beside each other."""
    is_class = set(targets) <= {0.0, 1.0}
    return targets + JITTER * np.sin(np.arange(len(targets))) if is_class else targets


def draw(broken: Run, healthy: Run, path: Path) -> None:
    """Predictions against targets, and losses by epoch."""
    style: dict[Any, Any] = {"svg.fonttype": "none", "text.color": GREY, "axes.labelcolor": GREY, "xtick.color": GREY,
             "ytick.color": GREY, "axes.edgecolor": GREY, "font.size": 9, "svg.hashsalt": "autofix"}  # fmt: skip
    with rc_context(style):
        figure = Figure(figsize=(6.4, 2.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        for run, colour in ((healthy, GREY), (broken, RED)):
            shown = np.isfinite(run.predictions)
            # In other units the healthy program would be a point.
            if 0.3 * np.ptp(broken.targets) <= np.ptp(run.targets) <= 3.0 * max(np.ptp(broken.targets), 1.0):
                left.plot(placed(run.targets)[shown], run.predictions[shown], "o", ms=2.6, mew=0, color=colour)
            right.plot(range(1, len(run.losses) + 1), run.losses, color=colour, linewidth=1.6)
        left.axline((0, 0), slope=1, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        left.set(xlabel="target", ylabel="prediction")
        if not np.isfinite(broken.predictions).any():
            left.text(0.5, 0.9, "predictions are NaN", transform=left.transAxes, ha="center", color=RED)
        losses = np.array([*broken.losses, *healthy.losses])
        right.set(xlabel="epoch", ylabel="loss", yscale="log" if np.nanmin(losses) > 0.0 else "linear")
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
            axes.patch.set_alpha(0.0)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})


def main(causes: list[str]) -> None:
    """Draws the pictures of some causes, of all by default, and notes what autofix said."""
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8")) if EXAMPLES.exists() else {}
    for cause in causes or [*FAULTS, *ALTERED]:
        found = example(cause)
        if found is None:
            print(f"{cause}: no seed shows it")
            continue
        program, broken, healthy = found
        finding = next(one for one in broken.findings if one.cause == cause)
        examples[cause] = {"planted": " ".join(program.planted), "seen": finding.evidence}
        draw(broken, healthy, IMAGES / f"{cause}.svg")
        print(f"{cause} ({finding.confidence:.0%}): {finding.evidence}")
    EXAMPLES.write_text(json.dumps(examples, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

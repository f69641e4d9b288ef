"""Faults in how the training is run: rates, steps, batches, what is trained and how strongly it is held back."""

import numpy as np

from autofix.benchmarks.faults.fault import Fault, fixes, log_uniform
from autofix.benchmarks.faults.programs import Program

DENSE = ("regression", "binary", "multiclass")
ALL = (*DENSE, "images", "tokens", "series", "codes")
SLOW = (*DENSE, "images", "tokens", "codes")
"""Programs that do not get far in a dozen steps."""


SINGLE_ROWS, SINGLE_EPOCHS, ORDINARY_BATCH = 1_100, 6, 32


def raise_rate(program: Program, rng: np.random.Generator) -> Program:
    """A learning rate of about 1 with Adam."""
    rate = log_uniform(rng, 0.5, 3.0)
    return program.changed(f"learning rate {rate:.3g}", learning_rate=rate)


def lower_rate(program: Program, rng: np.random.Generator) -> Program:
    """A learning rate with which the network hardly moves."""
    rate = log_uniform(rng, 1e-7, 1e-5)
    return program.changed(f"learning rate {rate:.3g}", learning_rate=rate)


def enlarge_batches(program: Program, rng: np.random.Generator) -> Program:
    """All rows in one step, for as many epochs as a training with ordinary batches can do with."""
    epochs = int(rng.integers(10, 16))
    batch_size = len(program.x)
    return program.changed(f"{epochs} epochs of one step", batch_size=batch_size, epochs=epochs)


def shrink_batches(program: Program, rng: np.random.Generator) -> Program:
    """A step for every row, at a rate that only the mean gradient of many rows can stand."""
    rate = float(rng.uniform(0.2, 0.25))
    x, y = program.base.make_data(SINGLE_ROWS, rng)
    return program.changed(
        f"batches of 1 row under SGD({rate:.3g})",
        x=x,
        y=y,
        batch_size=1,
        epochs=SINGLE_EPOCHS,
        optimizer="SGD",
        learning_rate=rate,
    )


def enlarge_by_hand(program: Program) -> Program:
    """Undoes `shrink_batches`, but for its optimizer and length."""
    return program.changed(f"batches of {ORDINARY_BATCH} rows", batch_size=ORDINARY_BATCH)


def shorten(program: Program, rng: np.random.Generator) -> Program:
    """A single pass over the rows in batches of an ordinary size."""
    batch_size = int(rng.integers(24, 33))
    return program.changed(f"1 epoch in batches of {batch_size} rows", epochs=1, batch_size=batch_size)


def freeze_all(program: Program, rng: np.random.Generator) -> Program:
    """Nothing can be trained."""
    return program.changed("every layer frozen", frozen="all")


def penalize(program: Program, rng: np.random.Generator) -> Program:
    """An L2 penalty that outweighs the loss of the data."""
    factor = log_uniform(rng, 3.0, 30.0)
    return program.changed(f"L2 penalty times {factor:.3g}", l2=factor)


def drop_out(program: Program, rng: np.random.Generator) -> Program:
    """Nearly every unit dropped in each step."""
    rate = float(rng.uniform(0.985, 0.995))
    return program.changed(f"dropout {rate:.3g}", dropout=rate)


def explode_by_targets(program: Program, rng: np.random.Generator) -> Program:
    """Plain gradient descent on targets in the hundreds: the first steps overshoot until nothing is finite."""
    scale, rate = log_uniform(rng, 100.0, 1e3), log_uniform(rng, 0.03, 0.1)
    return program.changed(
        f"SGD({rate:.3g}) on targets times {scale:.3g}",
        optimizer="SGD",
        learning_rate=rate,
        y=program.y * scale,
        y_fresh=program.y_fresh * scale,
    )


FAULTS = (
    Fault("learning_rate_too_high", ("learning_rate_too_high",), fixes("lower_learning_rate"), ALL, raise_rate),
    Fault("learning_rate_too_low", ("learning_rate_too_low",), fixes("lower_learning_rate"), ALL, lower_rate),
    Fault("batch_size_too_large", ("batch_size_too_large",), fixes("resize_batches"), SLOW, enlarge_batches),
    Fault(
        "batch_size_too_small",
        # What is too small for the rate is a rate too high for the batch.
        ("batch_size_too_small", "learning_rate_too_high"),
        fixes("resize_batches", "lower_learning_rate"),
        ("regression", "multiclass"),
        shrink_batches,
        undo=enlarge_by_hand,
    ),
    Fault(
        "insufficient_training",
        ("insufficient_training",),
        # Smaller batches make more steps of one pass over the rows: they undo it as well.
        fixes("train_longer", "resize_batches"),
        SLOW,
        shorten,
    ),
    Fault("frozen_weights", ("frozen_weights",), fixes("unfreeze"), ALL, freeze_all),
    Fault("l2_penalty", ("excessive_regularization",), fixes("relax_regularization"), ALL, penalize),
    Fault(
        "dropout", ("excessive_regularization",), fixes("relax_regularization"), (*DENSE, "images", "codes"), drop_out
    ),
    Fault(
        "exploding_steps",
        ("exploding_gradients", "nonfinite_training", "unscaled_targets", "learning_rate_too_high"),
        fixes("standardize_targets", "lower_learning_rate", "clip_gradients"),
        ("regression", "codes"),
        explode_by_targets,
    ),
)

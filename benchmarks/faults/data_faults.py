"""Faults in the rows: their scales, their order, their classes, their coding."""

import numpy as np

from autofix.benchmarks.faults.data import CODE_COLUMNS, N_CODES, decoded
from autofix.benchmarks.faults.fault import Fault, fixes, log_uniform
from autofix.benchmarks.faults.programs import Program

POSITIVE_SHARE = (0.02, 0.03)

RARE_ROWS, RARE_EPOCHS, RARE_BATCH = 2_000, 6, 64
"""Rows that hold enough positives to learn from, and a training that does not get to them: unweighted, it ends near
the prior; with weighted classes it has skill."""

SORTED_EPOCHS = 12

HIGHEST_FIRST_CODE = 3


def scale_inputs(program: Program, rng: np.random.Generator) -> Program:
    """Features in units of very different sizes, away from 0: most times 1,000 to 10,000, some left as they are."""
    n_features = program.x.shape[-1]
    scales = np.array([log_uniform(rng, 1e3, 1e4) for _ in range(n_features)])
    offsets = scales * rng.uniform(0.0, 3.0, size=n_features)
    if n_features > 2:
        left = rng.integers(n_features)
        scales[left], offsets[left] = 1.0, 0.0
    sizes = ", ".join(f"{scale:.3g}" for scale in scales)
    return program.changed(
        f"inputs times {sizes}, shifted by up to {offsets.max():.3g}",
        x=program.x * scales + offsets,
        x_fresh=program.x_fresh * scales + offsets,
    )


def scale_targets(program: Program, rng: np.random.Generator) -> Program:
    """Targets in a unit that makes them hundreds or thousands."""
    scale = log_uniform(rng, 1e2, 2e3)
    offset = scale * rng.uniform(1.0, 5.0) * rng.choice([-1.0, 1.0])
    return program.changed(
        f"targets times {scale:.3g}, shifted by {offset:.3g}",
        y=program.y * scale + offset,
        y_fresh=program.y_fresh * scale + offset,
    )


def sort_rows(program: Program, rng: np.random.Generator) -> Program:
    """Rows in the order of their targets and no shuffling, at a rate that lets each stretch of rows undo the last.

    Shuffled, the same program learns: the rate alone is no fault.
    """
    order = np.argsort(program.y, kind="stable")
    order = order[::-1] if rng.random() < 0.5 else order
    if rng.random() < 0.5:
        optimizer, rate, batch_size = "Adam", log_uniform(rng, 0.015, 0.025), 8
    else:
        optimizer, rate, batch_size = "SGD", log_uniform(rng, 0.07, 0.12), 2
    return program.changed(
        f"rows sorted by target, shuffle=False, {optimizer}({rate:.3g}), batches of {batch_size}",
        x=program.x[order],
        y=program.y[order],
        shuffle=False,
        batch_size=batch_size,
        epochs=SORTED_EPOCHS,
        optimizer=optimizer,
        learning_rate=rate,
    )


def shuffle(program: Program) -> Program:
    """Undoes `sort_rows`, but for its optimizer and batches."""
    return program.changed("shuffled", shuffle=True)


def make_rare(program: Program, rng: np.random.Generator) -> Program:
    """Few positives among the training rows, and a short training; the fresh rows stay balanced."""
    n_positive = round(rng.uniform(*POSITIVE_SHARE) * RARE_ROWS)
    x, y = program.base.make_data(3 * RARE_ROWS, rng)
    kept = np.concatenate([np.flatnonzero(y == 1)[:n_positive], np.flatnonzero(y == 0)[: RARE_ROWS - n_positive]])
    order = rng.permutation(kept)
    return program.changed(
        f"{n_positive} positives among {RARE_ROWS} rows, {RARE_EPOCHS} epochs",
        x=x[order],
        y=y[order],
        epochs=RARE_EPOCHS,
        batch_size=RARE_BATCH,
    )


def weigh_classes(program: Program) -> Program:
    """Undoes `make_rare` by weights that make both classes count the same."""
    shares = np.bincount(program.y, minlength=2) / len(program.y)
    weights = {label: float(0.5 / share) for label, share in enumerate(shares)}
    return program.changed("classes weighted", class_weight=weights)


def decode(program: Program, rng: np.random.Generator) -> Program:
    """Categories as whole numbers without order."""
    first = int(rng.integers(HIGHEST_FIRST_CODE + 1))
    numbers = np.stack([first + rng.permutation(N_CODES) for _ in range(CODE_COLUMNS)])
    return program.changed(
        f"categories as codes {first} to {first + N_CODES - 1}",
        x=decoded(program.x, numbers),
        x_fresh=decoded(program.x_fresh, numbers),
    )


FAULTS = (
    Fault(
        "unscaled_inputs",
        ("unscaled_inputs",),
        fixes("standardize_inputs"),
        ("regression", "binary", "multiclass", "images"),
        scale_inputs,
    ),
    Fault(
        "unscaled_targets",
        ("unscaled_targets",),
        fixes("standardize_targets"),
        ("regression", "series", "codes"),
        scale_targets,
    ),
    Fault(
        "unshuffled_data",
        ("unshuffled_data",),
        fixes("reshuffle"),
        ("regression", "binary", "multiclass", "images", "tokens"),
        sort_rows,
        undo=shuffle,
    ),
    Fault(
        "imbalanced_labels",
        ("imbalanced_labels",),
        fixes("balance_classes"),
        ("binary", "tokens"),
        make_rare,
        undo=weigh_classes,
    ),
    Fault("unencoded_categories", ("unencoded_categories",), fixes("encode_categories"), ("codes",), decode),
)

"""Faults in the rows: their scales, their order, their classes, their coding."""

import numpy as np

from autofix.benchmarks.faults.data import CODE_COLUMNS, N_CODES, decoded
from autofix.benchmarks.faults.fault import Fault, fixes, log_uniform
from autofix.benchmarks.faults.programs import Program

POSITIVE_SHARE = (0.02, 0.03)

RARE_ROWS, RARE_EPOCHS, RARE_BATCH = 2_000, 6, 64
"""Rows that hold enough positives to learn from, and a training that does not get to them: it ends near the prior."""

RARE_FRESH_ROWS = 4_000
"""Fresh rows with about a hundred positives, in the share of the training rows: skill is that of the user's loss."""

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
    """Few positives, among the training rows and the fresh ones, and a training too short to get to them."""
    share = rng.uniform(*POSITIVE_SHARE)
    x, y = _rare_rows(program, rng, RARE_ROWS, share)
    x_fresh, y_fresh = _rare_rows(program, rng, RARE_FRESH_ROWS, share)
    return program.changed(
        f"{share:.1%} positives among {RARE_ROWS} rows, {RARE_EPOCHS} epochs",
        x=x,
        y=y,
        x_fresh=x_fresh,
        y_fresh=y_fresh,
        epochs=RARE_EPOCHS,
        batch_size=RARE_BATCH,
    )


def _rare_rows(program: Program, rng: np.random.Generator, n_rows: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    n_positive = round(share * n_rows)
    x, y = program.base.make_data(3 * n_rows, rng)
    kept = np.concatenate([np.flatnonzero(y == 1)[:n_positive], np.flatnonzero(y == 0)[: n_rows - n_positive]])
    order = rng.permutation(kept)
    return x[order], y[order]


def see_longer(program: Program) -> Program:
    """Undoes `make_rare` by epochs enough to see as many positives as a balanced training would."""
    return program.changed("ten times the epochs", epochs=10 * program.epochs)


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
        ("imbalanced_labels", "insufficient_training"),
        fixes("balance_classes", "train_longer", "lower_learning_rate"),
        ("binary", "tokens"),
        make_rare,
        undo=see_longer,
    ),
    Fault("unencoded_categories", ("unencoded_categories",), fixes("encode_categories"), ("codes",), decode),
)

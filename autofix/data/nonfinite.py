"""Rows that hold NaN or infinite values, left out of what `fit` was given where the user allows it."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from autofix.data.rows import Table, is_array_tree
from autofix.errors import ArgumentError, DataError

SHOWN_ROWS = 5
"""Row numbers that a note names."""


def without_nonfinite_rows(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The arguments of `fit` without the rows that hold a value that is not finite, and what was left out, in words.

    A row goes with all it has: inputs, targets and weights. The arrays that were passed are not changed.

    Args:
        arguments: All arguments of `fit`, by name.

    Returns:
        The arguments, and a sentence for the training data and one for the validation data if any row went.

    Raises:
        ArgumentError: The data does not come as arrays.
        DataError: No row is left.
    """
    changed, notes = dict(arguments), []
    data = tuple(arguments[name] for name in ("x", "y", "sample_weight"))
    (changed["x"], changed["y"], changed["sample_weight"]), note = _finite(data, "")
    notes += note
    if arguments["validation_data"] is not None:
        given = keras.utils.unpack_x_y_sample_weight(arguments["validation_data"])
        kept, note = _finite(given, "validation ")
        changed["validation_data"] = kept if given[2] is not None else kept[:2]
        notes += note
    return changed, notes


def _finite(data: tuple[Any, ...], prefix: str) -> tuple[tuple[Any, ...], list[str]]:
    if not is_array_tree(*data):
        raise ArgumentError(
            f"Rows can be left out of arrays only. Expected {prefix}x and y of arrays, tensors or DataFrames with "
            f"on_nonfinite='drop'. Received: {prefix}x={type(data[0]).__name__}. Filter the rows in your pipeline."
        )
    x, y, weights = data
    table = Table(x, y, weights, prefix)
    is_finite = np.ones(table.n_rows, dtype=bool)
    for column in table.columns:
        if column.dtype.kind in "fc":
            for start, values in column.chunks():
                rows = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
                is_finite[start : start + len(values)] &= rows
    if is_finite.all():
        return data, []
    if not is_finite.any():
        raise DataError(
            f"No row is left. Expected some rows of {prefix}x and y with finite numbers only. Received: NaN or "
            f"infinite values in each of {table.n_rows} rows. Fill them in, or leave out the column that holds them."
        )
    dropped, kept = np.flatnonzero(~is_finite), np.flatnonzero(is_finite)
    named = ", ".join(map(str, dropped[:SHOWN_ROWS])) + (", ..." if len(dropped) > SHOWN_ROWS else "")
    note = (
        f"Left out {len(dropped)} of {table.n_rows} {prefix}rows that hold values that are not finite: row {named}. "
        "The model predicts nothing sensible for such rows."
    )
    return tuple(keras.tree.map_structure(lambda leaf: _take(leaf, kept), tree) for tree in data), [note]


def _take(leaf: Any, rows: np.ndarray) -> Any:
    if leaf is None:
        return None
    if hasattr(leaf, "iloc"):
        return leaf.iloc[rows]
    if hasattr(leaf, "tocsr"):
        return leaf.tocsr()[rows]
    return tf.gather(leaf, rows) if tf.is_tensor(leaf) else np.asarray(leaf)[rows]

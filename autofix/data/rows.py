"""Rows of what `fit` takes as arrays: NumPy, tensors, pandas, SciPy's sparse matrices, and trees of them.

A `Table` reads rows on demand and copies nothing else, so memory-mapped files stay on disk. Nothing is ever written
to what the user passed.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from autofix.data.leaves import Leaves, as_dense, for_each_target, is_trainable, named_leaves
from autofix.errors import DataError

MAX_SAMPLE_BYTES = 2**28
"""Size of a sample (256 MB): as much as a probe may keep as tensors beside the user's own data."""

MAX_CHECKED_BYTES = 2**30
"""Arrays up to this size (1 GB, about a second) are checked value by value before training; of larger ones only the
sample is: reading a memory-mapped file from end to end can take longer than the training."""

CHUNK_BYTES = 2**24
"""Values are checked in pieces of this size (16 MB)."""


@dataclasses.dataclass(frozen=True)
class Column:
    """One array-like leaf of a tree.

    Args:
        name: For messages, such as `"x['age']"`.
        shape: Of the dense array, `(n_rows, ...)`.
        dtype: Of the array that `read` gives.
        read: Gives some rows, by a slice or an array of row numbers, as a dense array.
        labels: Names of the columns of a DataFrame, or None.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[Any], np.ndarray]
    labels: Sequence[Any] | None = None

    @property
    def row_bytes(self) -> int:
        """Bytes of a dense row."""
        return max(1, math.prod(self.shape[1:]) * self.dtype.itemsize)

    def chunks(self) -> Iterator[tuple[int, np.ndarray]]:
        """All rows, piece by piece, each with the number of its first row."""
        size = max(1, CHUNK_BYTES // self.row_bytes)
        for start in range(0, self.shape[0], size):
            yield start, self.read(slice(start, min(start + size, self.shape[0])))


def column_of(name: str, leaf: Any) -> Column:
    """A leaf as Keras' own data adapter takes it: a Series is a column, a sparse matrix its dense rows."""
    if hasattr(leaf, "iloc"):
        return _pandas_column(name, leaf)
    if hasattr(leaf, "tocsr"):
        matrix = leaf.tocsr()
        return Column(name, matrix.shape, matrix.dtype, lambda rows: matrix[rows].toarray())
    if _is_sparse_tensor(leaf):
        return _keras_column(name, leaf)
    array = np.asarray(leaf)
    return Column(name, array.shape, array.dtype, lambda rows: array[rows])


def _pandas_column(name: str, leaf: Any) -> Column:
    labels = getattr(leaf, "columns", None)
    is_frame = labels is not None
    dtypes = leaf.dtypes if is_frame else [leaf.dtype]
    # pandas makes objects of truth values beside numbers; Keras casts such a frame first.
    cast = np.float64 if is_frame and len(dtypes) > 1 and all(_is_number(dtype) for dtype in dtypes) else None

    def read(rows: Any) -> np.ndarray:
        values: np.ndarray = leaf.iloc[rows].to_numpy()
        if cast is not None and values.dtype.kind == "O":
            values = values.astype(cast)
        return values if is_frame else values[:, None]

    shape = leaf.shape if is_frame else (*leaf.shape, 1)
    return Column(name, shape, read(slice(0, 1)).dtype, read, labels)


def _is_number(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "fiub"


def _is_sparse_tensor(leaf: Any) -> bool:
    return type(leaf).__name__ in ("SparseTensor", "RaggedTensor")


def _keras_column(name: str, leaf: Any) -> Column:
    """A tensor that NumPy cannot index."""
    from keras.src.trainers.data_adapters import array_slicing  # there is no public way to take rows of one

    sliceable = array_slicing.convert_to_sliceable(leaf, target_backend="numpy")

    def read(rows: Any) -> np.ndarray:
        if isinstance(rows, slice):
            rows = np.arange(rows.start, rows.stop)
        return as_dense(sliceable[rows])

    shape = (int(leaf.shape[0]), *read(np.arange(1)).shape[1:])
    return Column(name, shape, np.dtype(leaf.dtype.as_numpy_dtype), read)


class Table:
    """What was passed to `fit` as arrays: rows are read on demand.

    Args:
        x: Tree of array-likes.
        y: Tree of array-likes, or None.
        sample_weight: One array-like for all targets, a tree like `y`, or None.
        prefix: Of the names in messages, such as `"validation "`.

    Raises:
        DataError: There are no rows, or lengths differ.
    """

    def __init__(self, x: Any, y: Any, sample_weight: Any = None, prefix: str = "") -> None:
        import keras

        self.inputs = _columns(x, f"{prefix}x")
        self.targets = _columns(y, f"{prefix}y")
        self.weights = for_each_target(_columns(sample_weight, f"{prefix}sample_weight"), self.targets)
        self._x_structure = keras.tree.map_structure(lambda _: 0, x)
        self._y_structure = keras.tree.map_structure(lambda _: 0, y)
        self.n_rows = self._count()

    @property
    def columns(self) -> list[Column]:
        """Inputs, targets and weights."""
        return [*self.inputs, *self.targets, *self.weights]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of everything."""
        return sum(column.row_bytes for column in self.columns)

    def _count(self) -> int:
        lengths = {column.name: (column.shape[0] if column.shape else 0) for column in self.columns}
        if not self.inputs or min(lengths.values()) == 0:
            shapes = ", ".join(f"{column.name}.shape={column.shape}" for column in self.columns) or "x=None"
            raise DataError(f"There are no rows to train on. Expected at least 1 row. Received: {shapes}. Pass data.")
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{name} with {length} rows" for name, length in lengths.items())
            raise DataError(
                f"Arrays differ in length. Expected the same number of rows in each. Received: {counts}. "
                "Pass one target for each row of x."
            )
        return next(iter(lengths.values()))

    def take(self, rows: np.ndarray) -> Leaves:
        """Some rows, copied."""
        return Leaves(
            [column.read(rows) for column in self.inputs],
            [column.read(rows) for column in self.targets],
            [column.read(rows) for column in self.weights] or None,
            x_structure=self._x_structure,
            y_structure=self._y_structure,
            names=[column.name for column in self.columns],
        )

    def sample(self, most: int, seed: int, start: int = 0, stop: int | None = None) -> Leaves:
        """A random sample of at most `most` rows and `MAX_SAMPLE_BYTES`, in the user's order.

        Args:
            most: Rows.
            seed: Of the sample.
            start: First row to choose from.
            stop: Row to stop before; None for the end.
        """
        n_rows = (self.n_rows if stop is None else stop) - start
        affordable = max(1, min(most, MAX_SAMPLE_BYTES // self.row_bytes))
        return self.take(start + sampled(n_rows, affordable, seed))

    def check(self, takes_text: bool = False) -> None:
        """Refuses what Keras would train on silently, or fail on late.

        Args:
            takes_text: Whether the model has inputs of text.

        Raises:
            DataError: A column does not hold numbers, or holds NaN or infinite ones.
        """
        for index, column in enumerate(self.columns):
            if not is_trainable(column.dtype, index < len(self.inputs), takes_text):
                raise DataError(
                    f"{column.name} does not hold numbers. Expected a numeric array. Received: {column.name}.dtype="
                    f"{column.dtype}{_first_text(column)}. Convert or encode that column before training."
                )
            if column.dtype.kind in "fc" and column.shape[0] * column.row_bytes <= MAX_CHECKED_BYTES:
                _check_finite(column)


def _columns(tree: Any, name: str) -> list[Column]:
    return [column_of(full_name, leaf) for full_name, leaf in named_leaves(tree, name)]


def _check_finite(column: Column) -> None:
    for start, values in column.chunks():
        # One pass without a temporary of the same size: a sum is finite only if all its terms are.
        if np.isfinite(np.sum(values, dtype=np.float64 if values.dtype.kind == "f" else None)):
            continue
        bad = ~np.isfinite(values)
        if bad.any():
            n_bad = sum(int((~np.isfinite(chunk)).sum()) for _, chunk in column.chunks())
            first = tuple(int(index) for index in np.argwhere(bad)[0])
            raise DataError(
                f"{column.name} holds values that are not finite. Expected numbers only. Received: {n_bad} NaN or "
                f"infinite values in {column.name}, the first at row {start + first[0]}{_place(column, first)}: "
                f"{values[first]!r}. Fill them in, or pass on_nonfinite='drop' to autofix.fit."
            )


def _place(column: Column, position: tuple[int, ...]) -> str:
    if len(position) < 2:
        return ""
    labels = column.labels
    return f", column {position[1] if labels is None else repr(labels[position[1]])}"


def _first_text(column: Column) -> str:
    """Where the first value that is not a number stands, if there is one."""
    for start, values in column.chunks():
        for position, value in np.ndenumerate(values):
            if isinstance(value, str | bytes) or not np.isscalar(value):
                return f", first at row {start + position[0]}{_place(column, position)}: {value!r}"
    return ""


def by_position(tree: Any, names: Sequence[str] | None, structure: Any) -> Any:
    """Data given by name as a list in the order of the model's inputs or outputs, where these are a list.

    A tree of names flattens in alphabetical order, a list in its own: layers and statistics would be mixed up.

    Args:
        tree: Of arrays.
        names: The model's names of its inputs or outputs; None when it has none.
        structure: How the model itself holds them.
    """
    is_named = isinstance(tree, Mapping) and not isinstance(structure, Mapping)
    return [tree[name] for name in names] if is_named and names and set(names) <= set(tree) else tree


def is_array_tree(*trees: Any) -> bool:
    """Whether Keras takes every leaf as an array: NumPy, tensors, pandas, SciPy's sparse matrices."""
    from keras.src.trainers.data_adapters.array_data_adapter import can_convert_arrays  # decides it for `fit`

    return bool(can_convert_arrays(trees))


def sampled(n_rows: int, most: int, seed: int) -> np.ndarray:
    """Row numbers of a random sample, in the user's order."""
    if n_rows <= most:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, most, replace=False))

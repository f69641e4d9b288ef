"""The rows of a job as arrays: read, selected, encoded and split."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from autofix.errors import DataError
from autofix.jobs.code import call
from autofix.jobs.problems import did_you_mean
from autofix.jobs.schema import HeldOut, Job, Source
from autofix.jobs.tables import is_table, label_text, read_table, unreadable

CROSSENTROPY = "crossentropy"
"""In the name of a loss: its targets are classes."""

Rows = tuple[Any, Any]
"""Inputs and targets: an array each, or dictionaries and lists of arrays."""


@dataclasses.dataclass(frozen=True)
class JobData:
    """The rows of a job.

    Args:
        x: Inputs of the training rows; of a table `(n_rows, n_features)`.
        y: Their targets: `(n_rows,)`, `(n_rows, n_targets)`, or as a function returned them. Classes are 0, 1, ….
        validation: Rows to validate on, None without.
        test: Rows to evaluate on at the end, None without.
        feature_names: Of a table, one for each column of `x`; else empty.
        target_names: Of a table; else empty.
        class_names: The label of class 0, of class 1, …; empty where targets are no encoded classes.
        notes: Sentences on what was done to the rows.
    """

    x: Any
    y: Any
    validation: Rows | None = None
    test: Rows | None = None
    feature_names: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """What is to be known of the rows to use the trained model, as JSON values: names of inputs and of classes."""
        held = {"validation": self.validation, "test": self.test}
        return {
            "n_rows": {"train": n_rows(self.x), **{name: n_rows(one[0]) for name, one in held.items() if one}},
            "feature_names": list(self.feature_names),
            "target_names": list(self.target_names),
            "class_names": list(self.class_names),
            "notes": list(self.notes),
        }

    @property
    def n_features(self) -> int | None:
        """Columns of `x`; None where its rows are no vectors."""
        return int(self.x.shape[1]) if isinstance(self.x, np.ndarray) and self.x.ndim == 2 else None

    @property
    def n_outputs(self) -> int | None:
        """Classes, or columns of `y`; None where it is no array."""
        if self.class_names:
            return len(self.class_names)
        if not isinstance(self.y, np.ndarray):
            return None
        return 1 if self.y.ndim == 1 else int(self.y.shape[-1])


@dataclasses.dataclass
class _Read:
    """Rows of one source, before classes are encoded."""

    x: Any
    y: Any
    feature_names: tuple[str, ...] = ()
    dropped: int = 0


def load(job: Job, allow_code: bool = False) -> JobData:
    """Reads the rows of a job.

    Args:
        job: Resolved.
        allow_code: Whether functions that the job names may run.

    Returns:
        The rows, split as the job says; the same rows for the same seed.

    Raises:
        DataError: A file cannot be read, or holds what cannot be trained on.
        CodeError: A function may not run, or failed.
    """
    data = job.data
    train = _read(job, data.train, allow_code)
    held = {
        name: _read(job, source, allow_code, train.feature_names)
        for name, source in (("validation", data.validation), ("test", data.test))
        if source is not None and source.split is None
    }
    class_names: tuple[str, ...] = ()
    if _are_classes(job, train.y):
        class_names = tuple(label_text(one) for one in np.unique(train.y))
        for name, one in {"train": train, **held}.items():
            one.y = _codes(one.y, class_names, name)
    for name, one in held.items():
        _check_alike(train, one, name)
    parts: dict[str, Rows | None] = {name: (one.x, one.y) for name, one in held.items()}
    parts["train"] = (train.x, train.y)
    _split(job, parts, bool(class_names))
    x, y = parts["train"] or (None, None)
    notes = [
        f"Left out {one.dropped} rows of {name} with missing values."
        for name, one in {"train": train, **held}.items()
        if one.dropped
    ]
    return JobData(
        x,
        y,
        parts.get("validation"),
        parts.get("test"),
        train.feature_names,
        data.target if train.feature_names else (),
        class_names,
        tuple(notes),
    )


def _read(job: Job, source: Source, allow_code: bool, features: tuple[str, ...] = ()) -> _Read:
    folder = Path(job.folder)
    if source.function is not None:
        return _from_function(call(source.function, folder, source.arguments, allow_code, {"seed": job.seed}), source)
    if is_table(source.file):
        assert source.file is not None
        drop = job.autofix.on_nonfinite == "drop"
        names = list(dict.fromkeys(_column_of(name, job) for name in features)) or None
        columns = read_table(folder / source.file, source.delimiter, job.data, names, drop)
        y = columns.y[0] if len(columns.y) == 1 else _stacked(columns.y, job)
        return _Read(columns.x, y, columns.feature_names, columns.dropped)
    if source.file is not None:
        arrays = _npz(folder / source.file, (source.x or "x", source.y or "y"))
    else:
        assert source.x is not None
        assert source.y is not None
        arrays = [_npy(folder / name) for name in (source.x, source.y)]
    return _checked(arrays[0], arrays[1], source.file or f"{source.x} and {source.y}")


def _column_of(feature: str, job: Job) -> str:
    """The column behind a feature: `plan` for `plan=basic`."""
    for name, labels in job.data.categories.items():
        if feature in {f"{name}={label_text(label)}" for label in labels}:
            return name
    return feature


def _stacked(columns: tuple[np.ndarray, ...], job: Job) -> np.ndarray:
    for name, column in zip(job.data.target, columns, strict=True):
        if column.dtype.kind not in "iuf":
            raise DataError(
                f"One of several targets is no number. Expected numbers in column {name!r}. Received: {column.dtype}. "
                "Classes of text need a job for each target column."
            )
    return np.stack([column.astype(np.float64) for column in columns], axis=1)


def _from_function(returned: Any, source: Source) -> _Read:
    if isinstance(returned, dict) and {"x", "y"} <= returned.keys():
        returned = (returned["x"], returned["y"])
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        raise DataError(
            f"A function returned no rows. Expected a pair (x, y), or a dictionary with both. "
            f"Received: {type(returned).__name__} from {source.function}. Return both."
        )
    return _checked(_tree(returned[0]), _tree(returned[1]), str(source.function))


def _tree(value: Any) -> Any:
    """Arrays, or a dictionary or list of them; nested numbers become one array."""
    is_tree = isinstance(value, dict) or (
        isinstance(value, (list, tuple)) and all(hasattr(one, "shape") and one.shape for one in value)
    )
    return _map(np.asarray, value) if is_tree else np.asarray(value)


def _npz(path: Path, names: tuple[str, str]) -> list[np.ndarray]:
    try:
        # Opened here, because numpy leaves the file of a broken archive open.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if not hasattr(file, "files"):
                raise DataError(f"This is no NPZ file. Expected arrays by name. Received: {path}. Save with np.savez.")
            for name in names:
                if name not in file.files:
                    raise DataError(
                        f"There is no array {name!r}. Expected it in {path}. Received: {', '.join(file.files)}. "
                        f"Name the arrays: {{file: {path.name}, x: …, y: …}}."
                    )
            return [file[name] for name in names]
    except DataError:
        raise
    except Exception as error:  # numpy, zipfile and zlib raise a dozen kinds for broken files
        raise _no_array(path, error) from error


def _npy(path: Path) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except Exception as error:
        raise _no_array(path, error) from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"This is no .npy file. Expected one array. Received: {path}. Save with np.save.")
    return array


def _no_array(path: Path, error: Exception) -> DataError:
    if "allow_pickle" in str(error):
        return DataError(
            f"A file holds no plain arrays. Expected arrays of numbers or texts; Python objects are not read, because "
            f"they may run code. Received: {path}. Save it with np.savez or np.save."
        )
    return unreadable(path, error)


def _checked(x: Any, y: Any, where: str) -> _Read:
    """The rows, if inputs and targets are as many."""
    lengths = {len(leaf) if leaf.ndim else 0 for leaf in [*_leaves(x), *_leaves(y)]}
    if len(lengths) != 1 or 0 in lengths:
        raise DataError(
            f"Inputs and targets do not go together. Expected as many rows of each, at least one. "
            f"Received: {sorted(lengths)} rows in {where}. Correct the data."
        )
    if isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] == 1 and y.dtype.kind in "USb":
        y = y[:, 0]
    return _Read(x, y)


def _check_alike(train: _Read, held: _Read, name: str) -> None:
    """Raises where held-out rows are of another shape than training rows."""
    for word, ours, theirs in (("x", train.x, held.x), ("y", train.y, held.y)):
        shapes = [[leaf.shape[1:] for leaf in _leaves(tree)] for tree in (ours, theirs)]
        if shapes[0] != shapes[1]:
            raise DataError(
                f"Held-out rows are of another shape. Expected {word} of shape {shapes[0]} a row, as in `train`. "
                f"Received: {shapes[1]} in `{name}`. Correct the file."
            )


def _are_classes(job: Job, y: Any) -> bool:
    """Whether targets are to be encoded as classes."""
    if not isinstance(y, np.ndarray):
        return False
    is_text = y.dtype.kind not in "iufb"
    if is_text and (y.dtype.kind not in "US" or y.ndim != 1 or job.data.task == "regression"):
        raise DataError(
            f"Targets are no numbers. Expected numbers, or one column of texts for classes. Received: dtype={y.dtype}, "
            f"shape={y.shape}, data.task={job.data.task}. Convert them."
        )
    if job.data.task == "regression" or y.ndim != 1:
        return False
    if job.data.task == "classification" or is_text or y.dtype.kind == "b":
        return True
    loss = job.compile.loss if job.compile else None
    name = loss.get("name", loss.get("class_name", "")) if isinstance(loss, dict) else loss
    is_crossentropy = isinstance(name, str) and CROSSENTROPY in name.lower().replace("_", "")
    return is_crossentropy and bool(np.isfinite(y).all() and (np.mod(y, 1) == 0).all())


def _codes(y: Any, class_names: tuple[str, ...], name: str) -> np.ndarray:
    """Labels as positions in `class_names`, `(n_rows,)`."""
    labels = np.asarray(y)
    if labels.ndim != 1:
        raise DataError(f"Classes of `{name}` are no column. Expected one label a row. Received: shape={labels.shape}.")
    known, inverse = np.unique(labels, return_inverse=True)
    position = {label: index for index, label in enumerate(class_names)}
    texts = [label_text(one) for one in known]
    if new := [text for text in texts if text not in position]:
        raise DataError(
            f"A class of `{name}` is new. Expected classes of the training rows: {', '.join(class_names[:20])}. "
            f"Received: {new[0]!r}. {did_you_mean(new[0], class_names[:20])}"
        )
    return np.array([position[text] for text in texts], dtype=np.int64)[inverse]


def _split(job: Job, parts: dict[str, Rows | None], by_class: bool) -> None:
    """Takes the shares of `validation` and `test` out of `parts["train"]`."""
    x, y = parts["train"] or (None, None)
    rest = np.arange(n_rows(x))
    random = np.random.default_rng(job.seed)
    taken = 0.0
    for name, source in (("test", job.data.test), ("validation", job.data.validation)):
        if not isinstance(source, HeldOut) or source.split is None:
            continue
        labels = np.asarray(y)[rest] if by_class else None
        picked = drawn(len(rest), source.split / (1.0 - taken), labels, random)
        taken += source.split
        if not picked.any() or picked.all():
            raise DataError(
                f"There are too few rows to split. Expected at least one row for `train` and for `{name}`. "
                f"Received: {len(rest)} rows, {name}.split={source.split}. Give more rows or another share."
            )
        parts[name] = (_take(x, rest[picked]), _take(y, rest[picked]))
        rest = rest[~picked]
    parts["train"] = (_take(x, rest), _take(y, rest))


def drawn(n_rows: int, share: float, labels: np.ndarray | None, random: np.random.Generator) -> np.ndarray:
    """Which rows are drawn, `(n_rows,)`, bool: `share` of all, and of each class alike, to within a row.

    Args:
        n_rows: To draw from.
        share: Above 0, at most 1.
        labels: Class of each row, `(n_rows,)`; None to draw without regard to it.
        random: Draws.

    Example:

    >>> labels = np.array([0] * 80 + [1] * 20)
    >>> picked = drawn(100, 0.1, labels, np.random.default_rng(0))
    >>> int(picked[:80].sum()), int(picked[80:].sum())
    (8, 2)
    """
    order = random.permutation(n_rows)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    # Every 1/share-th row of an order in which classes stand together.
    passed = np.floor(np.arange(n_rows + 1) * share + 0.5)
    picked = np.zeros(n_rows, dtype=bool)
    picked[order[np.diff(passed) > 0]] = True
    return picked


def _map(function: Callable[[Any], Any], tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _map(function, one) for key, one in tree.items()}
    return [_map(function, one) for one in tree] if isinstance(tree, (list, tuple)) else function(tree)


def n_rows(tree: Any) -> int:
    """Rows of an array, or of each array of a tree."""
    return len(_leaves(tree)[0])


def _leaves(tree: Any) -> list[Any]:
    found: list[Any] = []
    _map(found.append, tree)
    return found


def _take(tree: Any, rows: np.ndarray) -> Any:
    return _map(lambda leaf: leaf[rows], tree)

"""Tables, CSV and Parquet: their columns, and columns as arrays."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from autofix.errors import DataError
from autofix.jobs.problems import did_you_mean, shown
from autofix.jobs.schema import Data

SUFFIXES = {".csv": ",", ".tsv": "\t", ".parquet": "", ".pq": ""}
"""Files that are tables, with what stands between their columns; nothing for Parquet, which needs no such thing."""

MOST_BLOCK_BYTES = 2**31 - 1
"""pyarrow's limit. It infers the types of columns from the first block, so that the whole file is to be one."""


def is_table(file: str | None) -> bool:
    """Whether a file is a table, by its suffix."""
    return file is not None and Path(file).suffix.lower() in SUFFIXES


def column_names(path: Path, delimiter: str | None) -> list[str]:
    """The names of a table's columns, without reading its rows.

    Raises:
        DataError: The file cannot be read, or two columns have one name.
    """
    try:
        if _is_csv(path):
            with pa.csv.open_csv(path, parse_options=_parsing(path, delimiter)) as reader:
                names = list(reader.schema.names)
        else:
            names = list(pa.parquet.read_schema(path).names)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise unreadable(path, error) from error
    twice = [name for index, name in enumerate(names) if name in names[:index]]
    if twice:
        raise DataError(
            f"Two columns have one name. Expected names that tell columns apart. Received: {twice[0]!r} twice in "
            f"{path}. Rename one."
        )
    return names


def column_complaints(names: Sequence[str], data: Data) -> list[tuple[tuple[str, ...], str]]:
    """What is wrong with the columns that a job names.

    Args:
        names: The columns that there are.
        data: The section of the job.

    Returns:
        For each mistake the keys below `data` that lead to it, and what is wrong.
    """
    found = []
    features = data.features
    lists = [("target",), ("features", "include"), ("features", "exclude"), ("categories",)]
    for keys, wanted in zip(
        lists, (data.target, features.include or (), features.exclude, data.categories), strict=True
    ):
        for index, name in enumerate(wanted):
            if name not in names:
                last = name if keys == ("categories",) else str(index)
                is_single = keys == ("target",) and len(wanted) == 1
                found.append(
                    (keys if is_single else (*keys, last), f"There is no column {name!r}. {did_you_mean(name, names)}")
                )
    for index, name in enumerate(features.include or ()):
        if name in data.target:
            found.append((("features", "include", str(index)), f"{name!r} is the target. Leave it out."))
    if not data.target:
        found.append((("target",), f"`target` is missing: a table needs it. {did_you_mean('', names)}"))
    if not found and not feature_columns(names, data):
        found.append((("features",), "No column is left as an input. Exclude fewer."))
    unused = [name for name in data.categories if name in names and name not in feature_columns(names, data)]
    found += [(("categories", name), f"{name!r} is no input. Leave it out.") for name in unused]
    return found


def feature_columns(names: Sequence[str], data: Data) -> list[str]:
    """The columns that are inputs, in their order: that of `include`, or of the table."""
    chosen = names if data.features.include is None else data.features.include
    return [name for name in chosen if name not in data.target and name not in data.features.exclude]


@dataclasses.dataclass(frozen=True)
class Columns:
    """A table as arrays.

    Args:
        x: Inputs, `(n_rows, n_features)`, float64; columns of categories take one feature a category.
        y: A column of the table for each target, as it is.
        feature_names: One for each column of `x`; `plan=basic` for a category.
        dropped: How many rows with missing values were left out.
    """

    x: np.ndarray
    y: tuple[np.ndarray, ...]
    feature_names: tuple[str, ...]
    dropped: int = 0


def read_table(
    path: Path, delimiter: str | None, data: Data, features: Sequence[str] | None = None, drop_missing: bool = False
) -> Columns:
    """Reads the columns that a job needs.

    Args:
        path: A CSV, TSV or Parquet file.
        delimiter: Between the columns of a CSV file; None for that of the suffix.
        data: Which columns are what.
        features: The columns that are inputs; None for those that `data` chooses.
        drop_missing: Leave rows with missing values out, where they would be an error.

    Raises:
        DataError: The file cannot be read, a column is missing, or a column holds what no input can be.
    """
    names = column_names(path, delimiter)
    if features is None:
        for keys, message in column_complaints(names, data):
            raise DataError(f"data.{'.'.join(keys)} does not fit {path}: {message}")
    chosen = list(features) if features is not None else feature_columns(names, data)
    if absent := [name for name in [*chosen, *data.target] if name not in names]:
        raise DataError(
            f"A column is missing. Expected the columns of the training rows. Received: {path} without "
            f"{absent[0]!r}. {did_you_mean(absent[0], names)}"
        )
    table = _read(path, delimiter, [*chosen, *data.target])
    if not table.num_rows:
        raise DataError(f"There are no rows. Expected at least one below the header. Received: {path}. Fill it.")
    kept, dropped = _without_missing(table, path, drop_missing)
    parts: list[np.ndarray] = []
    feature_names: list[str] = []
    for name in chosen:
        if name in data.categories:
            labels = [label_text(one) for one in data.categories[name]]
            parts.append(_one_hot(kept.column(name), name, labels, path))
            feature_names += [f"{name}={label}" for label in labels]
        else:
            parts.append(_numbers(kept.column(name), name, path)[:, None])
            feature_names.append(name)
    targets = tuple(_target(kept.column(name), name, path) for name in data.target)
    return Columns(np.concatenate(parts, axis=1), targets, tuple(feature_names), dropped)


def label_text(value: object) -> str:
    """A class or a category as text: `1` for 1 and 1.0, `true` for True.

    Example:

    >>> label_text(1.0), label_text(True), label_text("basic")
    ('1', 'true', 'basic')
    """
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def unreadable(path: Path, error: Exception) -> DataError:
    """The error for a data file that cannot be read."""
    said = getattr(error, "strerror", None) or str(error).splitlines()[0].rstrip(".")
    return DataError(f"A data file cannot be read. Expected {path}. Received: {said}. Check the file and its path.")


def _is_csv(path: Path) -> bool:
    return bool(SUFFIXES[path.suffix.lower()])


def _parsing(path: Path, delimiter: str | None) -> Any:
    # Quoted texts may hold line breaks.
    return pa.csv.ParseOptions(delimiter=delimiter or SUFFIXES[path.suffix.lower()], newlines_in_values=True)


def _read(path: Path, delimiter: str | None, columns: Sequence[str]) -> pa.Table:
    try:
        if not _is_csv(path):
            return _with_plain_texts(pa.parquet.ParquetFile(path).read(columns=list(columns)))
        size = min(path.stat().st_size + 1, MOST_BLOCK_BYTES)
        table = pa.csv.read_csv(
            path,
            read_options=pa.csv.ReadOptions(block_size=max(size, 1024)),
            parse_options=_parsing(path, delimiter),
            convert_options=pa.csv.ConvertOptions(include_columns=list(columns)),
        )
    except (OSError, pa.ArrowException) as error:
        raise unreadable(path, error) from error
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        if pa.types.is_binary(kind):  # what pyarrow makes of texts that are none
            raise DataError(
                f"A data file is not UTF-8. Expected texts in that encoding. Received: {path}, column {name!r}. "
                "Save the file as UTF-8."
            )
    return table


def _with_plain_texts(table: pa.Table) -> pa.Table:
    """The table without views of texts, which few functions of pyarrow 25 take."""
    kinds = [pa.string() if pa.types.is_string_view(kind) else kind for kind in table.schema.types]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)


def _missing(column: pa.ChunkedArray) -> np.ndarray:
    """Which rows have no value, `(n_rows,)`; a text of blanks is none."""
    if _is_text(column.type):
        column = column.cast(pa.string())
        blank = pc.equal(pc.utf8_trim_whitespace(column), "")
        return np.asarray(pc.fill_null(blank, True).to_numpy(zero_copy_only=False), dtype=bool)
    nan_too = pa.types.is_floating(column.type)
    return np.asarray(pc.is_null(column, nan_is_null=nan_too).to_numpy(zero_copy_only=False), dtype=bool)


def _without_missing(table: pa.Table, path: Path, drop: bool) -> tuple[pa.Table, int]:
    gone = np.zeros(table.num_rows, dtype=bool)
    for name in table.column_names:
        missing = _missing(table.column(name))
        if missing.any() and not drop:
            raise DataError(
                f"A value is missing. Expected one in every row. Received: none in row {int(missing.argmax()) + 1} of "
                f"column {name!r} of {path}, and in {int(missing.sum())} of {table.num_rows} rows. Fill them in, "
                "exclude the column, or leave such rows out with autofix.on_nonfinite: drop."
            )
        gone |= missing
    if gone.all():
        raise DataError(
            f"No row is left. Expected some without missing values. Received: none of {table.num_rows} in {path}. "
            "Exclude the columns that are empty."
        )
    return table.filter(pa.array(~gone)) if gone.any() else table, int(gone.sum())


def _numbers(column: pa.ChunkedArray, name: str, path: Path) -> np.ndarray:
    """A column of inputs, `(n_rows,)`, float64."""
    kind = column.type
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        value = column[0].as_py()
        raise DataError(
            f"An input is no number. Expected numbers in column {name!r} of {path}. Received: {kind}, "
            f"{shown(value)} in row 1. {_advice(column, name)}"
        )
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def _advice(column: pa.ChunkedArray, name: str) -> str:
    if not _is_text(column.type):
        return f"Exclude it: features: {{exclude: [{name}]}}."
    values = sorted(set(column.cast(pa.string()).slice(0, 1000).to_pylist()))
    if len(values) > 12:
        return f"It has many values, so exclude it: features: {{exclude: [{name}]}}."
    return f"Write its values as categories: {{{name}: [{', '.join(values)}]}}, or exclude it."


def _one_hot(column: pa.ChunkedArray, name: str, labels: Sequence[str], path: Path) -> np.ndarray:
    """A column of categories, `(n_rows, n_labels)`, 0 and 1."""
    texts = _texts(column)
    known, codes = np.unique(texts, return_inverse=True)
    position = {label: index for index, label in enumerate(labels)}
    for label in known.tolist():
        if label not in position:
            row = int((texts == label).argmax()) + 1
            raise DataError(
                f"A category is not listed. Expected one of data.categories.{name}: {', '.join(labels)}. "
                f"Received: {label!r} in row {row} of {path}. {did_you_mean(label, labels)}"
            )
    return np.eye(len(labels))[np.array([position[label] for label in known.tolist()])[codes]]


def _texts(column: pa.ChunkedArray) -> np.ndarray:
    return np.array([label_text(one) for one in column.to_pylist()])


def _target(column: pa.ChunkedArray, name: str, path: Path) -> np.ndarray:
    """A target column as it is: numbers, truth values or texts, `(n_rows,)`."""
    kind = column.type
    if _is_text(kind):
        return _texts(column)
    if pa.types.is_boolean(kind):
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=bool)
    if pa.types.is_integer(kind):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))
    raise DataError(
        f"A target is neither number nor class. Expected numbers, texts or true/false in column {name!r} of {path}. "
        f"Received: {kind}. Convert the column."
    )

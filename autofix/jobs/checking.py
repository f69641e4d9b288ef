"""What can be known of a job file without Keras: files, columns, arrays, functions, strategies."""

import ast
import functools
import importlib.metadata
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autofix.errors import AutofixError
from autofix.jobs.content import FUNCTION, code_file
from autofix.jobs.problems import Mark, Problem, did_you_mean
from autofix.jobs.reading import Reading
from autofix.jobs.schema import Data, Job, Source
from autofix.jobs.tables import SUFFIXES, column_complaints, column_names, feature_columns, is_table

Complaint = tuple[tuple[str, ...], str]
"""The keys below the job that lead to a mistake, and what is wrong."""

STRATEGIES = "autofix.strategies"
"""Group of the entry points; their names are read without loading them."""


def check(reading: Reading, allow_code: bool = False, runs: Path | None = None) -> list[Problem]:
    """Everything that is wrong with jobs and can be told in milliseconds. Nothing runs and nothing is trained.

    Args:
        reading: What `autofix.jobs.reading.read` returned.
        allow_code: Whether functions that jobs name may run later; they are looked for, not run.
        runs: The folder that the run folder is made in; None not to check it.

    Returns:
        The problems, in the order of the file; empty when there are none.
    """
    problems = [
        reading.problem(job.name, keys, message)
        for job in reading.file.jobs
        for keys, message in _complaints(job, allow_code)
    ]
    if runs is not None:
        problems += _of_runs(runs)
    return sorted(dict.fromkeys(problems))


def plan(job: Job) -> dict[str, Any]:
    """One line of the plan: what a job trains on what, as JSON values.

    Args:
        job: Resolved.
    """
    data, settings = job.data, job.compile
    return {
        "job": job.name,
        "model": job.model.file or job.model.function,
        "train": _told(data.train),
        "target": ", ".join(data.target) or None,
        "validation": None if data.validation is None else data.validation.split or _told(data.validation),
        "test": None if data.test is None else data.test.split or _told(data.test),
        "loss": None if settings is None else _name(settings.loss),
        "optimizer": None if settings is None else _name(settings.optimizer),
        "epochs": job.fit.epochs,
    }


def _told(source: Source) -> str:
    return source.file or source.function or f"{source.x}, {source.y}"


def _name(config: Any) -> str | None:
    if isinstance(config, dict):
        name = config.get("name", config.get("class_name"))
        return name if isinstance(name, str) else ", ".join(filter(None, map(_name, config.values())))
    return ", ".join(filter(None, map(_name, config))) if isinstance(config, (tuple, list)) else config


def _complaints(job: Job, allow_code: bool) -> Iterator[Complaint]:
    folder = Path(job.folder)
    for keys, named in (
        (("model",), job.model),
        (("data", "train"), job.data.train),
        (("data", "validation"), job.data.validation),
        (("data", "test"), job.data.test),
    ):
        if named is not None and named.function is not None:
            yield from (((*keys, "function"), message) for message in _of_function(named.function, folder, allow_code))
    if job.model.file is not None:
        yield from ((("model", "file"), message) for message in _of_model_file(folder / job.model.file))
    yield from ((("data", *keys), message) for keys, message in _of_data(job.data, folder))
    known = _strategy_names()
    for index, name in enumerate(job.autofix.strategies or ()):
        if name not in known:
            yield ("autofix", "strategies", str(index)), f"There is no strategy {name!r}. {did_you_mean(name, known)}"


@functools.cache
def _strategy_names() -> tuple[str, ...]:
    return tuple(sorted(point.name for point in importlib.metadata.entry_points(group=STRATEGIES)))


def _of_file(path: Path) -> Iterator[str]:
    if not path.exists():
        near = did_you_mean(path.name, _neighbours(path))
        yield f"There is no file {path}. {near if near.startswith('Did') else ''}".strip()
    elif not path.is_file():
        yield f"Expected a file. Received: {path}, which is none."
    elif not os.access(path, os.R_OK):
        yield f"The file {path} cannot be read: no permission."


def _neighbours(path: Path) -> list[str]:
    try:
        return [one.name for one in path.parent.iterdir()]
    except OSError:
        return []


def _of_model_file(path: Path) -> Iterator[str]:
    if path.suffix != ".keras":
        yield f"Expected a .keras file, as model.save writes it. Received: {path.name!r}."
        return
    wrong = list(_of_file(path))
    yield from wrong
    if not wrong and not zipfile.is_zipfile(path):
        yield f"This is no .keras file: {path}. Save it with model.save."


def _of_function(function: str, folder: Path, allow_code: bool) -> Iterator[str]:
    if not allow_code:
        yield f"{function!r} is code, and runs only with --allow-code. Give that option if you trust it."
    path = code_file(function, folder)
    match = FUNCTION.fullmatch(function)
    if match is None or path is None:
        yield f"There is no module of {function!r} in {folder}, nor is one installed."
        return
    wrong = list(_of_file(path))
    yield from wrong
    if not wrong:
        yield from _of_code(path, match["name"])


def _of_code(path: Path, name: str) -> Iterator[str]:
    """Looks for a name in Python code without running it."""
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        yield f"{path}, line {error.lineno}: {error.msg}."
        return
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        yield f"{path} cannot be read as Python: {error}."
        return
    defined = {one.name for one in tree.body if isinstance(one, (ast.FunctionDef, ast.ClassDef))}
    others: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.alias):
            others.add(node.asname or node.name.split(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            others.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            others.add(node.name)  # one inside `if` or `try`
    if name not in others and "*" not in others:
        yield f"{path} has no function {name!r}. {did_you_mean(name, defined)}".strip()


def _of_data(data: Data, folder: Path) -> Iterator[Complaint]:
    sources = {"train": data.train, "validation": data.validation, "test": data.test}
    columns: dict[str, list[str]] = {}
    for name, source in sources.items():
        if source is None or source.function is not None or getattr(source, "split", None) is not None:
            continue
        if is_table(source.file):
            assert source.file is not None
            columns[name], wrong = _of_table(source, folder / source.file)
        else:
            wrong = list(_of_arrays(source, folder))
        yield from (((name, *keys), message) for keys, message in wrong)
    if is_table(data.train.file):
        yield from _of_columns(data, columns)
    elif data.train.function is None:
        for name in ("target", "features", "categories"):
            if name in data.model_fields_set:
                yield (name,), "Only tables (CSV, TSV, Parquet) have columns. Leave it out."


def _of_columns(data: Data, columns: dict[str, list[str]]) -> Iterator[Complaint]:
    if not columns.get("train"):
        return
    yield from column_complaints(columns["train"], data)
    needed = [*feature_columns(columns["train"], data), *data.target]
    for name in ("validation", "test"):
        for column in needed if columns.get(name) else ():
            if column not in columns[name] and column in columns["train"]:
                yield (name,), f"There is no column {column!r}, as in `train`. {did_you_mean(column, columns[name])}"


def _of_table(source: Source, path: Path) -> tuple[list[str], list[Complaint]]:
    """The columns of a table, and what is wrong with it."""
    wrong: list[Complaint] = [(("file",), message) for message in _of_file(path)]
    for key in ("x", "y"):
        if getattr(source, key) is not None:
            wrong.append(((key,), "A table has no arrays by name: its columns are chosen by `target` and `features`."))
    if source.delimiter is not None and not SUFFIXES[path.suffix.lower()]:
        wrong.append((("delimiter",), "Only CSV and TSV files have one. Leave it out."))
    if wrong:
        return [], wrong
    try:
        return column_names(path, source.delimiter), []
    except AutofixError as error:
        return [], [(("file",), str(error))]


def _of_arrays(source: Source, folder: Path) -> Iterator[Complaint]:
    if source.delimiter is not None:
        yield ("delimiter",), "Only CSV and TSV files have one. Leave it out."
    if source.file is not None:
        path = folder / source.file
        if path.suffix.lower() != ".npz":
            ends = f"{', '.join(SUFFIXES)} or .npz"
            yield ("file",), f"Expected a file that ends in {ends}, or {{x: x.npy, y: y.npy}}. Received: {path.name!r}."
            return
        wrong = list(_of_file(path))
        yield from ((("file",), message) for message in wrong)
        if not wrong:
            yield from _of_npz(source, path)
        return
    wrong_pair = [((key,), message) for key in ("x", "y") for message in _of_npy(getattr(source, key), folder)]
    yield from wrong_pair
    if not wrong_pair and source.x and source.y:
        n_x, n_y = (next(iter(_npy_shape(folder / name)), 0) for name in (source.x, source.y))
        if n_x != n_y:
            yield (), f"Inputs and targets are not as many: {n_x} rows in {source.x}, {n_y} in {source.y}."


def _of_npz(source: Source, path: Path) -> Iterator[Complaint]:
    try:
        with zipfile.ZipFile(path) as file:
            names = [name.removesuffix(".npy") for name in file.namelist()]
    except (OSError, zipfile.BadZipFile):
        yield ("file",), f"This is no NPZ file: {path}. Save it with np.savez."
        return
    for key in ("x", "y"):
        name = getattr(source, key) or key
        if name not in names:
            yield (key,), f"There is no array {name!r} in {path.name}. {did_you_mean(name, names)}"


def _of_npy(name: str, folder: Path) -> Iterator[str]:
    path = folder / name
    if path.suffix.lower() != ".npy":
        yield f"Expected a .npy file. Received: {name!r}."
        return
    wrong = list(_of_file(path))
    yield from wrong
    if not wrong:
        try:
            _npy_shape(path)
        except (ValueError, OSError, EOFError) as error:
            yield f"This is no .npy file: {path}: {str(error).splitlines()[0]}."


def _npy_shape(path: Path) -> tuple[int, ...]:
    """Shape of an array, from the first bytes of its file."""
    import numpy as np

    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape: tuple[int, ...] = read(file)[0]
        return shape


def _of_runs(runs: Path) -> Iterator[Problem]:
    """Whether the folder of the results can be made and written to."""
    above = runs.absolute()
    while not above.exists() and above != above.parent:
        above = above.parent
    mark = Mark(f"--runs {runs}")
    if not above.is_dir():
        yield Problem(mark, "", f"Expected a folder. Received: {above}, which is none. Name another.")
    elif not os.access(above, os.W_OK | os.X_OK):
        yield Problem(mark, "", f"The folder {above} cannot be written to: no permission. Name another.")

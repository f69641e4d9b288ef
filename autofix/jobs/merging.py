"""From what a job file says to one tree a job: defaults, single settings, and products."""

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence

from autofix.errors import JobFileError
from autofix.jobs.problems import Problem, shown
from autofix.jobs.schema import MOST_NAME_BYTES, NAME_RULE, is_name
from autofix.jobs.yaml_tree import Node

MOST_JOBS = 10_000
"""Of a file. More are a mistake in a matrix, and would be better dealt out by a program that writes job files."""

KINDS = ("file", "function", "split", "name", "class_name")
"""Keys that say what a mapping is about; where a job and the defaults differ in that, nothing of theirs is mixed."""


def merge(below: Node | None, above: Node) -> Node:
    """What a job says, with the defaults below it.

    Mappings are merged, key by key and level by level; anything else of the job replaces what the defaults have. So
    does a mapping that is about something else: `{name: sgd}` takes no `beta_1` from the defaults' `{name: adam, …}`.
    """
    if below is None or not (isinstance(below.value, dict) and isinstance(above.value, dict)):
        return above
    if _is_other(below, above):
        return above
    merged = dict(below.value)
    for key, node in above.value.items():
        merged[key] = merge(merged.get(key), node)
    return dataclasses.replace(above, value=merged)


def _is_other(below: Node, above: Node) -> bool:
    """Whether two mappings are about different things, by their `KINDS`."""
    kinds = {key: above.value[key].plain() for key in KINDS if key in above.value}
    there = {key: below.value[key].plain() for key in KINDS if key in below.value}
    if not kinds or not there:
        return False
    # Another file is still a file: it has the delimiter of the defaults.
    return kinds.keys() != there.keys() or any(
        kinds[key] != there[key] for key in ("name", "class_name") if key in kinds
    )


def split_path(path: str, root: Node) -> tuple[str, ...]:
    """The keys of a dotted path. A key with dots in it is found where it is there: `jobs.v1.2.fit` for a job `v1.2`."""
    rest = path.split(".")
    keys: list[str] = []
    node: Node | None = root
    while rest:
        here = node.value if node is not None and isinstance(node.value, dict) else {}
        sizes = [size for size in range(len(rest), 0, -1) if ".".join(rest[:size]) in here]
        size = sizes[0] if sizes else 1
        keys.append(".".join(rest[:size]))
        node = here.get(keys[-1])
        rest = rest[size:]
    return tuple(keys)


def set_at(root: Node, keys: Sequence[str], value: Node) -> Node:
    """The tree with one value replaced or added; mappings on the way are made where there are none.

    Raises:
        JobFileError: There is something on the way that holds no keys.
    """
    if not keys:
        return value
    first, *rest = keys
    if isinstance(root.value, list) and re.fullmatch("[0-9]{1,6}", first) and int(first) < len(root.value):
        items = list(root.value)
        items[int(first)] = set_at(items[int(first)], rest, value)
        return dataclasses.replace(root, value=items)
    if root.value is not None and not isinstance(root.value, dict):
        above = value.place[: len(value.place) - len(keys)]
        key = "name" if "compile" in above else "file"
        message = (
            f"There is no {'.'.join(keys)!r} to set: {'.'.join(above)} is {shown(root.plain())}. "
            f"Write that as a mapping, {{{key}: {root.value}, …}}."
        )
        raise JobFileError([value.problem(message)])
    inner = dict(root.value or {})
    below = inner.get(first, Node(None, value.mark, value.place[: len(value.place) - len(rest)], value.key_mark))
    inner[first] = set_at(below, rest, value)
    return dataclasses.replace(root, value=inner)


def get_at(root: Node, keys: Sequence[str]) -> Node | None:
    """The value at a path; None where there is none."""
    node: Node | None = root
    for key in keys:
        node = node.value.get(key) if node is not None and isinstance(node.value, dict) else None
    return node


def expand(name: str, job: Node) -> Iterator[tuple[str, Node]]:
    """The jobs that one entry of the file stands for: one for each combination of the values in its `matrix`.

    Their names tell the values: `churn-epochs=10-seed=0`.

    Raises:
        JobFileError: The matrix is no mapping of lists, or stands for too many jobs.
    """
    matrix = job.value.get("matrix")
    if matrix is None or matrix.value is None:
        yield name, _without_matrix(job)
        return
    axes = _axes(job, matrix)
    labels = _labels([path for path, _ in axes])
    for values in itertools.product(*[enumerate(node.value) for _, node in axes]):
        one = _without_matrix(job)
        parts = [name]
        for (path, axis), label, (index, value) in zip(axes, labels, values, strict=True):
            one = set_at(one, split_path(path, one), dataclasses.replace(value, place=axis.place))
            parts.append(f"{label}={_value_text(value, index)}")
        full = "-".join(parts)
        if not is_name(full):
            raise JobFileError(
                [matrix.problem(f"This makes a job of the name {shown(full)}. Expected {NAME_RULE}.", True)]
            )
        yield full, one


def _without_matrix(job: Node) -> Node:
    return dataclasses.replace(job, value={key: one for key, one in job.value.items() if key != "matrix"})


def _axes(job: Node, matrix: Node) -> list[tuple[str, Node]]:
    if not isinstance(matrix.value, dict) or not matrix.value:
        received = shown(matrix.plain())
        message = f"Expected a mapping of settings to lists, such as {{fit.epochs: [10, 20]}}. Received: {received}."
        raise JobFileError([matrix.problem(message)])
    problems: list[Problem] = []
    count = 1
    for path, axis in matrix.value.items():
        if not isinstance(axis.value, list) or not axis.value:
            message = f"Expected a list of values, with at least one. Received: {shown(axis.plain())}."
            problems.append(axis.problem(message))
            continue
        count *= len(axis.value)
        there = get_at(job, split_path(path, _without_matrix(job)))
        if there is not None and there.mark.source.startswith("--set"):
            problems.append(there.problem(f"The matrix of this job sets it too. Set matrix.{path} instead."))
    if count > MOST_JOBS:
        problems.append(matrix.problem(f"This stands for {count:,} jobs. Expected at most {MOST_JOBS:,}.", at_key=True))
    if problems:
        raise JobFileError(problems)
    return list(matrix.value.items())


def _labels(paths: Sequence[str]) -> list[str]:
    """The last keys of the paths; the whole path where two end alike."""
    lasts = [path.rsplit(".", 1)[-1] for path in paths]
    return [last if lasts.count(last) == 1 else path for path, last in zip(paths, lasts, strict=True)]


def _value_text(value: Node, index: int) -> str:
    """A value as part of a name; lists, mappings and texts that no name can hold are counted instead."""
    if isinstance(value.value, (dict, list)):
        return f"#{index}"
    text = "null" if value.value is None else str(value.value)
    if isinstance(value.value, bool):
        text = text.lower()
    short = len(text) <= MOST_NAME_BYTES // 4
    return text if short and is_name(f"x{text}x") else f"#{index}"

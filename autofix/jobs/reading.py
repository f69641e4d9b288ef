"""Reads a job file: from its text to resolved jobs, or to all that is wrong with it."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pydantic

from autofix.errors import JobFileError
from autofix.jobs.complaints import complaints
from autofix.jobs.merging import MOST_JOBS, expand, get_at, merge, set_at, split_path
from autofix.jobs.problems import Mark, Problem, did_you_mean, shown
from autofix.jobs.schema import NAME_RULE, Job, JobFile, folder_key, is_name
from autofix.jobs.yaml_tree import Node, node_of, parse

MOST_BYTES = 1_000_000
"""Of a job file. It takes seconds to read as it is, and holds thousands of jobs even without `matrix`."""

VERSION: Literal[1] = 1

COMMAND_LINE = "command line"
"""Stands for the file, and names the job, where there is no file."""

TOP_KEYS = ("version", "defaults", "jobs")


@dataclasses.dataclass(frozen=True)
class Reading:
    """A job file that was read, and where everything in it was written.

    Args:
        file: Its jobs.
        trees: For each job by its name the tree that it was made from.
    """

    file: JobFile
    trees: dict[str, Node]

    def problem(self, job: str, keys: Sequence[str], message: str) -> Problem:
        """A problem with a setting of a job; where a shorthand stands for it, with that."""
        node = self.trees[job]
        for key in keys:
            below = node.value
            if isinstance(below, dict) and key in below:
                node = below[key]
            elif isinstance(below, list) and key.isdigit() and int(key) < len(below):
                node = below[int(key)]
        return node.problem(message)


def read(path: str | Path, overrides: Sequence[str] = ()) -> Reading:
    """Reads a job file.

    Args:
        path: The file.
        overrides: Settings such as `"jobs.churn.fit.epochs=5"` or `"defaults.seed=1"`, as of `--set`; the values are
            YAML.

    Returns:
        The jobs, in the order of the file, with defaults, overrides and `matrix` applied: `read(path).file.jobs`.

    Raises:
        JobFileError: With all that is wrong, each problem with its file, line and column.
    """
    path = Path(path)
    root = parse(_text(path), str(path))
    return _resolve(root, path, overrides)


def job_of(values: dict[str, Any], overrides: Sequence[str] = ()) -> Reading:
    """One job of plain values, as of a command line. Its paths begin in the current folder.

    Args:
        values: Sections of the job.
        overrides: Settings such as `"compile.loss=mse"`.

    Raises:
        JobFileError: With all that is wrong.
    """
    root = Node({}, Mark(COMMAND_LINE), ())
    root = set_at(root, ("version",), node_of(VERSION, root.mark))
    root = set_at(root, ("jobs", COMMAND_LINE), node_of(values, root.mark))
    return _resolve(root, Path(COMMAND_LINE), overrides, ("jobs", COMMAND_LINE))


def _text(path: Path) -> str:
    mark = Mark(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        message = f"The job file cannot be read: {error.strerror or error}. Name a file that can be read."
        raise JobFileError([Problem(mark, "", message)]) from error
    if len(data) > MOST_BYTES:
        message = f"This is no job file: it is too large. Expected at most {MOST_BYTES:,} bytes. Use `matrix`."
        raise JobFileError([Problem(mark, "", message)])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        column = error.start - data[: error.start].rfind(b"\n")
        message = "The job file is not UTF-8. Save it in that encoding."
        raise JobFileError([Problem(Mark(str(path), line, column), "", message)]) from error


def _resolve(root: Node, path: Path, overrides: Sequence[str], below: tuple[str, ...] = ()) -> Reading:
    """The jobs of a tree; `overrides` begin `below` its top."""
    problems: list[Problem] = []
    if not isinstance(root.value, dict):
        message = f"Expected a mapping with `version: {VERSION}` and `jobs`. Received: {shown(root.plain())}."
        raise JobFileError([root.problem(message)])
    problems += _of_the_top(root)
    for override in overrides:
        try:
            root = _override(root, override, below)
        except JobFileError as error:
            problems += error.problems
    name = path.stem
    if not is_name(name):
        message = f"The run folder has the name of the file. Expected {NAME_RULE}. Received: {shown(name)}."
        problems.append(Problem(Mark(str(path)), "", message))
    jobs = _jobs(root, path.absolute().parent, problems)
    if problems:
        # Jobs share what the defaults have wrong, and a matrix repeats it: each is told once, in the order of the file.
        raise JobFileError(sorted(dict.fromkeys(problems), key=lambda one: (one.mark.source.startswith("--"), one)))
    file = JobFile(version=VERSION, name=name, path=str(path.absolute()), jobs=tuple(job for job, _ in jobs))
    return Reading(file, {job.name: node for job, node in jobs})


def _of_the_top(root: Node) -> list[Problem]:
    """What is wrong with the keys of the file itself. Keys that begin with `x-` hold anchors, and are let be."""
    problems = [
        node.problem(f"There is no such key. {did_you_mean(key, TOP_KEYS)}", at_key=True)
        for key, node in root.value.items()
        if key not in TOP_KEYS and not key.startswith("x-")
    ]
    version = root.value.get("version")
    if version is None:
        problems.append(root.problem(f"`version` is missing. Write `version: {VERSION}`."))
    elif version.value != VERSION or isinstance(version.value, bool):
        problems.append(version.problem(f"Expected {VERSION}. Received: {shown(version.plain())}."))
    return problems


def _override(root: Node, override: str, below: tuple[str, ...]) -> Node:
    """The tree with one setting of the command line."""
    mark = Mark(f"--set {override}")
    path, separator, text = override.partition("=")
    if below:
        keys = split_path(path.strip(), get_at(root, below) or root)
        if not separator or not path.strip():
            raise JobFileError([Problem(mark, "", "Expected SETTING=VALUE, such as compile.loss=mse.")])
    else:
        keys = split_path(path.strip(), root)
        _check_address(root, keys, mark, bool(separator))
    try:
        value = _moved(parse(text, mark.source, keys), mark)
    except JobFileError as error:
        raise JobFileError([dataclasses.replace(one, mark=mark) for one in error.problems]) from error
    return set_at(root, (*below, *keys), value)


def _check_address(root: Node, keys: Sequence[str], mark: Mark, has_value: bool) -> None:
    """Raises where a setting of the command line is for no job of the file, nor for the defaults."""
    if not has_value or len(keys) < 2 or keys[0] not in ("jobs", "defaults"):
        raise JobFileError([Problem(mark, "", "Expected jobs.NAME.SETTING=VALUE or defaults.SETTING=VALUE.")])
    jobs = root.value.get("jobs")
    names = jobs.value if jobs is not None and isinstance(jobs.value, dict) else {}
    if keys[0] == "jobs" and keys[1] not in names:
        raise JobFileError([Problem(mark, "", f"There is no job {keys[1]!r}. {did_you_mean(keys[1], names)}")])


def _moved(node: Node, mark: Mark) -> Node:
    """The tree with one mark for all of it: an option of the command line has no lines."""
    value = node.value
    if isinstance(value, dict):
        value = {key: _moved(one, mark) for key, one in value.items()}
    elif isinstance(value, list):
        value = [_moved(one, mark) for one in value]
    return dataclasses.replace(node, value=value, mark=mark, key_mark=mark)


def _jobs(root: Node, folder: Path, problems: list[Problem]) -> list[tuple[Job, Node]]:
    """The jobs and their trees; what is wrong with them is added to `problems`."""
    defaults, jobs = root.value.get("defaults"), root.value.get("jobs")
    if defaults is not None and defaults.value is not None and not isinstance(defaults.value, dict):
        problems.append(defaults.problem(f"Expected a mapping. Received: {shown(defaults.plain())}."))
        defaults = None
    if jobs is None or not isinstance(jobs.value, dict) or not jobs.value:
        where = jobs or root
        received = shown(jobs.plain()) if jobs else "nothing"
        problems.append(where.problem(f"Expected `jobs`: a mapping of names to jobs. Received: {received}."))
        return []
    found: list[tuple[Job, Node]] = []
    taken: dict[str, str] = {}
    for name, node in jobs.value.items():
        try:
            for full, one in _expanded(name, node, defaults):
                if (other := taken.setdefault(folder_key(full), full)) != full or len(found) >= MOST_JOBS:
                    message = f"The jobs {full!r} and {other!r} would have one folder. Rename one."
                    if len(found) >= MOST_JOBS:
                        message = f"There are more than {MOST_JOBS:,} jobs. Split the file."
                    raise JobFileError([node.problem(message, at_key=True)])
                found.append((_job(full, one, folder), one))
        except JobFileError as error:
            problems += error.problems
    return found


def _expanded(name: str, node: Node, defaults: Node | None) -> list[tuple[str, Node]]:
    if not is_name(name):
        raise JobFileError([node.problem(f"This cannot name a job. Expected {NAME_RULE}.", at_key=True)])
    if node.value is None:
        node = dataclasses.replace(node, value={})
    if not isinstance(node.value, dict):
        raise JobFileError([node.problem(f"Expected a mapping. Received: {shown(node.plain())}.")])
    return list(expand(name, merge(defaults, node)))


def _job(name: str, node: Node, folder: Path) -> Job:
    reserved = [node.value[key] for key in ("name", "folder") if key in node.value]
    problems = [one.problem("There is no such key: the key of the job names it.", at_key=True) for one in reserved]
    values = {key: one for key, one in node.plain().items() if key not in ("name", "folder")}
    try:
        job = Job.model_validate({**values, "name": name, "folder": str(folder)})
    except pydantic.ValidationError as error:
        problems += complaints(error, node)
        raise JobFileError(problems) from error
    if problems:
        raise JobFileError(problems)
    return job

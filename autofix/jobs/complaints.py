"""What pydantic found wrong with a section, as problems with their places in the file."""

import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import pydantic

from autofix.jobs.problems import Problem, did_you_mean, near_miss, shown
from autofix.jobs.schema import Job, Section
from autofix.jobs.yaml_tree import Node

ELSEWHERE = {
    "x": "The rows are those of `data`.",
    "y": "The rows are those of `data`.",
    "validation_data": "Held-out rows are those of `data.validation`.",
    "validation_split": "Held-out rows are a share in `data.validation`.",
    "sample_weight": "Rows are not weighted by a job file; `fit.class_weight` weights classes.",
    "initial_epoch": "Jobs begin with the first epoch.",
    "verbose": "What a job prints goes to its log.",
    "on_unrepaired": "The verdict is in the record of the job, and in the exit code.",
    "directory": "The trials are kept in the folder of the job.",
    "log_dir": "Jobs write no events for TensorBoard; their records have the looks and the trials.",
    "auto_scale_loss": "Keras has it on by default.",
    "learning_rate": "It is one of the optimizer: compile.optimizer: {name: adam, learning_rate: 0.01}.",
}
"""Keys of `model.fit`, `model.compile` and `autofix.fit` that a job file has elsewhere or not at all."""

_KINDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
}


def _expected(error: Mapping[str, Any]) -> str:
    """What pydantic wanted, as the end of "Expected …"."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in _KINDS:
        return _KINDS[kind]
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "string_too_short":
        return (
            "a text that is not empty" if context["min_length"] == 1 else f"at least {context['min_length']} characters"
        )
    if kind == "string_too_long":
        return f"at most {context['max_length']} characters"
    bounds = {
        "greater_than": "a number above {gt:g}",
        "greater_than_equal": "a number of at least {ge:g}",
        "less_than": "a number below {lt:g}",
        "less_than_equal": "a number of at most {le:g}",
    }
    return bounds[kind].format(**context) if kind in bounds else ""


def _message(errors: Sequence[Mapping[str, Any]], value: object) -> str:
    """One sentence for all that pydantic says of one value: of a union it tells what each member wanted."""
    received = f"Received: {shown(value)}."
    for error in errors:
        if error["type"] == "value_error":
            text = str(error["ctx"]["error"])
            return f"{text}." if isinstance(value, dict) else f"{text}. {received}"
    expected = list(dict.fromkeys(filter(None, map(_expected, errors))))
    if not expected:
        return f"{errors[0]['msg']}. {received}"
    choices = [word.strip("'") for word in expected[0].replace(" or ", ", ").split(", ")]
    is_choice = errors[0]["type"] == "literal_error" and isinstance(value, str)
    hint = near_miss(value, choices) if is_choice else ""
    return " ".join(filter(None, [f"Expected {' or '.join(expected)}.", received, hint]))


def _section(annotation: Any) -> type[Section] | None:
    """The section that a field holds, if it holds one."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return next(filter(None, map(_section, typing.get_args(annotation))), None)
    return None


def _fields(location: Sequence[str | int]) -> list[str]:
    """The keys that the section at a location of `Job` takes."""
    section: type[Section] | None = Job
    for key in location:
        field = section.model_fields.get(str(key)) if section else None
        section = _section(field.annotation) if field else None
    hidden = {"name", "folder"} if section is Job else set()
    return [] if section is None else [name for name in section.model_fields if name not in hidden]


def _walk(job: Node, location: Sequence[str | int]) -> tuple[Node, list[str]]:
    """The innermost value of the tree that a location leads to, and the keys that led there.

    pydantic puts names of types between the keys where a value may be of several kinds; they are passed over.
    """
    node = job
    keys: list[str] = []
    for part in map(str, location):
        if isinstance(node.value, dict) and part in node.value:
            node = node.value[part]
            keys.append(part)
        elif isinstance(node.value, list) and part.isdigit() and int(part) < len(node.value):
            node = node.value[int(part)]
            keys.append(part)
    return node, keys


def complaints(error: pydantic.ValidationError, job: Node) -> list[Problem]:
    """The problems of one job.

    Args:
        error: What pydantic raised for the plain values of the job.
        job: The tree that they came from.

    Returns:
        One problem for each wrong value, missing key or unknown key.
    """
    found: list[Problem] = []
    wrong: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for one in error.errors(include_url=False):
        location, kind = one["loc"], one["type"]
        if kind == "extra_forbidden":
            node, _ = _walk(job, location)
            key = str(location[-1])
            near = did_you_mean(key, _fields(location[:-1]))
            advice = ELSEWHERE.get(key, near)
            found.append(node.problem(f"There is no such key. {advice}".strip(), at_key=True))
        elif kind == "missing":
            node, keys = _walk(job, location[:-1])
            message = f"`{location[-1]}` is missing, and the defaults have none."
            found.append(node.problem(message if not keys else f"`{location[-1]}` is missing.", at_key=True))
        else:
            wrong.setdefault(tuple(_walk(job, location)[1]), []).append(one)
    for place, errors in wrong.items():
        if any(other[: len(place)] == place and other != place for other in wrong):
            continue  # of several kinds of value, the one that came further says more
        node = _walk(job, place)[0]
        found.append(node.problem(_message(errors, node.plain())))
    return found

"""YAML as a tree of plain values that know where they were written.

Only data is read: no tag makes an object. Numbers, truth values and null are those of YAML 1.2, so that `1e-3` is a
number and `no` and `on` are texts. What would grow without bounds (aliases of aliases, deep nesting) is refused.
"""

import dataclasses
import math
import re
from typing import Any

import yaml

from autofix.errors import JobFileError
from autofix.jobs.problems import Mark, Problem, shown

MOST_NODES = 200_000
"""Values of a file with all aliases written out. A file of thousands of jobs has fewer; a bomb has billions."""

MOST_DEPTH = 40
"""Levels of nesting. A model with a Keras config has about ten; the parser's recursion ends at some hundred."""

MOST_DIGITS = 40
"""Of a whole number: it fits what any setting counts, and costs nothing to read."""


@dataclasses.dataclass(frozen=True)
class Node:
    """A value and where it stands.

    Args:
        value: A scalar, a list of nodes, or a dictionary of nodes.
        mark: Where the value was written.
        place: The keys that lead to it, in the file that it was written in.
        key_mark: Where its key was written; that of the value where it has none.
    """

    value: Any
    mark: Mark
    place: tuple[str, ...] = ()
    key_mark: Mark | None = None

    def plain(self) -> Any:
        """The value without marks."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def problem(self, message: str, at_key: bool = False) -> Problem:
        """A problem with this value, or with its key."""
        mark = self.key_mark if at_key and self.key_mark else self.mark
        return Problem(mark, ".".join(self.place), message)


class _Loader(yaml.SafeLoader):
    """Resolves plain scalars as the core schema of YAML 1.2 does."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - a class variable of PyYAML, which its stubs take for another kind


_TAG = "tag:yaml.org,2002:"

_PLAIN = {
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "null": re.compile(r"~|null|Null|NULL|"),
    "int": re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    "float": re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
    "merge": re.compile(r"<<"),
}
"""The texts without quotes that are something else than a text, in the order in which they are tried."""

for _kind, _pattern in _PLAIN.items():
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(rf"(?:{_pattern.pattern})\Z"), None)


class _Builder:
    """Turns PyYAML's nodes into ours, aliases written out."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self._count = 0
        self._open: set[int] = set()

    def build(self, node: yaml.Node, place: tuple[str, ...], key_mark: Mark | None = None) -> Node:
        mark = self._mark(node)
        self._count += 1
        if id(node) in self._open:
            self._stop(mark, place, "An anchor contains itself. Expected a tree of values. Write the value out.")
        if self._count > MOST_NODES or len(place) > MOST_DEPTH:
            limit = f"{MOST_NODES:,} values, nested at most {MOST_DEPTH} deep"
            self._stop(mark, place, f"This is too much, with all aliases written out. Expected at most {limit}.")
        self._open.add(id(node))
        try:
            return Node(self._value(node, mark, place), mark, place, key_mark)
        finally:
            self._open.discard(id(node))

    def _value(self, node: yaml.Node, mark: Mark, place: tuple[str, ...]) -> Any:
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.build(one, (*place, str(index))) for index, one in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, mark, place)
        return self._refuse_tag(node, mark, place)

    def _refuse_tag(self, node: yaml.Node, mark: Mark, place: tuple[str, ...]) -> None:
        tag = str(node.tag).replace(_TAG, "!!")
        message = f"A tag says what to make of a value, and none is taken. Received: {shown(tag)}. Leave it out."
        self.problems.append(Problem(mark, ".".join(place), message))

    def _scalar(self, node: yaml.ScalarNode, mark: Mark, place: tuple[str, ...]) -> Any:
        text = str(node.value)
        kind = node.tag.removeprefix(_TAG)
        if kind in ("str", "merge"):
            return text
        if kind not in _PLAIN or not _PLAIN[kind].fullmatch(text):
            return self._refuse_tag(node, mark, place)
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        message = None
        if kind == "int":
            if len(text) <= MOST_DIGITS:
                return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
            message = f"A whole number is too long. Expected at most {MOST_DIGITS} digits."
        else:
            number = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
            if math.isfinite(number):
                return number
            message = "Numbers must be finite."
        self.problems.append(Problem(mark, ".".join(place), f"{message} Received: {shown(text)}."))
        return None

    def _mapping(self, node: yaml.Node, place: tuple[str, ...]) -> dict[str, Node]:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key_mark = self._mark(key_node)
            if key_node.tag == f"{_TAG}merge" and key_node.style is None:
                self._merge(value_node, place, merged)
            elif not isinstance(key_node, yaml.ScalarNode):
                message = "A key is a list or a mapping. Expected a text."
                self.problems.append(Problem(key_mark, ".".join(place), message))
            elif (first := own.get(key_node.value)) is not None:
                message = f"This key is there twice, first in line {(first.key_mark or first.mark).line}. Remove one."
                self.problems.append(Problem(key_mark, ".".join((*place, key_node.value)), message))
            else:
                own[key_node.value] = self.build(value_node, (*place, key_node.value), key_mark)
        return {**{key: one for key, one in merged.items() if key not in own}, **own}

    def _merge(self, node: yaml.Node, place: tuple[str, ...], merged: dict[str, Node]) -> None:
        """`<<`: the keys of another mapping, or of several, the first of which wins."""
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for part in parts:
            built = self.build(part, place)
            if not isinstance(built.value, dict):
                message = f"`<<` takes the keys of a mapping. Expected its alias. Received: {shown(built.plain())}."
                self.problems.append(Problem(built.mark, ".".join(place), message))
                continue
            for key, one in built.value.items():
                merged.setdefault(key, one)

    def _mark(self, node: yaml.Node) -> Mark:
        return Mark(self.source, node.start_mark.line + 1, node.start_mark.column + 1)

    def _stop(self, mark: Mark, place: tuple[str, ...], message: str) -> None:
        raise JobFileError([*self.problems, Problem(mark, ".".join(place), message)])


def parse(text: str, source: str, place: tuple[str, ...] = ()) -> Node:
    """The tree of a YAML document; an empty one is null.

    Args:
        text: The document.
        source: Its name in messages.
        place: The keys that lead to it.

    Raises:
        JobFileError: It is no YAML, or holds what a job file may not hold; with all problems but those of syntax,
            which end the reading.

    Example:

    >>> node = parse("a: [1e-3, no]", "jobs.yaml")
    >>> node.plain(), str(node.value["a"].mark)
    ({'a': [0.001, 'no']}, 'jobs.yaml:1:4')
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise JobFileError([_syntax_problem(error, source, text, place)]) from error
    except RecursionError as error:
        message = f"The nesting is too deep. Expected at most {MOST_DEPTH} levels."
        raise JobFileError([Problem(Mark(source), ".".join(place), message)]) from error
    if root is None:
        return Node(None, Mark(source, 1, 1), place)
    builder = _Builder(source)
    node = builder.build(root, place)
    if builder.problems:
        raise JobFileError(builder.problems)
    return node


def node_of(value: Any, mark: Mark, place: tuple[str, ...] = ()) -> Node:
    """The tree of plain values, all written in one place."""
    if isinstance(value, dict):
        value = {key: node_of(one, mark, (*place, key)) for key, one in value.items()}
    elif isinstance(value, list):
        value = [node_of(one, mark, (*place, str(index))) for index, one in enumerate(value)]
    return Node(value, mark, place)


def _syntax_problem(error: yaml.YAMLError, source: str, text: str, place: tuple[str, ...]) -> Problem:
    """What the parser says, at the place where it says it."""
    dotted = ".".join(place)
    if isinstance(error, yaml.MarkedYAMLError):
        at = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        mark = Mark(source, at.line + 1, at.column + 1) if at else Mark(source)
        advice = " Indent with blanks." if "\\t" in said else ""
        return Problem(mark, dotted, f"This is no YAML: {said}.{advice}")
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        mark = Mark(source, before.count("\n") + 1, len(before) - before.rfind("\n"))
        return Problem(mark, dotted, f"YAML does not allow this character: {shown(text[error.position])}. Remove it.")
    return Problem(Mark(source), dotted, f"This is no YAML: {error}.")

"""YAML as a tree that knows where everything was written, and what it refuses."""

import pytest

from autofix.errors import JobFileError
from autofix.jobs import yaml_tree
from autofix.jobs.yaml_tree import parse


def problems(text):
    with pytest.raises(JobFileError) as caught:
        parse(text, "f.yaml")
    return [str(one) for one in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1.", 1.0),
        (".5", 0.5),
        ("-3", -3),
        ("0x1F", 31),
        ("010", 10),
        ("1_000", "1_000"),
        ("no", "no"),
        ("on", "on"),
        ("True", True),
        ("~", None),
        ("", None),
        ("'5'", "5"),
        ("2020-01-01", "2020-01-01"),
        ("1:30", "1:30"),
        ("=", "="),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text, value):
    found = parse(text, "f.yaml").plain()
    assert found == value
    assert type(found) is type(value)


def test_keys_are_texts_as_written():
    assert parse("{1: a, true: b, 1.50: c}", "f.yaml").plain() == {"1": "a", "true": "b", "1.50": "c"}


def test_every_value_and_key_has_its_line_and_column():
    node = parse("a:\n  b: [1,\n    2]\n", "f.yaml")
    inner = node.value["a"].value["b"]
    assert (str(inner.key_mark), str(inner.mark)) == ("f.yaml:2:3", "f.yaml:2:6")
    assert str(inner.value[1].mark) == "f.yaml:3:5"
    assert inner.value[1].place == ("a", "b", "1")


def test_own_keys_win_over_merged_ones():
    node = parse("x: &x {a: 1, b: 2}\ny: &y {a: 3, c: 4}\nz: {<<: [*x, *y], b: 5}", "f.yaml")
    assert node.plain()["z"] == {"a": 1, "b": 5, "c": 4}


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1: a", "twice, first in line 1"),
        ("a: [1", "f.yaml:1:6", "no YAML"),
        ("a:\n\tb: 1", "f.yaml:2:1", "Indent with blanks"),
        ("a: 1\nb: \x07", "f.yaml:2:4", "does not allow this character"),
        ("a: !!python/object/apply:os.system [ls]", "f.yaml:1:4: a", "none is taken"),
        ("a: !!int x", "f.yaml:1:4: a", "none is taken"),
        ("a: .inf", "f.yaml:1:4: a", "finite"),
        ("a: 1e999", "f.yaml:1:4: a", "finite"),
        ("a: " + "9" * 5000, "f.yaml:1:4: a", "too long"),
        ("? [1]\n: 2", "f.yaml:1:3", "Expected a text"),
        ("a: *b", "f.yaml:1:4", "undefined alias"),
        ("a: &a [*a]", "f.yaml:1:4: a.0", "contains itself"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1", "single document"),
        ("a: {<<: 3}", "f.yaml:1:9: a", "keys of a mapping"),
        ("[" * 60 + "]" * 60, "f.yaml:1:42", "too much"),
        ("[" * 5000, "f.yaml", "too deep"),
    ],
)
def test_what_is_refused_is_told_with_its_place(text, place, said):
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith(place)
    assert said in found[0]


def test_all_mistakes_but_those_of_syntax_come_at_once():
    assert len(problems("a: .inf\nb: !!set {}\nb: 1\n")) == 3


def test_aliases_of_aliases_are_refused_before_they_fill_the_memory(monkeypatch):
    monkeypatch.setattr(yaml_tree, "MOST_NODES", 2000)
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    assert "too much" in problems("\n".join(lines))[0]

"""The examples in the docstrings of `autofix` and `autofix.strategies` run, and give what they show."""

import doctest
import importlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def module_names() -> list[str]:
    """Import names of all modules, found by their files: a module that fails to import fails its own test."""
    names = []
    for folder, package in (("autofix", "autofix"), ("strategies", "autofix.strategies")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            below = path.relative_to(ROOT / folder).with_suffix("").parts
            if below[-1] != "__main__":
                names.append(".".join([package, *(part for part in below if part != "__init__")]))
    return names


@pytest.mark.parametrize("name", module_names())
def test_examples_give_what_they_show(name):
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    failures: list[str] = []
    for example in doctest.DocTestFinder().find(importlib.import_module(name), name):
        runner.run(example, out=failures.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(failures)

import importlib.metadata
from typing import Any

import pytest

import autofix
from autofix import strategy
from autofix.strategy import LADDER, resolve_strategies, strategy_names


class Third(autofix.Strategy):
    name = "third"
    treats = frozenset({"anything"})

    def prescribe(self, hp, case):
        return None


class FakePoint:
    """An entry point of another distribution."""

    def __init__(self, name, loaded):
        self.name = name
        self.value = f"elsewhere:{name}"
        self.dist = "elsewhere 1.0"
        self._loaded = loaded

    def load(self):
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


@pytest.fixture
def install(monkeypatch):
    """Makes entry points appear installed besides the built-in ones."""
    installed = list(importlib.metadata.entry_points(group=strategy.ENTRY_POINT_GROUP))

    def install(*points):
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [*installed, *points])
        strategy._registered.cache_clear()

    yield install
    strategy._registered.cache_clear()


def test_the_built_in_strategies_come_in_the_order_of_the_ladder():
    assert strategy_names()[: len(LADDER)] == LADDER


def test_every_installed_strategy_keeps_its_contract():
    for name, one in zip(strategy_names(), resolve_strategies(None), strict=True):
        assert one.name == name
        assert one.treats
        assert isinstance(one.treats, frozenset)


def test_a_third_party_strategy_registers_by_its_entry_point(install):
    install(FakePoint("third", Third))
    assert strategy_names() == (*LADDER, "third")
    assert isinstance(resolve_strategies(["third"])[0], Third)


def test_names_and_instances_may_be_mixed():
    mine = Third()
    names = [one.name for one in resolve_strategies(["reshuffle", mine])]
    assert names == ["reshuffle", "third"]
    assert resolve_strategies([mine])[0] is mine


def test_a_single_name_is_taken_for_a_list_of_one():
    assert [one.name for one in resolve_strategies("reshuffle")] == ["reshuffle"]


def test_no_strategies_are_none():
    assert resolve_strategies([]) == ()


def test_a_mistyped_name_gets_a_suggestion():
    with pytest.raises(autofix.StrategyError, match=r"'reshufle'. Did you mean 'reshuffle'\?"):
        resolve_strategies(["reshufle"])


@pytest.mark.parametrize("wrong", ["zzz", 3, Third])
def test_what_is_no_strategy_is_refused(wrong):
    with pytest.raises(autofix.StrategyError, match=r"strategy_names\(\) lists them"):
        resolve_strategies([wrong])


@pytest.mark.parametrize("loaded", [object(), int, type("Renamed", (Third,), {"name": "other"})])
def test_an_entry_point_that_holds_something_else_is_named(install, loaded):
    install(FakePoint("third", loaded))
    with pytest.raises(autofix.StrategyError, match=r"elsewhere 1\.0"):
        strategy_names()


def test_a_strategy_that_cannot_be_imported_is_named_with_its_cause(install):
    install(FakePoint("third", ImportError("no module named elsewhere")))
    with pytest.raises(autofix.StrategyError, match="no module named elsewhere") as raised:
        strategy_names()
    assert isinstance(raised.value.__cause__, ImportError)


def test_a_case_cannot_be_changed():
    nothing: Any = None
    case: Any = autofix.Case(evidence=nothing)
    with pytest.raises(AttributeError):
        case.recipe = None

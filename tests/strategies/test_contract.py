"""The contract suite, run over every strategy that is installed: a new one is covered unasked."""

from autofix.strategy import resolve_strategies
from autofix.testing import StrategyTests

for _strategy in resolve_strategies(None):
    _name = f"Test{type(_strategy).__name__}"
    globals()[_name] = type(_name, (StrategyTests,), {"strategy": type(_strategy), "__module__": __name__})

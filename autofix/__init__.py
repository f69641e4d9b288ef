"""autofix: a drop-in for Keras' `model.fit` that repairs networks which predict the same thing for every input."""

import importlib
import pathlib
from typing import TYPE_CHECKING, Any

from autofix.errors import (
    ArgumentError,
    AutofixError,
    AutofixWarning,
    CodeError,
    CollapseWarning,
    DataError,
    JobFileError,
    ModelError,
    ScriptError,
    StrategyError,
    UnrepairedError,
)

if TYPE_CHECKING:
    from autofix.diagnosing import Diagnosis, diagnose
    from autofix.estimators import AutofixClassifier, AutofixRegressor
    from autofix.fitting import fit
    from autofix.monitoring.monitor import CollapseMonitor
    from autofix.recipe import Recipe
    from autofix.remedy import Remedy
    from autofix.report import Report
    from autofix.search.escalate import EscalationOracle, EscalationTuner
    from autofix.strategy import Case, Strategy, strategy_names

__version__ = "0.1.0"

# In a checkout the strategies and benchmarks lie beside this folder; in a wheel they lie in it.
_here = pathlib.Path(__file__).parent
if not (_here / "strategies").is_dir() and (_here.parent / "pyproject.toml").is_file():
    __path__.append(str(_here.parent))

_HOMES = {
    "AutofixClassifier": "autofix.estimators",
    "AutofixRegressor": "autofix.estimators",
    "Case": "autofix.strategy",
    "CollapseMonitor": "autofix.monitoring.monitor",
    "Diagnosis": "autofix.diagnosing",
    "EscalationOracle": "autofix.search.escalate",
    "EscalationTuner": "autofix.search.escalate",
    "Recipe": "autofix.recipe",
    "Remedy": "autofix.remedy",
    "Report": "autofix.report",
    "Strategy": "autofix.strategy",
    "diagnose": "autofix.diagnosing",
    "fit": "autofix.fitting",
    "strategy_names": "autofix.strategy",
}
"""Where the public names live. They are loaded when first asked for: importing Keras takes seconds."""

__all__ = [
    "ArgumentError",
    "AutofixClassifier",
    "AutofixError",
    "AutofixRegressor",
    "AutofixWarning",
    "Case",
    "CodeError",
    "CollapseMonitor",
    "CollapseWarning",
    "DataError",
    "Diagnosis",
    "EscalationOracle",
    "EscalationTuner",
    "JobFileError",
    "ModelError",
    "Recipe",
    "Remedy",
    "Report",
    "ScriptError",
    "Strategy",
    "StrategyError",
    "UnrepairedError",
    "diagnose",
    "fit",
    "strategy_names",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

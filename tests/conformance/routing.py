"""A pytest plugin for Keras' own tests: sends every `model.fit` through `autofix.fit`, and writes down what happens.

It is loaded with `-p routing` into a pytest of its own, which `comparison.py` starts. `--outcomes=FILE` gets one line
of JSON a test. With `--routed`, `model.fit(...)` becomes `autofix.fit(model, ...)`; with `--without-repairs` too, that
watches as ever but has no strategy to repair anything with.
"""

import collections
import functools
import importlib.util
import json
import os
import sys
import types
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ABSENT = ("jax", "torch", "grain")
"""What some of Keras' test files import at their top for the sake of single tests."""

FAILURES = ("autofix failed", "The repaired training failed")
"""How autofix begins the notes of what broke down inside of it: the training went on as under Keras."""


class Routing:
    """`Model.fit` replaced by `autofix.fit`, which calls the original in its turn.

    Args:
        options: Of `autofix.fit`; none for its defaults.

    Attributes:
        n_fits: Calls that went through `autofix.fit`.
        verdicts: How many of them ended with which verdict.
        failures: What broke down inside autofix.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._is_inside = False
        self.forget()

    def forget(self) -> None:
        """Begins to count anew."""
        self.n_fits = 0
        self.verdicts: collections.Counter[str] = collections.Counter()
        self.failures: list[str] = []

    def install(self) -> None:
        """Patches the class that `Model.fit` comes from, and whatever class overrides it from now on."""
        from keras.src.backend.tensorflow.trainer import TensorFlowTrainer

        def init_subclass(cls: Any, **arguments: Any) -> None:
            super(TensorFlowTrainer, cls).__init_subclass__(**arguments)
            if "fit" in vars(cls):
                cls.fit = self.routed(cls.fit)

        TensorFlowTrainer.fit = self.routed(TensorFlowTrainer.fit)
        TensorFlowTrainer.__init_subclass__ = classmethod(init_subclass)

    def routed(self, fit: Callable[..., Any]) -> Callable[..., Any]:
        """A `fit` method that goes through `autofix.fit`; inside of that, the method itself."""
        import autofix

        routed_fit: Any = functools.partial(autofix.fit, **self._options)

        @functools.wraps(fit)
        def method(model: Any, *arguments: Any, **named: Any) -> Any:
            if self._is_inside:
                return fit(model, *arguments, **named)
            self._is_inside = True
            self.n_fits += 1
            try:
                history = routed_fit(model, *arguments, **named)
            except BaseException:
                self.verdicts["raised"] += 1
                raise
            finally:
                self._is_inside = False
            self.verdicts[history.report.verdict] += 1
            self.failures += [note for note in history.report.notes if note.startswith(FAILURES)]
            return history

        return method


class Outcomes:
    """Writes a line for each test: its id, how it ended, why, and what its trainings came to.

    Args:
        path: Of the file.
        seed: Of what the tests draw, together with their ids.
        routing: Whose counts to write; None in a plain run.
    """

    def __init__(self, path: Path, seed: int, routing: Routing | None) -> None:
        self._path = path
        self._seed = seed
        self._routing = routing
        self._reports: list[pytest.TestReport] = []

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        import keras

        # Keras' tests draw their data unseeded: both runs have to draw the same, and alone the same as among others.
        keras.utils.set_random_seed(zlib.crc32(f"{self._seed} {nodeid}".encode()))
        self._reports = []
        if self._routing is not None:
            self._routing.forget()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reports.append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        ended = {report.outcome: report for report in self._reports}
        outcome = next(name for name in ("failed", "skipped", "passed") if name in ended)
        seconds = sum(report.duration for report in self._reports)
        line: dict[str, Any] = {"test": nodeid, "outcome": outcome, "seconds": seconds}
        if outcome == "failed":
            line["why"] = ended[outcome].longreprtext
        if self._routing is not None:
            line |= {"n_fits": self._routing.n_fits, "verdicts": dict(self._routing.verdicts)}
            line["failures"] = self._routing.failures
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--outcomes", type=Path, required=True)
    parser.addoption("--seed", type=int, default=0)
    parser.addoption("--routed", action="store_true")
    parser.addoption("--without-repairs", action="store_true")


def pytest_configure(config: pytest.Config) -> None:
    # Registered in Keras' own conftest.py, which its wheel lacks.
    config.addinivalue_line("markers", "requires_trainable_backend: not for backends without training")
    config.addinivalue_line("markers", "multi_device: needs several devices")
    import keras  # noqa: F401 - before the stand-ins: with these Keras would take the libraries for installed

    _stand_in_for_what_is_absent()
    routing = None
    if config.getoption("routed"):
        routing = Routing(**({"strategies": ()} if config.getoption("without_repairs") else {}))
        routing.install()
    config.pluginmanager.register(Outcomes(config.getoption("outcomes"), config.getoption("seed"), routing))


def _stand_in_for_what_is_absent() -> None:
    """Empty modules: enough to collect a file. A test that uses one fails, routed or not."""
    for name in ABSENT:
        if importlib.util.find_spec(name) is None:
            sys.modules[name] = types.ModuleType(name)
    conftest = types.ModuleType("conftest")
    # As in Keras' conftest.py.
    conftest.skip_if_backend = lambda backend, reason: pytest.mark.skipif(  # type: ignore[attr-defined]
        os.environ["KERAS_BACKEND"] == backend, reason=reason
    )
    sys.modules["conftest"] = conftest

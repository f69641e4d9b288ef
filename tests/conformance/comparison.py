"""Runs Keras' own tests twice, as they are and with `Model.fit` routed through `autofix.fit`, and compares.

Every test that passes as it is has to pass routed. `make conformance` runs them all.
"""

import collections
import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

PATTERNS = (
    "trainers/trainer_test.py",
    "models/model_test.py",
    "models/sequential_test.py",
    "models/functional_test.py",
    "callbacks/*_test.py",
)
"""Keras' tests that train with `fit`, under `keras/src`."""

TIMEOUT_S = 3600.0
"""Of one run of all of them, which takes three minutes on two idle cores: whoever waits longer waits for nothing."""

PLAIN: tuple[str, ...] = ()
ROUTED = ("--routed",)
UNREPAIRED = ("--routed", "--without-repairs")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a test ended.

    Args:
        outcome: `"passed"`, `"failed"`, `"skipped"`, or `"missing"` where the run has no such test.
        seconds: It took.
        why: The end of the traceback of a failure.
        n_fits: Trainings that went through `autofix.fit`.
        verdicts: How many of them ended with which verdict.
        failures: What broke down inside autofix.
    """

    outcome: str
    seconds: float = 0.0
    why: str = ""
    n_fits: int = 0
    verdicts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    failures: Sequence[str] = ()

    @property
    def is_passed(self) -> bool:
        """Whether it passed."""
        return self.outcome == "passed"


MISSING = Outcome("missing")

Outcomes = dict[str, Outcome]
"""By the id of the test."""

Run = Callable[[Sequence[str], Sequence[str]], Outcomes]
"""Takes what to run and the options of the plugin."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """A test that passed as it is and did not pass routed, run again alone.

    Args:
        test: Its id.
        kind: `"regression"`; `"repaired"` where it passes as soon as autofix repairs nothing, so that its claim is one
            about the very training that was repaired; `"unstable"` where it does not end alike when it runs alone.
        first: How it ended routed, among the others.
        plain: How it ended alone, as it is.
        routed: How it ended alone, routed.
    """

    test: str
    kind: str
    first: Outcome
    plain: Outcome
    routed: Outcome


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Both runs, and what differs."""

    plain: Outcomes
    routed: Outcomes
    differences: Sequence[Difference]

    @property
    def n_fits(self) -> int:
        """Trainings that went through `autofix.fit`."""
        return sum(outcome.n_fits for outcome in self.routed.values())

    @property
    def broken(self) -> dict[str, Sequence[str]]:
        """Tests in which something broke down inside autofix, with what. They may pass: the training went on."""
        return {test: outcome.failures for test, outcome in self.routed.items() if outcome.failures}

    def of_kind(self, kind: str) -> list[Difference]:
        """The differences of one kind."""
        return [difference for difference in self.differences if difference.kind == kind]


def keras_folder() -> Path:
    """The folder that holds the package `keras`."""
    spec = importlib.util.find_spec("keras")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parents[1]


def all_files() -> list[str]:
    """The files of `PATTERNS` that this Keras has, relative to its folder."""
    folder = keras_folder()
    return [str(path.relative_to(folder)) for name in PATTERNS for path in sorted((folder / "keras/src").glob(name))]


def run(selection: Sequence[str], options: Sequence[str] = PLAIN) -> Outcomes:
    """Runs some of Keras' tests in a process and a temporary folder of their own.

    Args:
        selection: Files, or ids of tests, relative to the folder of `keras`.
        options: Of the plugin.

    Raises:
        RuntimeError: pytest could not collect all that was asked for, or crashed.
    """
    folder = keras_folder()
    with tempfile.TemporaryDirectory() as scratch:
        outcomes = Path(scratch) / "outcomes.jsonl"
        outcomes.touch()
        command = [sys.executable, "-m", "pytest", "-p", "routing", f"--outcomes={outcomes}", *options]
        # Nothing of this project's settings, of a cache, or of other plugins.
        command += ["-c", os.devnull, f"--rootdir={folder}", "-p", "no:cacheprovider", "--noconftest", "--quiet"]
        command += [str(folder / name) for name in selection]
        done = subprocess.run(
            command, cwd=scratch, env=_environment(scratch), timeout=TIMEOUT_S, capture_output=True, text=True
        )
        if done.returncode not in (0, 1):  # neither all passed nor some failed
            raise RuntimeError(f"pytest ended with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        lines = outcomes.read_text(encoding="utf-8").splitlines()
    return {line.pop("test"): Outcome(**line) for line in map(json.loads, lines)}


def _environment(scratch: str) -> dict[str, str]:
    ours = ("PYTEST_", "KERAS_", "COVERAGE_", "COV_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **inherited,
        "KERAS_BACKEND": "tensorflow",
        # Keras reads its settings from there, and writes them.
        "KERAS_HOME": scratch,
        "TMPDIR": scratch,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)]),
    }


def differences(plain: Outcomes, routed: Outcomes, run: Run) -> list[Difference]:
    """Tests that pass as they are and not routed, each run again alone, both ways.

    Args:
        plain: How the tests ended as they are.
        routed: How they ended routed.
        run: Runs a test again.
    """
    return [
        _again(test, routed.get(test, MISSING), run)
        for test, outcome in plain.items()
        if outcome.is_passed and not routed.get(test, MISSING).is_passed
    ]


def _again(test: str, first: Outcome, run: Run) -> Difference:
    plain, routed = (run([test], options).get(test, MISSING) for options in (PLAIN, ROUTED))
    kind = "regression"
    if not plain.is_passed or routed.is_passed:
        kind = "unstable"
    elif routed.verdicts.get("repaired") and run([test], UNREPAIRED).get(test, MISSING).is_passed:
        kind = "repaired"
    return Difference(test, kind, first, plain, routed)


def compare(selection: Sequence[str], seed: int = 0) -> Comparison:
    """Runs some of Keras' tests both ways.

    Args:
        selection: Files, or ids of tests, relative to the folder of `keras`.
        seed: Of the data and the initial weights that the tests draw.
    """

    def seeded(selection: Sequence[str], options: Sequence[str]) -> Outcomes:
        return run(selection, [*options, f"--seed={seed}"])

    plain, routed = seeded(selection, PLAIN), seeded(selection, ROUTED)
    return Comparison(plain, routed, differences(plain, routed, seeded))


def table(comparison: Comparison) -> str:
    """A line a file: how its tests ended as they are and routed, how many trainings were routed, what differs."""
    head: tuple[str, ...] = ("file", "plain: passed", "failed", "skipped", "routed: passed", "failed", "skipped")
    head += ("trainings", "seconds", "broken", "repaired", "unstable", "regressions")
    files = sorted({_file(test) for test in comparison.plain})
    lines = [head, *(_row(name, comparison, [name]) for name in files), _row("all", comparison, files)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(cells))
        for cells in (list(zip(line, widths, strict=True)) for line in lines)
    )


def _row(name: str, comparison: Comparison, files: Iterable[str]) -> tuple[str, ...]:
    inside = set(files)

    def of(outcomes: Mapping[str, Any]) -> list[Any]:
        return [outcome for test, outcome in outcomes.items() if _file(test) in inside]

    plain, routed = of(comparison.plain), of(comparison.routed)
    counts: list[int] = []
    for outcomes in (plain, routed):
        ended = collections.Counter(outcome.outcome for outcome in outcomes)
        counts += [ended["passed"], ended["failed"], ended["skipped"]]
    seconds = "/".join(f"{sum(outcome.seconds for outcome in outcomes):.0f}" for outcomes in (plain, routed))
    kinds = collections.Counter(one.kind for one in comparison.differences if _file(one.test) in inside)
    return (
        name.removeprefix("keras/src/"),
        *map(str, counts),
        str(sum(outcome.n_fits for outcome in routed)),
        seconds,
        str(len(of(comparison.broken))),
        *(str(kinds[kind]) for kind in ("repaired", "unstable", "regression")),
    )


def _file(test: str) -> str:
    return test.partition("::")[0]


def problems(comparison: Comparison) -> list[str]:
    """Why the comparison does not hold, in words; empty when it does."""
    found = [
        f"{one.test}: passed as it is, {one.routed.outcome} routed.\n{one.routed.why}"
        for one in comparison.of_kind("regression")
    ]
    found += [f"{test}: {'; '.join(failures)}" for test, failures in comparison.broken.items()]
    if not comparison.n_fits:
        found.append("No training went through autofix.fit.")
    return found


def main() -> int:
    """Compares all files, and prints the table. The one argument is the seed."""
    comparison = compare(all_files(), seed=int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    verdicts: collections.Counter[str] = collections.Counter()
    for outcome in comparison.routed.values():
        verdicts.update(outcome.verdicts)
    print(table(comparison))
    print("\nverdicts:", ", ".join(f"{count} {name}" for name, count in verdicts.most_common()))
    for one in comparison.differences:
        print(
            f"{one.kind}: {one.test}: {one.first.outcome} routed; alone {one.plain.outcome} as it is, "
            f"{one.routed.outcome} routed"
        )
    found = problems(comparison)
    print("\n" + "\n\n".join(found) if found else "Every test that passes as it is passes routed.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

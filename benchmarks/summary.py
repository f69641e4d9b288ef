"""What the benchmarks share: timing, statistics, floors, tables and the JSON file.

R² and spread are computed here once more, so that no benchmark judges autofix by autofix' own yardstick.
"""

import dataclasses
import gc
import importlib.metadata
import json
import math
import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rich.box
import rich.console
import rich.table

PLAIN_WIDTH = 120
"""Columns of a table that is written to a file or a pipe, where no terminal says how wide it is."""

BOOTSTRAP_DRAWS = 10_000
"""Resamples of an interval; its ends then move by less than the digits that are printed."""

ROUNDING = 1e-9
"""Keeps `0.95 * 20` from asking for 20 of 20."""

console = rich.console.Console(highlight=False)
if not console.is_terminal:
    console = rich.console.Console(highlight=False, width=PLAIN_WIDTH)


class Quartiles(NamedTuple):
    """The middle of a sample and where its inner half lies."""

    lower: float
    median: float
    upper: float

    def __str__(self) -> str:
        return f"{self.median:.3f} (quartiles {self.lower:.3f} to {self.upper:.3f})"


def quartiles(values: Iterable[float]) -> Quartiles:
    """The quartiles of a sample; NaN for an empty one.

    Example:

    >>> print(quartiles([1.0, 2.0, 3.0, 4.0, 5.0]))
    3.000 (quartiles 2.000 to 4.000)
    """
    sample = np.sort(np.asarray(list(values), dtype=np.float64))
    if not len(sample):
        return Quartiles(math.nan, math.nan, math.nan)
    # Neighbours instead of interpolation: -inf, the R² of a diverged network, would turn into NaN.
    lower, median, upper = np.quantile(sample, [0.25, 0.5, 0.75], method="lower")
    if np.isfinite(sample).all():
        lower, median, upper = np.quantile(sample, [0.25, 0.5, 0.75])
    return Quartiles(float(lower), float(median), float(upper))


def median_interval(values: Iterable[float], level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """The bootstrap percentile interval of the median; NaN for an empty sample.

    Args:
        values: The sample.
        level: Share of the resampled medians inside the interval, between 0 and 1.
        seed: Of the resampling.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 13.3.

    Example:

    >>> median_interval([1.0, 1.0, 1.0])
    (1.0, 1.0)
    """
    sample = np.asarray(list(values), dtype=np.float64)
    if not len(sample):
        return math.nan, math.nan
    rng = np.random.default_rng(seed)
    medians = np.median(rng.choice(sample, size=(BOOTSTRAP_DRAWS, len(sample))), axis=1)
    lower, upper = np.quantile(medians, [(1 - level) / 2, (1 + level) / 2])
    return float(lower), float(upper)


def r_squared(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Share of the targets' variance that the predictions explain: 1 is perfect, 0 no better than the mean.

    Args:
        targets: Any shape; compared element by element after flattening.
        predictions: As many values.

    Returns:
        At most 1; -inf for predictions that are not finite; NaN for constant targets.

    Example:

    >>> r_squared(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0]))
    0.0
    """
    wanted = np.asarray(targets, dtype=np.float64).reshape(-1)
    given = np.asarray(predictions, dtype=np.float64).reshape(-1)
    total = np.sum((wanted - wanted.mean()) ** 2)
    if total == 0:
        return math.nan
    if not np.isfinite(given).all():
        return -math.inf
    return float(1 - np.sum((wanted - given) ** 2) / total)


def spread(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Standard deviation of the predictions over that of the targets; 0 for constant predictions.

    NaN for predictions that are not finite and for constant targets.

    Example:

    >>> spread(np.array([1.0, 3.0]), np.array([2.0, 3.0]))
    0.5
    """
    given, wanted = (np.asarray(values, dtype=np.float64) for values in (predictions, targets))
    if not np.isfinite(given).all() or wanted.std() == 0:
        return math.nan
    return float(given.std() / wanted.std())


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What `call` returns, and its wall time in seconds. Garbage of earlier work is collected before."""
    gc.collect()
    started = time.perf_counter()
    result = call()
    return result, time.perf_counter() - started


def at_least(share: float, n: int) -> int:
    """The smallest count out of `n` that is a `share` of it.

    Example:

    >>> at_least(0.95, 20), at_least(0.95, 3)
    (19, 3)
    """
    return math.ceil(share * n - ROUNDING)


def at_most(share: float, n: int) -> int:
    """The largest count out of `n` that is no more than a `share` of it.

    Example:

    >>> at_most(0.04, 50), at_most(0.04, 10)
    (2, 0)
    """
    return math.floor(share * n + ROUNDING)


def counted(names: Iterable[str]) -> str:
    """How often each name occurs, most frequent first.

    Example:

    >>> counted(["healthy", "repaired", "repaired"])
    '2 repaired, 1 healthy'
    """
    every = list(names)
    ordered = sorted(set(every), key=lambda name: (-every.count(name), name))
    return ", ".join(f"{every.count(name)} {name}" for name in ordered)


@dataclasses.dataclass(frozen=True)
class Check:
    """A requirement beside what was measured.

    Args:
        title: What is asked, such as `"R² >= 0.95"`.
        floor: The requirement as text, such as `"at least 19 of 20"`.
        measured: What came out, as text.
        passed: Whether the requirement holds.
    """

    title: str
    floor: str
    measured: str
    passed: bool


def count_check(title: str, count: int, n: int, *, least: int | None = None, most: int | None = None) -> Check:
    """A check on how many of `n` runs did something, with a lower or an upper bound.

    Example:

    >>> count_check("verdict repaired", 1, 50, most=2)
    Check(title='verdict repaired', floor='at most 2 of 50', measured='1 of 50', passed=True)
    """
    low = 0 if least is None else least
    high = n if most is None else most
    floor = f"at most {high} of {n}" if least is None else f"at least {low} of {n}"
    return Check(title, floor, f"{count} of {n}", low <= count <= high)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table; a column of numbers is set to the right."""
    body = [list(row) for row in rows]
    table = rich.table.Table(title=title, title_justify="left", box=rich.box.SIMPLE_HEAD)
    for index, column in enumerate(columns):
        numeric = all(_is_number(row[index]) for row in body)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in body:
        table.add_row(*row)
    console.print(table)


def print_checks(checks: Sequence[Check]) -> int:
    """Prints every requirement beside the measured figure.

    Returns:
        The exit code of the command: 1 when a floor is missed, else 0.
    """
    rows = [(check.title, check.floor, check.measured, "yes" if check.passed else "NO") for check in checks]
    print_table("Requirements", ("what", "required", "measured", "holds"), rows)
    return 0 if all(check.passed for check in checks) else 1


def json_safe(value: Any) -> Any:
    """A value as strict JSON knows it: dataclasses as objects, numbers that are not finite as None.

    Example:

    >>> json_safe({"r2": -math.inf, "strategies": ("reshuffle",)})
    {'r2': None, 'strategies': ['reshuffle']}
    """
    if hasattr(value, "to_dict"):
        return json_safe(value.to_dict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return json_safe(dataclasses.asdict(value))
    if isinstance(value, dict):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def write_json(path: Path | None, **parts: Any) -> None:
    """Writes the parts and a note on where they were measured; does nothing without a path."""
    if path is None:
        return
    packages = ("tensorflow", "keras", "keras-tuner", "numpy", "scikit-learn")
    measured_on = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        **{package: importlib.metadata.version(package) for package in packages},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(json_safe({"measured_on": measured_on, **parts}), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")

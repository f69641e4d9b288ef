"""Nothing to learn: targets that do not depend on the inputs, in programs that work and in broken ones.

A repair claimed here is a false one.
"""

import dataclasses
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autofix.benchmarks import lines, summary
from autofix.benchmarks.faults import data, trained
from autofix.benchmarks.faults.bases import BINARY, BY_NAME
from autofix.benchmarks.faults.data_faults import scale_inputs
from autofix.benchmarks.faults.network_faults import kill_units
from autofix.benchmarks.faults.programs import Base, Options, Program
from autofix.benchmarks.faults.training_faults import raise_rate

FALSE_REPAIR_SHARE = 0.02

FLOOR_S = 5.0
"""Seconds that reference learners and the compilation of a few trials may take whatever the program costs; beyond
them, looking for what is not there must not take longer than the training itself."""

FEATURES = 5
FEW_ROWS = 12


def noise(n_rows: int, rng: np.random.Generator) -> data.Rows:
    """Standard normal inputs and independent standard normal targets."""
    return rng.normal(size=(n_rows, FEATURES)), rng.normal(size=n_rows)


def constant(n_rows: int, rng: np.random.Generator) -> data.Rows:
    """The same target in every row."""
    return rng.normal(size=(n_rows, FEATURES)), np.full(n_rows, 3.0)


def coins(n_classes: int) -> data.MakeData:
    """Standard normal inputs, and classes drawn without a look at them."""

    def make_data(n_rows: int, rng: np.random.Generator) -> data.Rows:
        return rng.normal(size=(n_rows, FEATURES)), rng.integers(n_classes, size=n_rows)

    return make_data


def noise_images(n_rows: int, rng: np.random.Generator) -> data.Rows:
    """Images of noise, and classes drawn without a look at them."""
    size = (n_rows, data.IMAGE_SIZE, data.IMAGE_SIZE, 1)
    return rng.normal(size=size), rng.integers(len(data.SHAPES), size=n_rows)


def noise_series(n_rows: int, rng: np.random.Generator) -> data.Rows:
    """Sequences of noise and independent targets."""
    return rng.normal(size=(n_rows, data.SERIES_STEPS, 2)), rng.normal(size=n_rows)


def _shuffled_targets(program: Program, rng: np.random.Generator) -> Program:
    """Real rows, whose targets were dealt out anew, with inputs out of scale on top."""
    dealt = program.changed("targets shuffled", y=rng.permutation(program.y), y_fresh=rng.permutation(program.y_fresh))
    return scale_inputs(dealt, rng)


@dataclasses.dataclass(frozen=True)
class Unlearnable:
    """A program with nothing to learn.

    Args:
        base: The program.
        plant: A fault to plant on top, or None.
    """

    base: Base
    plant: Callable[[Program, np.random.Generator], Program] | None = None

    def draw(self, seed: int) -> Program:
        """The program with the rows of one seed."""
        program = self.base.draw(seed)
        return self.plant(program, np.random.default_rng([seed, 1])) if self.plant else program


NOISE = Base("noise", "regression", noise, Options(units=16), 200)
COINS = Base("coins", "binary", coins(2), Options(units=16, **BINARY), 200)
THREE = Options(units=16, head_units=3, head_activation="softmax", loss="sparse_categorical_crossentropy")

PROGRAMS = (
    Unlearnable(NOISE),
    Unlearnable(dataclasses.replace(BY_NAME["regression"], name="shuffled targets", n_rows=200), _shuffled_targets),
    Unlearnable(dataclasses.replace(NOISE, name="constant targets", make_data=constant)),
    Unlearnable(dataclasses.replace(NOISE, name="few rows", n_rows=FEW_ROWS)),
    Unlearnable(COINS),
    Unlearnable(Base("three classes", "multiclass", coins(3), THREE, 200)),
    Unlearnable(dataclasses.replace(BY_NAME["images"], name="noise images", make_data=noise_images, n_rows=200)),
    Unlearnable(dataclasses.replace(BY_NAME["series"], name="noise series", make_data=noise_series, n_rows=200)),
    Unlearnable(dataclasses.replace(NOISE, name="noise, high rate"), raise_rate),
    Unlearnable(dataclasses.replace(COINS, name="coins, dead network"), kill_units),
)

_BY_NAME = {one.base.name: one for one in PROGRAMS}


def run(program: str, seed: int) -> dict[str, Any]:
    """`model.fit` and `autofix.fit` on one program, as a record of JSON values."""
    drawn = _BY_NAME[program].draw(seed)
    record: dict[str, Any] = {"kind": "unlearnable", "program": program, "seed": seed}
    try:
        plain, fixed = trained.train(drawn), trained.train(drawn, "evidence")
    except Exception:  # noqa: BLE001 - one run that fails is a result; it must not end the others
        return {**record, "error": traceback.format_exc(limit=-6)}
    report = fixed.report
    assert report is not None
    figures = {
        "error": "",
        "verdict": report.verdict,
        "strategies": report.recipe.strategies,
        "findings": [(finding.cause, finding.confidence) for finding in report.findings],
        "skill": fixed.skill,
        "plain_seconds": plain.seconds,
        "seconds": fixed.seconds,
        "n_trials": len(report.trials),
        "parts": report.seconds,
        "notes": report.notes,
    }
    safe: dict[str, Any] = summary.json_safe({**record, **figures})
    return safe


def beyond_floor(records: Sequence[dict[str, Any]]) -> list[float]:
    """Wall time of `autofix.fit`, less the floor, over that of `model.fit`; 0 where it stays within the floor."""
    return [max(0.0, record["seconds"] - FLOOR_S) / record["plain_seconds"] for record in records]


def checks(records: Sequence[dict[str, Any]]) -> list[summary.Check]:
    """The requirements beside the measured figures."""
    n = len(records)
    ran = [record for record in records if not record["error"]]
    repaired = sum(record["verdict"] == "repaired" for record in ran)
    ratios = beyond_floor(ran)
    found = [
        summary.count_check("verdict repaired", repaired, n, most=summary.at_most(FALSE_REPAIR_SHARE, n)),
        summary.count_check("runs that failed", n - len(ran), n, most=0),
    ]
    for title, share in (("median", 0.5), ("95th percentile", 0.95)):
        value = float(np.quantile(ratios, share)) if ratios else float("nan")
        name = f"time beyond {FLOOR_S:.0f} s over model.fit's, {title}"
        found.append(summary.Check(name, "at most 1", f"{value:.2f}", value <= 1.0))
    return found


def tasks(runs: int, first_seed: int) -> list[lines.Task]:
    """The programs in turn, each time with the next seed."""
    every = [(PROGRAMS[index % len(PROGRAMS)].base.name, first_seed + index // len(PROGRAMS)) for index in range(runs)]
    return [
        lines.Task({"kind": "unlearnable", "program": name, "seed": seed}, run, (name, seed)) for name, seed in every
    ]


def _row(name: str, records: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    ran = [record for record in records if not record["error"]]
    times = [record["seconds"] / record["plain_seconds"] for record in ran]
    median, high = np.quantile(times, [0.5, 0.95]) if times else (float("nan"), float("nan"))
    verdicts = summary.counted(record.get("verdict", "error") for record in records)
    fixes = summary.counted("+".join(record["strategies"]) for record in ran if record["strategies"])
    return name, str(len(records)), verdicts, fixes, f"{median:.1f}", f"{high:.1f}"


def main(runs: int, first_seed: int, json: Path | None) -> int:
    """Runs the programs and prints verdicts and requirements.

    Args:
        runs: How many, over all programs.
        first_seed: Of the first run of each program.
        json: Where the records are, and are appended to, one a line; nowhere when None.

    Returns:
        The exit code: 1 when a requirement is missed.
    """
    records = lines.collect(tasks(runs, first_seed), json, trained.warm_up)
    rows = [
        _row(one.base.name, own)
        for one in PROGRAMS
        if (own := [record for record in records if record["program"] == one.base.name])
    ]
    columns = ("program", "runs", "verdicts", "false fixes", "time, median", "95th percentile")
    summary.print_table("Verdicts where there is nothing to learn; time over that of model.fit", columns, rows)
    return summary.print_checks(checks(records))

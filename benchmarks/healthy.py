"""Healthy trainings: does autofix leave them alone, to the last bit of the weights?

Both arms of a pair train the same program from the same seed, one with `model.fit`, one with `autofix.fit`.
"""

import dataclasses
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autofix.benchmarks import lines, summary
from autofix.benchmarks.faults import data, trained
from autofix.benchmarks.faults.bases import BINARY, BY_NAME
from autofix.benchmarks.faults.programs import Base, Options

RARE_LOGIT = -3.2
"""Log odds of a rare event at the middle of the features: with the slopes below, 1 row in 17."""

NOISY_SHARE = 0.06
"""Of a noisy target's variance, what the features explain: held-out skill of a network ends between 0.02 and it."""


def rare_events(n_rows: int, rng: np.random.Generator) -> data.Rows:
    """Four features, and events whose log odds are a weighted sum of them: few, and never certain."""
    x = rng.normal(size=(n_rows, 4))
    odds = RARE_LOGIT + x @ np.array([1.0, -0.7, 0.5, 0.0])
    return x, (rng.random(n_rows) < 1.0 / (1.0 + np.exp(-odds))).astype(np.int64)


def noisy_line(n_rows: int, rng: np.random.Generator) -> data.Rows:
    """Four features and a target of unit variance that they explain 6 % of."""
    x = rng.normal(size=(n_rows, 4))
    signal = x @ np.array([0.8, -0.6, 0.0, 0.0])
    return x, np.sqrt(NOISY_SHARE) * signal + np.sqrt(1.0 - NOISY_SHARE) * rng.normal(size=n_rows)


PROGRAMS = (
    dataclasses.replace(BY_NAME["regression"], name="tabular", epochs=20),
    dataclasses.replace(BY_NAME["images"], name="image", epochs=12),
    dataclasses.replace(BY_NAME["series"], name="sequence", epochs=15),
    Base("imbalanced", "binary", rare_events, Options(units=8, depth=1, **BINARY), 1_500, epochs=12, batch_size=32),
    Base("noisy", "regression", noisy_line, Options(units=8, depth=1, learning_rate=0.001), 2_000, 12, 32),
)

_BY_NAME = {base.name: base for base in PROGRAMS}


def pair(program: str, seed: int) -> dict[str, Any]:
    """Both arms of one pair, as a record of JSON values."""
    drawn = _BY_NAME[program].draw(seed)
    record: dict[str, Any] = {"kind": "healthy", "program": program, "seed": seed}
    try:
        plain, watched = trained.train(drawn), trained.train(drawn, "evidence")
    except Exception:  # noqa: BLE001 - one pair that fails is a result; it must not end the others
        return {**record, "error": traceback.format_exc(limit=-6)}
    report = watched.report
    assert report is not None
    figures = {
        "error": "",
        "verdict": report.verdict,
        "is_identical": are_identical(plain.weights, watched.weights),
        "skill": plain.skill,
        "skill_lower": plain.skill_lower,
        "plain_seconds": plain.seconds,
        "seconds": watched.seconds,
        "notes": report.notes,
    }
    safe: dict[str, Any] = summary.json_safe({**record, **figures})
    return safe


def are_identical(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> bool:
    """Whether two models have the same weights, to the last bit."""
    return len(first) == len(second) and all(
        one.shape == other.shape and one.tobytes() == other.tobytes() for one, other in zip(first, second, strict=True)
    )


def checks(records: Sequence[dict[str, Any]]) -> list[summary.Check]:
    """The requirements beside the measured figures."""
    n = len(records)
    ran = [record for record in records if not record["error"]]
    alone = sum(record["verdict"] == "healthy" for record in ran)
    identical = sum(record["is_identical"] for record in ran)
    return [
        summary.count_check("verdict healthy", alone, n, least=n),
        summary.count_check("weights identical to model.fit's", identical, n, least=n),
    ]


def tasks(runs: int, first_seed: int) -> list[lines.Task]:
    """The programs in turn, each time with the next seed."""
    every = [(PROGRAMS[index % len(PROGRAMS)].name, first_seed + index // len(PROGRAMS)) for index in range(runs)]
    return [lines.Task({"kind": "healthy", "program": name, "seed": seed}, pair, (name, seed)) for name, seed in every]


def _row(name: str, records: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    ran = [record for record in records if not record["error"]]
    skill = summary.quartiles(record["skill"] for record in ran)
    lowest = min((record["skill"] for record in ran), default=float("nan"))
    ratio = summary.quartiles(record["seconds"] / record["plain_seconds"] for record in ran)
    identical = sum(record["is_identical"] for record in ran)
    verdicts = summary.counted(record.get("verdict", "error") for record in records)
    return (
        name,
        str(len(records)),
        verdicts,
        str(identical),
        f"{skill.median:.2f}",
        f"{lowest:.2f}",
        f"{ratio.median:.2f}",
    )


def main(runs: int, first_seed: int, json: Path | None) -> int:
    """Runs the pairs and prints verdicts and requirements.

    Args:
        runs: How many pairs, over all programs.
        first_seed: Of the first pair of each program.
        json: Where the records are, and are appended to, one a line; nowhere when None.

    Returns:
        The exit code: 1 when a requirement is missed.
    """
    records = lines.collect(tasks(runs, first_seed), json, trained.warm_up)
    rows = [
        _row(base.name, own)
        for base in PROGRAMS
        if (own := [record for record in records if record["program"] == base.name])
    ]
    columns = ("program", "pairs", "verdicts", "identical", "median skill", "lowest", "time")
    summary.print_table("Healthy programs under autofix.fit", columns, rows)
    return summary.print_checks(checks(records))

"""Planted faults: is the collapse found, its cause named, and the smallest fix the one that undoes it?"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autofix.benchmarks import lines, summary
from autofix.benchmarks.faults import judging, scores, trained
from autofix.benchmarks.faults.catalogue import BY_FAULT, Case, cases, true_causes, unknown_names
from autofix.settings import ORDERS

BROKEN_SHARE = 0.8
"""Of its seeds, a fault must break a program in this share: it is planted nowhere else."""

HEALTHY_SKILL = 0.5
"""Skill on fresh rows of a program that works."""


def _wrong(faults: Sequence[str], bases: Sequence[str], orders: Sequence[str]) -> str:
    """What is wrong with the arguments; empty when nothing is."""
    if unknown := unknown_names(faults, bases):
        return f"Unknown fault or base. Expected some of {', '.join(BY_FAULT)}. Received: {', '.join(unknown)}"
    if unknown := sorted(set(orders) - set(ORDERS)):
        return f"Unknown order. Expected some of {', '.join(ORDERS)}. Received: {', '.join(unknown)}"
    return ""


def _show_line(record: dict[str, Any]) -> None:
    summary.console.print(_line(record), markup=False, soft_wrap=True)


def _line(record: dict[str, Any]) -> str:
    """A run as the line that is printed when it has ended."""
    head = f"{record.get('fault', 'healthy')} {record['base']} seed {record['seed']}"
    if record["error"]:
        return f"{head}: {record['error'].strip().splitlines()[-1]}"
    if record["kind"] == "base":
        return f"{head}: skill {judging.number(record['skill']):.2f} in {record['plain_seconds']:.1f} s"
    skills = f"{judging.number(record['plain_skill']):.2f} of {judging.number(record['healthy_skill']):.2f}"
    if record["kind"] == "check":
        return f"{head}: skill {skills}, {'; '.join(record['planted'])}"
    judged = scores.judge(record)
    missed = ", ".join(name for name, holds in judged._asdict().items() if not holds)
    causes = ", ".join(f"{cause} {confidence:.2f}" for cause, confidence, _ in record["findings"][:3])
    fix = "+".join(record["strategies"]) or "nothing"
    return (
        f"{head} {record['order']}: {record['verdict']} by {fix}, skill {skills} "
        f"-> {judging.number(record['skill']):.2f}, {record['n_trials']} trials, {record['plain_seconds']:.1f} -> "
        f"{record['seconds']:.1f} s; causes: {causes or 'none'}; "
        f"{'all right' if not missed else f'not {missed}'}{_failure(record)}"
    )


def _failure(record: dict[str, Any]) -> str:
    """What autofix says of a failure of its own."""
    return "".join(f"; {note}" for note in record["notes"] if "autofix failed" in note)


def check_rows(records: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """For each fault and program: seeds, share of them that are broken, and the skills.

    Args:
        records: Of kind `"check"`.
    """
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in records:
        groups.setdefault((record["fault"], record["base"]), []).append(record)
    rows: list[tuple[str, ...]] = []
    for (fault, base), own in groups.items():
        ran = [record for record in own if not record["error"]]
        share = sum(judging.is_broken(record) for record in ran) / len(own)
        healthy = [judging.number(record["healthy_skill"]) for record in own]
        plain = summary.quartiles(judging.number(record["plain_skill"]) for record in ran)
        holds = share >= BROKEN_SHARE and min(healthy) >= HEALTHY_SKILL
        row = (fault, base, str(len(own)), f"{share:.2f}", f"{plain.median:.2f}", f"{min(healthy):.2f}")
        rows.append((*row, "yes" if holds else "NO"))
    return rows


def base_rows(records: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """For each healthy program: seeds, the lowest and the median skill, its lowest lower bound, and the time.

    Args:
        records: Of kind `"base"`.
    """
    rows: list[tuple[str, ...]] = []
    for base in dict.fromkeys(record["base"] for record in records):
        own = [record for record in records if record["base"] == base and not record["error"]]
        skills = [judging.number(record["skill"]) for record in own]
        lower = min((judging.number(record["skill_lower"]) for record in own), default=math.nan)
        seconds = summary.quartiles(record["plain_seconds"] for record in own).median
        lowest = min(skills, default=math.nan)
        figures = (summary.quartiles(skills).median, lowest, lower, seconds)
        holds = "yes" if lowest >= HEALTHY_SKILL else "NO"
        rows.append((base, str(len(own)), *(f"{figure:.2f}" for figure in figures), holds))
    return rows


def _check(chosen: Sequence[Case], json: Path | None) -> int:
    """Shows that the programs are healthy, and that the faults break them, under plain `model.fit`."""
    drawn = dict.fromkeys((case.base, case.seed) for case in chosen)
    bases = [
        lines.Task({"kind": "base", "base": base, "seed": seed}, trained.check_base, (base, seed))
        for base, seed in drawn
    ]
    faults = [lines.Task({"kind": "check", **case._asdict()}, trained.check_case, (case,)) for case in chosen]
    records = lines.collect([*bases, *faults], json, trained.warm_up, _show_line)
    healthy = base_rows([record for record in records if record["kind"] == "base"])
    columns = ("program", "seeds", "median skill", "lowest", "lowest bound", "seconds", "holds")
    summary.print_table("Healthy programs under plain model.fit", columns, healthy)
    broken = check_rows([record for record in records if record["kind"] == "check"])
    columns = ("fault", "program", "seeds", "broken", "median skill", "lowest healthy", "holds")
    summary.print_table("What the faults do under plain model.fit", columns, broken)
    return 0 if all(row[-1] == "yes" for row in (*healthy, *broken)) else 1


def main(
    seeds: int,
    first_seed: int,
    faults: Sequence[str],
    bases: Sequence[str],
    orders: Sequence[str],
    doubles: bool,
    check_programs: bool,
    json: Path | None,
) -> int:
    """Plants the faults, runs `autofix.fit` on each, and prints what was found and repaired beside the floors.

    Args:
        seeds: How many seeds.
        first_seed: The first of them.
        faults: Names of the faults, or pairs, to plant; all when empty.
        bases: Names of the programs to plant them into; all that they break when empty.
        orders: Of the strategies.
        doubles: Whether to plant pairs of faults.
        check_programs: Whether only to show that the faults break the programs under plain `model.fit`.
        json: Where the records are, and are appended to, one a line; nowhere when None.

    Returns:
        The exit code: 1 when a floor is missed, 2 for a name that does not exist.
    """
    if wrong := _wrong(faults, bases, orders):
        summary.console.print(wrong, soft_wrap=True)
        return 2
    chosen = cases(range(first_seed, first_seed + seeds), faults, bases, doubles=doubles)
    if check_programs:
        return _check(chosen, json)
    tasks = [
        lines.Task({"kind": "diagnosis", **case._asdict(), "order": order}, trained.diagnose_case, (case, order))
        for case in chosen
        for order in orders
    ]
    records = lines.collect(tasks, json, trained.warm_up, _show_line)
    for order in orders:
        own = [record for record in records if record["order"] == order]
        _show(own, order)
    checks = scores.checks(records)
    return summary.print_checks(checks)


def _show(records: Sequence[dict[str, Any]], order: str) -> None:
    broken = scores.counted(records)
    if len(broken) < len(records):
        summary.console.print(f"{len(records) - len(broken)} runs left out: their seed trains under plain model.fit.")
    rows = scores.table(records, lambda record: _cause(record["fault"]))
    summary.print_table(f"By cause, strategies ordered by {order}", scores.COLUMNS, rows)


def _cause(fault: str) -> str:
    """The group of the table that a fault belongs to: its first cause, or both of a pair."""
    return " + ".join(causes[0] for causes in true_causes(fault))

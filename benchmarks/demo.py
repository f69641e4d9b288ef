"""The three published failing programs as a table and a picture: `model.fit` beside `autofix.fit`."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from autofix.benchmarks import summary
from autofix.benchmarks.published import PROGRAMS, Outcome, Side, run, warm_up

PICTURE = "published.png"

COLOURS = {"model.fit": "#D55E00", "autofix.fit": "#0072B2"}
"""Vermillion and blue of the palette of Okabe and Ito, which colour-blind readers can tell apart."""

PADDING = 0.06
"""Free room around the points, as a share of their range."""


@dataclasses.dataclass(frozen=True)
class Panel:
    """What one panel of the picture shows.

    Args:
        title: The program; empty below the first row.
        arm: `"model.fit"` or `"autofix.fit"`.
        targets: Of the fresh rows, shape `(n_fresh_rows,)`.
        predictions: On the fresh rows, same shape.
        caption: R² and spread.
        limits: Of both axes, the same for both arms of a program.
    """

    title: str
    arm: str
    targets: np.ndarray
    predictions: np.ndarray
    caption: str
    limits: tuple[float, float]


def _limits(outcome: Outcome) -> tuple[float, float]:
    """A range that holds every target, and every prediction of both arms that is finite."""
    values = np.concatenate([outcome.targets, outcome.plain.predictions, outcome.fixed.predictions])
    finite = values[np.isfinite(values)]
    room = PADDING * (finite.max() - finite.min())
    return float(finite.min() - room), float(finite.max() + room)


def panels(outcomes: Sequence[Outcome]) -> list[list[Panel]]:
    """The picture as data: a row for each arm, a column for each program."""
    titles = {program.name: program.title for program in PROGRAMS}
    grid = []
    for arm in COLOURS:
        row = []
        for outcome in outcomes:
            side = outcome.plain if arm == "model.fit" else outcome.fixed
            caption = f"R² {side.r2:.2f}\nspread {side.spread:.2f}"
            title = titles[outcome.program] if arm == "model.fit" else ""
            row.append(Panel(title, arm, outcome.targets, side.predictions, caption, _limits(outcome)))
        grid.append(row)
    return grid


def _draw_panel(axes: Any, panel: Panel) -> None:
    axes.axline((0, 0), slope=1, color="0.55", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.scatter(panel.targets, panel.predictions, s=9, alpha=0.45, linewidths=0, color=COLOURS[panel.arm], zorder=2)
    axes.set(xlim=panel.limits, ylim=panel.limits, box_aspect=1)
    axes.set_title(panel.title[:1].upper() + panel.title[1:], fontsize=12, pad=10)
    axes.text(
        0.04,
        0.96,
        panel.caption,
        transform=axes.transAxes,
        va="top",
        fontsize=11,
        linespacing=1.4,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 3},
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, color="0.55")
    axes.locator_params(nbins=5)
    axes.grid(color="0.93", zorder=0)
    axes.set_axisbelow(True)


def draw(grid: Sequence[Sequence[Panel]], path: Path) -> Path:
    """Draws the panels as a PNG file, whose folder is made if need be, and returns its path."""
    # A Figure of its own is drawn by Agg and leaves the backend of pyplot alone.
    figure = Figure(figsize=(3.7 * len(grid[0]), 7.6), layout="constrained")
    every = figure.subplots(len(grid), len(grid[0]), squeeze=False)
    for row, axes_row in zip(grid, every, strict=True):
        for panel, axes in zip(row, axes_row, strict=True):
            _draw_panel(axes, panel)
        arm = row[0].arm
        axes_row[0].set_ylabel(arm, fontsize=13, fontweight="bold", color=COLOURS[arm], labelpad=10)
    figure.supxlabel("target", fontsize=11)
    figure.supylabel("prediction", fontsize=11)
    figure.suptitle("Predictions on 1,000 rows that neither training has seen", fontsize=13)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, facecolor="white")
    return path


def _row(title: str, arm: str, side: Side, verdict: str, fix: str) -> tuple[str, ...]:
    return title, arm, f"{side.spread:.3f}", f"{side.r2:.3f}", f"{side.seconds:.2f}", verdict, fix


def _show_fixes(outcomes: Sequence[Outcome]) -> None:
    """Prints the code of every fix below the table, whose columns are too narrow to paste from."""
    titles = {program.name: program.title for program in PROGRAMS}
    for outcome in outcomes:
        if outcome.fix:
            summary.console.print(f"Smallest fix, {titles[outcome.program]}:")
            for line in outcome.fix.splitlines():
                summary.console.print(f"    {line}", markup=False, soft_wrap=True)
    summary.console.print()


def _show(outcomes: Sequence[Outcome]) -> None:
    titles = {program.name: program.title for program in PROGRAMS}
    rows = []
    for outcome in outcomes:
        rows.append(_row(titles[outcome.program], "model.fit", outcome.plain, "", ""))
        rows.append(_row("", "autofix.fit", outcome.fixed, outcome.verdict, "\n".join(outcome.strategies)))
    columns = ("program", "trained with", "spread", "held-out R²", "seconds", "verdict", "fix found")
    summary.print_table("Three programs that fail under plain Keras", columns, rows)


def main(seed: int, out: Path) -> int:
    """Trains the three programs both ways, prints the table and draws the picture.

    Args:
        seed: Of data and initial weights.
        out: Folder of the picture.

    Returns:
        The exit code, 0.
    """
    warm_up()
    outcomes = []
    for program in PROGRAMS:
        summary.console.print(f"training: {program.title} ...")
        outcomes.append(run(program, seed))
    _show(outcomes)
    _show_fixes(outcomes)
    path = draw(panels(outcomes), out / PICTURE)
    summary.console.print(f"Predictions against targets: {path}", soft_wrap=True)
    return 0

"""The pictures of the results: what is drawn is computed in `measures`."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from autofix.benchmarks import measures
from autofix.benchmarks.measures import Results

PARTS = ("watch", "looks", "references", "evidence", "trials", "minimize", "final")
"""Of the time of `autofix.fit`, in their order."""

COLOURS = matplotlib.colormaps["tab10"].colors  # type: ignore[attr-defined]

LEAST_SHOWN = -1.0
"""Skill over that of the hand-made fix below which points lie on the lower edge."""


def draw(results: Results, folder: Path) -> list[tuple[str, Path]]:
    """Draws all pictures there is something to draw of.

    Args:
        results: The records.
        folder: Where they go; it is made.

    Returns:
        Of each picture its title and file.
    """
    if not results.broken():
        return []
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for title, name, figure in (
        ("Repaired share by cause and arm", "repaired.svg", _repaired(results)),
        ("Skill against wall time", "time.svg", _time(results)),
        ("What a repair costs", "cost.svg", _cost(results)),
    ):
        # Without a date and with fixed ids, so that the same records make the same file.
        with matplotlib.rc_context({"svg.hashsalt": name}):
            figure.savefig(folder / name, metadata={"Date": None})
        made.append((title, folder / name))
    return made


def _colour(arm: str) -> Any:
    return COLOURS[list(measures.TITLES).index(arm) % len(COLOURS)] if arm in measures.TITLES else "black"


def _title(arm: str) -> str:
    return measures.TITLES.get(arm, arm)


def _repaired(results: Results) -> Figure:
    """A field for each cause and arm, with the share and the number of runs."""
    shares = measures.groups(results, "cause")
    arms = [arm for arm in results.arms if any(arm in own for own in shares.values())]
    values = np.array([[own[arm].value if arm in own else np.nan for arm in arms] for own in shares.values()])
    figure = Figure(figsize=(2.5 + 0.9 * len(arms), 1.8 + 0.3 * len(shares)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(values, cmap="RdYlGn", vmin=0.0, vmax=1.0, aspect="auto")
    axes.set_xticks(range(len(arms)), [_title(arm) for arm in arms], rotation=40, ha="left")
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(shares)), list(shares))
    for row, own in enumerate(shares.values()):
        for column, arm in enumerate(arms):
            if arm in own:
                axes.text(column, row, f"{own[arm].held}/{own[arm].n}", ha="center", va="center", fontsize=7)
    return figure


def _time(results: Results) -> Figure:
    """Each run as a point, and the share that is repaired within a time."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    points, curves = figure.subplots(1, 2)
    n_runs = len(results.broken())
    for arm in results.arms:
        records = [record for record in results.on_broken(arm).values() if not record["error"]]
        if not records:
            continue
        times = [record["seconds"] / record["healthy_seconds"] for record in records]
        skills = [_of_healthy(record) for record in records]
        points.scatter(times, skills, s=12, alpha=0.6, color=_colour(arm), label=_title(arm), linewidths=0)
        _step(curves, [measures.seconds_to_repair(one) / one["healthy_seconds"] for one in records], arm)
    points.set(xscale="log", xlabel="wall time over the hand-made fix's", ylabel="skill over the hand-made fix's")
    points.set_ylim(LEAST_SHOWN - 0.1, 1.3)
    points.axhline(0.9, color="grey", linewidth=0.8)
    curves.set(xscale="log", xlabel="wall time over the hand-made fix's", ylabel="share repaired by then")
    curves.set_ylim(0.0, 1.02)
    curves.set_title(f"{n_runs} runs; searches: where their best so far would do", fontsize=9)
    curves.legend(fontsize=7)
    return figure


def _of_healthy(record: dict[str, Any]) -> float:
    value = record["skill"]
    ratio = -math.inf if value is None else value / record["healthy_skill"]
    return max(LEAST_SHOWN, ratio)


def _step(axes: Any, times: Sequence[float], arm: str) -> None:
    """The share of runs that are done by each time, as a line of steps."""
    ordered = np.sort(times)
    reached = np.arange(1, len(ordered) + 1) / len(ordered)
    is_finite = np.isfinite(ordered)
    if is_finite.any():
        axes.step(ordered[is_finite], reached[is_finite], where="post", color=_colour(arm), label=_title(arm))


def _cost(results: Results) -> Figure:
    """The median wall time of each arm, and what the time of autofix goes into, rung by rung."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    ladder, parts = figure.subplots(1, 2)
    every = [measures.figures_of(results, arm) for arm in results.arms]
    shown = sorted((one for one in every if not math.isnan(one.over_hand.median)), key=lambda one: one.over_hand.median)
    medians = np.array([one.over_hand.median for one in shown])
    errors = np.abs(np.array([[one.over_hand.lower, one.over_hand.upper] for one in shown]).T - medians)
    ladder.barh(range(len(shown)), medians, xerr=errors, color=[_colour(one.arm) for one in shown])
    ladder.set_yticks(range(len(shown)), [_title(one.arm) for one in shown])
    ladder.set(xscale="log", xlabel="median wall time over the hand-made fix's")
    _draw_parts(parts, results)
    return figure


def _draw_parts(axes: Any, results: Results) -> None:
    """A stacked bar for each number of rungs that were climbed, of mean seconds a part."""
    by_rungs: dict[int, list[dict[str, float]]] = {}
    for record in results.on_broken("autofix").values():
        if not record["error"]:
            n_rungs = max((trial[4] for trial in record["trials"]), default=0)
            by_rungs.setdefault(n_rungs, []).append(record["parts"])
    rungs = sorted(by_rungs)
    below = np.zeros(len(rungs))
    for part, colour in zip(PARTS, COLOURS, strict=False):
        heights = np.array([np.mean([one.get(part) or 0.0 for one in by_rungs[rung]]) for rung in rungs])
        if heights.any():
            axes.bar(range(len(rungs)), heights, bottom=below, color=colour, label=part)
            below += heights
    axes.set_xticks(range(len(rungs)), [f"{rung}\n({len(by_rungs[rung])} runs)" for rung in rungs])
    axes.set(xlabel="rungs that were climbed", ylabel="mean seconds of autofix")
    if rungs:
        axes.legend(fontsize=7)

"""The pictures of the results: what is drawn is computed in `measures`."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from autofix.benchmarks import durations, measures
from autofix.benchmarks.faults import judging
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
    axes.imshow(values, cmap="RdYlBu", vmin=0.0, vmax=1.0, aspect="auto", alpha=0.7)
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
    latest = 1.0
    repairs: dict[str, list[float]] = {}
    for arm in results.arms:
        records = [record for record in results.on_broken(arm).values() if not record["error"]]
        if not records:
            continue
        times = [record["seconds"] / record["healthy_seconds"] for record in records]
        skills = [_of_healthy(record) for record in records]
        latest = max(latest, *(float(one["seconds"]) / one["healthy_seconds"] for one in records))
        points.scatter(times, skills, s=12, alpha=0.6, color=_colour(arm), label=_title(arm), linewidths=0)
        repairs[arm] = [durations.seconds_to_repair(one) / one["healthy_seconds"] for one in records]
    for arm, times in repairs.items():
        _step(curves, times, latest, arm)
    _over_hand(points)
    _over_hand(curves)
    points.set(xlabel="wall time over the hand-made fix's", ylabel="skill over the hand-made fix's")
    points.set_ylim(LEAST_SHOWN - 0.1, 1.3)
    points.axhline(judging.AS_GOOD_AS_HEALTHY, color="grey", linewidth=0.8)
    points.legend(fontsize=7)
    curves.set(xlabel="wall time over the hand-made fix's", ylabel="share repaired by then")
    curves.set_ylim(0.0, 1.02)
    curves.set_title("of a search: when its best so far would have been a repair", fontsize=9)
    curves.legend(fontsize=7)
    return figure


def _of_healthy(record: dict[str, Any]) -> float:
    value = record["skill"]
    return LEAST_SHOWN if value is None else max(LEAST_SHOWN, value / record["healthy_skill"])


def _over_hand(axes: Any) -> None:
    """The axis of wall time over that of the hand-made fix, with ticks at 1, 2, 5, 10, ..."""
    axes.set(xscale="log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _step(axes: Any, times: Sequence[float], latest: float, arm: str) -> None:
    """The share of runs that are repaired by each time, as a line of steps up to the latest time of all."""
    ordered = np.sort(times)
    n_repaired = int(np.isfinite(ordered).sum())
    if n_repaired:
        ends = np.append(ordered[:n_repaired], latest)
        reached = np.append(np.arange(1, n_repaired + 1), n_repaired) / len(ordered)
        axes.step(ends, reached, where="post", color=_colour(arm), label=_title(arm))


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
    _over_hand(ladder)
    ladder.set(xlabel="median wall time over the hand-made fix's")
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
    axes.set_xticks(range(len(rungs)), [f"{rung}\n({len(by_rungs[rung])})" for rung in rungs])
    axes.set(xlabel="rungs that were climbed (on so many runs)", ylabel="mean seconds of autofix")
    if rungs:
        axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))

"""Figures as matplotlib draws them, for notebooks and papers. The only place that imports it."""

import io
import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from autofix.report.figures.marks import Axis, Curve, Dots, Grid, Mark, Picture, Plot, Rows

COLOURS = {"before": "#b4441a", "after": "#0f6a9e", "reference": "#6b4fa0", "other": "#68707d"}
"""Of the roles: far enough from white, and told apart by readers who do not see red and green as different."""

LINE = "#9a9fa8"

PANEL_WIDTH, PANEL_HEIGHT = 4.2, 3.4
"""Inches."""

NOTEBOOK_DPI = 100

ROW_HEIGHT = 0.32
"""Inches a row of a list takes."""


class NotebookFigure(Figure):
    """A figure that a notebook shows though pyplot, which would see to that, is not imported."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=NOTEBOOK_DPI)
        return buffer.getvalue()


def figure(picture: Picture) -> NotebookFigure:
    """The figure. It belongs to nobody: pyplot, if the user has it, is left as it is.

    Args:
        picture: What to draw.
    """
    panels = picture.panels
    rows = max((len(panel.rows) for panel in panels if isinstance(panel, Rows)), default=0)
    width = sum(1.6 * PANEL_WIDTH if isinstance(panel, Rows) else PANEL_WIDTH for panel in panels)
    drawn = NotebookFigure(figsize=(width, max(PANEL_HEIGHT, 1.4 + ROW_HEIGHT * rows)), layout="constrained")
    every = drawn.subplots(1, len(panels), squeeze=False)[0]
    for axes, panel in zip(every, panels, strict=True):
        title = "\n".join(part for part in (panel.title, panel.note) if part)
        axes.set_title(title, fontsize=9, loc="left")
        if isinstance(panel, Plot):
            _plot(axes, panel)
        elif isinstance(panel, Rows):
            _rows(axes, panel)
        else:
            _grid(axes, panel)
    drawn.suptitle(picture.title, fontsize=12, x=0.01, ha="left")
    for role, name in picture.legend:
        every[0].plot([], [], "o", color=COLOURS[role], label=name)
    if picture.legend:
        drawn.legend(loc="outside lower left", ncols=len(picture.legend), fontsize=8, frameon=False)
    return drawn


def _limits(axes: Any, which: str, axis: Axis) -> None:
    getattr(axes, f"set_{which}scale")("log" if axis.is_log else "linear")
    getattr(axes, f"set_{which}lim")(axis.low, axis.high)
    getattr(axes, f"set_{which}label")(axis.label, fontsize=9)
    ticks = axis.ticks()
    getattr(axes, f"set_{which}ticks")(ticks, [f"{tick:,.6g}" for tick in ticks], fontsize=8)
    getattr(axes, f"{which}axis").minorticks_off()


def _plot(axes: Any, panel: Plot) -> None:
    _limits(axes, "x", panel.x)
    _limits(axes, "y", panel.y)
    axes.grid(color="0.92", axis="y")
    axes.spines[["top", "right"]].set_visible(False)
    if panel.has_diagonal:
        axes.axline((panel.x.low, panel.x.low), slope=1, color=LINE, linestyle="--", linewidth=1)
    if panel.level is not None:
        axes.axhline(panel.level, color=LINE, linestyle="--", linewidth=1)
    for mark in panel.marks:
        colour = COLOURS[mark.role]
        if isinstance(mark, Dots):
            axes.scatter(mark.x, mark.y, s=12, alpha=0.55, linewidths=0, color=colour)
            continue
        _curve(axes, mark, colour)


def _curve(axes: Any, mark: Curve, colour: str) -> None:
    if mark.low:
        axes.fill_between(mark.x, mark.low, mark.high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(mark.x, mark.y, color=colour, linewidth=1.8, marker="o" if mark.has_dots else "", markersize=4)


def _rows(axes: Any, panel: Rows) -> None:
    _limits(axes, "x", panel.axis)
    labels = [f"{row.label}\n{row.note}" if row.note else row.label for row in panel.rows]
    axes.set_yticks(range(len(panel.rows)), labels, fontsize=7)
    axes.set_ylim(len(panel.rows) - 0.5, -0.5)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    for level in panel.levels:
        axes.axvline(level, color=LINE, linestyle="--", linewidth=1)
    for place, row in enumerate(panel.rows):
        axes.axhline(place, color="0.9", linewidth=1, zorder=0)
        for mark in row.marks:
            _row_mark(axes, place, mark)


def _row_mark(axes: Any, place: int, mark: Mark) -> None:
    colour = COLOURS[mark.role]
    if mark.is_bar:
        axes.barh(place, mark.value - mark.low, left=mark.low, height=0.5, color=colour)
        return
    if math.isfinite(mark.low) and math.isfinite(mark.high):
        axes.plot([mark.low, mark.high], [place, place], color=colour, alpha=0.45, linewidth=2)
    axes.plot([mark.value], [place], "o", color=colour, markersize=5)


def _grid(axes: Any, panel: Grid) -> None:
    counts = np.asarray(panel.counts, dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    axes.imshow(shares, cmap="Blues" if panel.role == "after" else "Oranges", vmin=0.0, vmax=1.6)
    for row, column in np.ndindex(*counts.shape):
        axes.text(column, row, f"{counts[row, column]:.0f}", ha="center", va="center", fontsize=8)
    places = range(len(panel.names))
    axes.set_xticks(places, panel.names, fontsize=8)
    axes.set_yticks(places, panel.names, fontsize=8)
    axes.set_xlabel("predicted", fontsize=9)
    axes.set_ylabel("target", fontsize=9)

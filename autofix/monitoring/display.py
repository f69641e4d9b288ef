"""Drawing of a running search with rich: live on a terminal, in place in a notebook cell."""

import contextlib
import io
import logging
import sys
from typing import Any, Protocol

from rich.console import Console as Terminal
from rich.console import Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autofix.monitoring.progress import Progress, Rung, three_decimals
from autofix.report.records import Reference, TrialRecord

LOGGER = logging.getLogger("autofix")

REFRESHES_A_SECOND = 2
"""Enough for a clock that shows tenths; each takes 2 ms, so less than half a per cent of the search's time."""

BAR_COLUMNS = 16

WIDE_COLUMNS = 88
"""From this width on there is room for bars ..."""

BOUNDS_COLUMNS = 104
"""... and from this one for confidence bounds too."""

NOTEBOOK_COLUMNS = 110
"""A cell has no width of its own: this much fits into the usual ones."""

INDENT = 2

CELL = '<pre style="font-family:ui-monospace,Menlo,Consolas,monospace;line-height:1.35;overflow-x:auto">{code}</pre>'
"""Around a drawing in a notebook; its text takes the colour of the notebook's own theme."""


class Screen(Protocol):
    """Where a search is shown."""

    def update(self) -> None:
        """Draws it as it is now."""

    def close(self) -> None:
        """Draws it for the last time and leaves it standing."""


def open_screen(progress: Progress) -> Screen | None:
    """A screen that shows the search, or None where stdout can only take lines.

    Args:
        progress: Read again at each drawing.
    """
    terminal = Terminal(file=sys.stdout, highlight=False)
    if terminal.is_jupyter:
        return NotebookScreen(progress)
    if not sys.stdout.isatty() or not terminal.is_terminal or terminal.is_dumb_terminal:
        return None
    return TerminalScreen(progress, terminal)


class TerminalScreen:
    """A live display at the bottom of a terminal; what is printed meanwhile appears above it."""

    def __init__(self, progress: Progress, terminal: Terminal) -> None:
        self._live = _QuietLive(
            console=terminal,
            refresh_per_second=REFRESHES_A_SECOND,
            get_renderable=lambda: draw(progress, terminal.width),
        )
        self._live.start(refresh=True)

    def update(self) -> None:
        self._live.refresh()

    def close(self) -> None:
        self._live.stop()


class _QuietLive(Live):
    """rich's live display, whose thread would raise outside of every guard where the terminal has gone."""

    has_failed = False

    def refresh(self) -> None:
        if self.has_failed:
            return
        try:
            super().refresh()
        except Exception:
            self.has_failed = True
            LOGGER.info("The display of the search failed and is off.", exc_info=True)
            # The first drawing is made by the thread of the training, which then prints plain lines instead.
            if self._refresh_thread is None:
                raise


class NotebookScreen:
    """A drawing in a notebook cell, exchanged in place. rich's own live display would need ipywidgets there."""

    def __init__(self, progress: Progress) -> None:
        from IPython.display import display

        self._progress = progress
        self._handle: Any = display(self._drawing(), display_id=True)

    def update(self) -> None:
        self._handle.update(self._drawing())

    def close(self) -> None:
        self.update()

    def _drawing(self) -> Any:
        from IPython.display import HTML

        page = Terminal(
            file=io.StringIO(), record=True, width=NOTEBOOK_COLUMNS, force_terminal=True, force_jupyter=False
        )
        page.print(draw(self._progress, NOTEBOOK_COLUMNS))
        return HTML(page.export_html(inline_styles=True, code_format=CELL))


def draw(progress: Progress, width: int) -> RenderableType:
    """The search as something rich can print.

    Args:
        progress: What is known of it.
        width: Columns there are; the narrower, the less is shown of each rung.
    """
    words = Table.grid(padding=(0, 2, 0, 0))
    words.add_column(no_wrap=True)
    words.add_column()
    words.add_row("seen", Text(progress.suspicion))
    if progress.cause is not None:
        cause = progress.cause
        sure = Text(f"{cause.cause} ({cause.confidence:.0%})", "bold yellow")
        words.add_row("likely", Text.assemble(sure, f": {cause.evidence}"))
    parts: list[RenderableType] = [
        Text.assemble(("autofix", "bold cyan"), (f"  {progress.elapsed_s:.1f} s", "dim")),
        _indented(words),
    ]
    if progress.reference is not None or progress.rungs:
        parts.append(_indented(_ladder(progress, width - INDENT)))
    if progress.outcome:
        parts.append(_indented(Text(progress.outcome, "bold")))
    return Group(*parts)


def _indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, INDENT))


def _ladder(progress: Progress, width: int) -> Table:
    """A row each for the reference and the rungs."""
    has_bars, has_bounds = width >= WIDE_COLUMNS, width >= BOUNDS_COLUMNS
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(max_width=44)  # the one that rich narrows where there is no room
    if has_bars:
        table.add_column(width=BAR_COLUMNS)
    for _ in range(5 if has_bounds else 4):
        table.add_column(no_wrap=True, justify="right")
    if progress.reference is not None:
        one = progress.reference
        known = _skill_cells(one, "blue", has_bars=has_bars, has_bounds=has_bounds)
        table.add_row("reference", _cut(one.name), *known, "", "", "")
    for rung in progress.rungs:
        table.add_row(*_cells(rung, has_bars=has_bars, has_bounds=has_bounds))
    return table


def _cells(rung: Rung, *, has_bars: bool, has_bounds: bool) -> list[RenderableType]:
    colour = "green" if rung.status else "yellow"
    style = "bold green" if rung.status else "" if rung.seconds is not None else "bold"
    return [
        "smaller" if rung.index is None else f"rung {rung.index}",
        _cut(rung.label, style),
        *_skill_cells(rung.best, colour, has_bars=has_bars, has_bounds=has_bounds),
        Text(rung.status, style),
        f"{rung.trials} trial{' ' if rung.trials == 1 else 's'}",
        f"{rung.elapsed_s:.1f} s",
    ]


def _cut(label: str, style: str = "") -> Text:
    return Text(label, style, no_wrap=True, overflow="ellipsis")


def _skill_cells(
    one: Reference | TrialRecord | None, colour: str, *, has_bars: bool, has_bounds: bool
) -> list[RenderableType]:
    """A bar from 0 to 1, the number, and its bounds; what is below 0 has no bar."""
    skill = 0.0 if one is None else min(max(one.skill, 0.0), 1.0)
    cells: list[RenderableType] = []
    if has_bars:
        bar = ProgressBar(total=1.0, completed=skill, width=BAR_COLUMNS, complete_style=colour, finished_style=colour)
        cells.append(bar if one is not None else "")
    cells.append("" if one is None else three_decimals(one.skill))
    if has_bounds:
        bounds = "" if one is None else f"{three_decimals(one.skill_lower)} to {three_decimals(one.skill_upper)}"
        cells.append("" if one is None else Text(bounds, "dim"))
    return cells


def closed(screen: Screen) -> None:
    """Closes a screen that has failed already, whatever that raises."""
    with contextlib.suppress(Exception):
        screen.close()

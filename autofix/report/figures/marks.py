"""What figures are made of: numbers and words, nothing of how they are drawn.

A figure is a few panels. A panel is a plot of points and lines, a list of rows with a mark each on a common axis, or a
grid of counts. `autofix.report.svg` and `autofix.report.plots` draw them.
"""

import dataclasses
import math
from collections.abc import Iterable, Sequence

FEWEST_TICKS = 3
"""A logarithmic axis that is too short for so many round values is marked like a linear one."""

ROLES = ("before", "after", "reference", "other")
"""What a mark stands for, which decides its colour: the user's own training, that with the fix, a reference learner,
and whatever else was tried."""

PADDING = 0.05
"""Share of an axis that is left free at both ends."""


LARGEST = 1e100
"""Numbers beyond this are left out as infinite ones are: the ends of their axis might be."""

NARROWEST = 1e-6
"""Of an axis, its width relative to its numbers: float32 tells no more apart."""


@dataclasses.dataclass(frozen=True)
class Axis:
    """A labelled axis.

    Args:
        label: With the unit, if there is one.
        low: At its beginning.
        high: At its end, above `low`.
        is_log: Whether equal distances are equal ratios; then `low` is above 0.
    """

    label: str
    low: float
    high: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """Where a value lies: 0 at `low`, 1 at `high`; beyond these for values outside."""
        if self.is_log:
            value = max(value, self.low * 1e-3)
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int = 5) -> tuple[float, ...]:
        """Round values on the axis, in order.

        Args:
            most: How many there may be.

        Example:

        >>> Axis("skill", 0.0, 1.0).ticks()
        (0.0, 0.25, 0.5, 0.75, 1.0)
        >>> Axis("epoch", 1.0, 100.0, is_log=True).ticks()
        (1.0, 3.0, 10.0, 30.0, 100.0)
        """
        return _log_ticks(self.low, self.high, most) if self.is_log else _ticks(self.low, self.high, most)


def _ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    steps = (step * factor for factor in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0))
    step = next(one for one in steps if math.floor(high / one + 1e-9) - math.ceil(low / one - 1e-9) < most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(float(f"{index * step:.12g}") for index in range(first, last + 1))


def _log_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    for factors in ((1, 2, 5), (1, 3), (1,)):
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [float(f"{factor * 10.0**power:.12g}") for power in powers for factor in factors]
        inside = [value for value in found if low * (1.0 - 1e-9) <= value <= high * (1.0 + 1e-9)]
        if len(inside) < FEWEST_TICKS:
            return _ticks(low, high, most)
        if len(inside) <= most:
            return tuple(inside)
    return tuple(inside[:: math.ceil(len(inside) / most)])


def axis_of(label: str, values: Iterable[float], *, is_log: bool = False, padding: float = PADDING) -> Axis:
    """An axis that holds all the values that are finite, up to `LARGEST`; from 0 to 1 without any.

    Args:
        label: Of the axis.
        values: To be shown on it. On a logarithmic axis those up to 0 are left out.
        is_log: As in `Axis`.
        padding: Share of the axis to leave free at each end.
    """
    smallest = 1.0 / LARGEST if is_log else -LARGEST
    shown = [value for value in values if smallest <= value <= LARGEST]
    if not shown:
        return Axis(label, 0.1, 1.0, True) if is_log else Axis(label, 0.0, 1.0)
    low, high = min(shown), max(shown)
    if is_log:
        room = max((high / low) ** padding, 1.2)
        return Axis(label, low / room, high * room, True)
    is_wide = high - low > NARROWEST * max(abs(low), abs(high))
    room = padding * (high - low) if is_wide else 0.5 * abs(high) or 0.5
    return Axis(label, low - room, high + room)


@dataclasses.dataclass(frozen=True)
class Dots:
    """Points, one a pair. Values that are not finite are left out by whoever draws.

    Args:
        x: Horizontal.
        y: Vertical.
        role: One of `ROLES`.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    role: str


@dataclasses.dataclass(frozen=True)
class Curve:
    """A line through points, which is broken where a value is not finite.

    Args:
        x: Horizontal, ascending.
        y: Vertical.
        role: One of `ROLES`.
        low: Lower bounds of `y`, for a band behind the line; empty without.
        high: Upper bounds of `y`.
        has_dots: Whether the points are marked.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    role: str
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    has_dots: bool = False


@dataclasses.dataclass(frozen=True)
class Plot:
    """Points and lines over two axes.

    Args:
        title: What it shows.
        note: In numbers.
        x: Horizontal axis.
        y: Vertical axis.
        marks: In the order in which they are drawn.
        has_diagonal: Whether the line where both axes are equal is drawn.
        level: Where a horizontal line is drawn; None for none.
    """

    title: str
    note: str
    x: Axis
    y: Axis
    marks: tuple[Dots | Curve, ...]
    has_diagonal: bool = False
    level: float | None = None


@dataclasses.dataclass(frozen=True)
class Mark:
    """One value on the axis of a row.

    Args:
        value: Where it lies. NaN is not drawn.
        role: One of `ROLES`.
        low: Where its whisker begins; NaN for none. Of a bar, where the bar begins.
        high: Where its whisker ends.
        is_bar: Whether it is a bar from `low` to `value` in place of a dot.
    """

    value: float
    role: str
    low: float = math.nan
    high: float = math.nan
    is_bar: bool = False


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of a list.

    Args:
        label: What it is.
        note: Its value in words.
        marks: On the axis.
    """

    label: str
    note: str
    marks: tuple[Mark, ...]


@dataclasses.dataclass(frozen=True)
class Rows:
    """A list with a common axis.

    Args:
        title: What it shows.
        note: In words; may be empty.
        axis: Horizontal.
        rows: From top to bottom.
        levels: Where vertical lines are drawn.
    """

    title: str
    note: str
    axis: Axis
    rows: tuple[Row, ...]
    levels: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Grid:
    """Counts of pairs of targets and predictions.

    Args:
        title: What it shows.
        note: In numbers.
        names: Of the rows, which are targets, and of the columns, which are predictions.
        counts: A tuple a row.
        role: One of `ROLES`.
    """

    title: str
    note: str
    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    role: str


Panel = Plot | Rows | Grid


@dataclasses.dataclass(frozen=True)
class Picture:
    """A figure.

    Args:
        kind: Its name, by which it can be asked for.
        title: Of the figure.
        caption: A few sentences that say what can be seen.
        panels: Side by side.
        legend: Pairs of a role and what it stands for.
    """

    kind: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    legend: tuple[tuple[str, str], ...] = ()


def describe(panel: Panel) -> str:
    """The panel in words, for those who do not see it."""
    parts = [panel.title, panel.note]
    if isinstance(panel, Rows):
        parts += [f"{row.label}: {row.note}" for row in panel.rows]
    elif isinstance(panel, Grid):
        pairs = zip(panel.names, panel.counts, strict=True)
        parts += [f"target {name}: {_listed(panel.names, row)}" for name, row in pairs]
    else:
        parts.append(f"{panel.y.label} over {panel.x.label}")
    return ". ".join(part.rstrip(".") for part in parts if part) + "."


def _listed(names: Sequence[str], row: Sequence[int]) -> str:
    return ", ".join(f"{count} as {name}" for name, count in zip(names, row, strict=True) if count) or "none"

"""Plots and marks as inline SVG, whose colours come from the style sheet of the page.

Written by hand, because a report may cost a twentieth of a training of a second or two: matplotlib takes 0.25 s to
import and 0.08 s a figure, this well under a millisecond. Colours by class also follow the theme of the reader.
"""

import html
import math
from collections.abc import Iterable, Sequence

from autofix.report.figures.marks import Axis, Curve, Dots, Plot, Row, describe

WIDTH, HEIGHT = 340, 240
"""Of a plot, in the units of its text; about as wide as a telephone, so that text stays readable there."""

LEFT, RIGHT, TOP, BOTTOM = 64, 10, 8, 38
"""Margins of a plot."""

ROW_HEIGHT = 14
"""Of the marks of a row."""

SIDE = 6
"""Margin of a row at both ends, so that a dot at the end is whole."""

DOT = 4.0
"""Radius of a dot of a row."""

MOST_TICK_CHARACTERS = 7
"""Of the number beside a tick."""


def plot(panel: Plot) -> str:
    """The plot as an SVG element, with a title and a description for those who do not see it.

    Args:
        panel: What to draw.
    """
    inner = [*_frame(panel), *(piece for mark in panel.marks for piece in _mark(panel, mark))]
    words = html.escape(describe(panel))
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}">'
        f"<title>{html.escape(panel.title)}</title><desc>{words}</desc>{''.join(inner)}</svg>"
    )


def row(entry: Row, axis: Axis, levels: Sequence[float]) -> str:
    """The marks of a row as an SVG element; its label and its value are text of the page.

    Args:
        entry: What to draw.
        axis: Of all the rows.
        levels: Where vertical lines are drawn.
    """
    middle = ROW_HEIGHT / 2
    pieces = [f'<path class="track" d="M{SIDE} {_n(middle)}H{WIDTH - SIDE}"/>']
    pieces += [
        f'<path class="level" d="M{_n(_across(axis, level))} 0V{ROW_HEIGHT}"/>' for level in levels if _has(axis, level)
    ]
    for mark in entry.marks:
        if not math.isfinite(mark.value):
            continue
        at = _across(axis, mark.value)
        if mark.is_bar:
            start = _across(axis, mark.low)
            pieces.append(
                f'<rect class="fill {mark.role}" x="{_n(start)}" y="2" width="{_n(max(at - start, 1.0))}" '
                f'height="{ROW_HEIGHT - 4}" rx="2"/>'
            )
            continue
        if math.isfinite(mark.low) and math.isfinite(mark.high):
            low, high = _across(axis, mark.low), _across(axis, mark.high)
            pieces.append(f'<path class="whisker {mark.role}" d="M{_n(low)} {_n(middle)}H{_n(high)}"/>')
        pieces.append(f'<circle class="dot {mark.role}" cx="{_n(at)}" cy="{_n(middle)}" r="{_n(DOT)}"/>')
    return f'<svg class="marks" viewBox="0 0 {WIDTH} {ROW_HEIGHT}" aria-hidden="true">{"".join(pieces)}</svg>'


def scale(axis: Axis) -> str:
    """The axis below a list of rows, as an SVG element."""
    pieces = [f'<path class="axis" d="M{SIDE} 1H{WIDTH - SIDE}"/>']
    for value in axis.ticks():
        at = _across(axis, value)
        anchor = "start" if at < 2 * SIDE else "end" if at > WIDTH - 2 * SIDE else "middle"
        edge = {"start": SIDE, "end": WIDTH - SIDE}.get(anchor, at)
        pieces.append(
            f'<path class="axis" d="M{_n(at)} 1v4"/><text class="tick" x="{_n(edge)}" y="16" '
            f'text-anchor="{anchor}">{_tick(value)}</text>'
        )
    label = f'<text class="name" x="{WIDTH / 2:g}" y="31" text-anchor="middle">{html.escape(axis.label)}</text>'
    return f'<svg class="marks" viewBox="0 0 {WIDTH} 36" aria-hidden="true">{"".join(pieces)}{label}</svg>'


def sparkline(curves: Sequence[tuple[Sequence[float], str]], words: str, low: float, high: float) -> str:
    """Small curves without axes, each over the whole width.

    Args:
        curves: Pairs of values, evenly spaced, and a role. Values that are not finite break the curve.
        words: What they show, for those who do not see it.
        low: At the bottom.
        high: At the top.
    """
    axis = Axis("", low, high)
    pieces = [f'<path class="level" d="M4 {_n(21.0 - 18.0 * axis.place(0.0))}H96"/>'] if _has(axis, 0.0) else []
    for values, role in curves:
        step = 92.0 / max(1, len(values) - 1)
        points = [(4.0 + index * step, 21.0 - 18.0 * _clipped(axis.place(value))) for index, value in enumerate(values)]
        pieces.append(f'<path class="line {role}" d="{_path(points)}"/>')
        if points and _is_finite(points[-1]):
            pieces.append(f'<circle class="dot {role}" cx="{_n(points[-1][0])}" cy="{_n(points[-1][1])}" r="2.5"/>')
    return (
        f'<svg class="spark" viewBox="0 0 100 24" role="img" aria-label="{html.escape(words)}">'
        f"<title>{html.escape(words)}</title>{''.join(pieces)}</svg>"
    )


def _frame(panel: Plot) -> Iterable[str]:
    """Axes, ticks, grid lines, and what is drawn behind the marks."""
    x, y = panel.x, panel.y
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for value in y.ticks():
        at = _n(_down(y, value))
        yield f'<path class="grid" d="M{LEFT} {at}H{right}"/>'
        yield f'<text class="tick" x="{LEFT - 6}" y="{at}" dy="3.5" text-anchor="end">{_tick(value)}</text>'
    for value in x.ticks():
        at = _n(_right(x, value))
        yield f'<path class="axis" d="M{at} {bottom}v4"/>'
        yield f'<text class="tick" x="{at}" y="{bottom + 15}" text-anchor="middle">{_tick(value)}</text>'
    yield f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>'
    middle_x, middle_y = (LEFT + right) / 2, (TOP + bottom) / 2
    yield f'<text class="name" x="{middle_x:g}" y="{HEIGHT - 6}" text-anchor="middle">{html.escape(x.label)}</text>'
    yield (
        f'<text class="name" x="11" y="{middle_y:g}" text-anchor="middle" '
        f'transform="rotate(-90 11 {middle_y:g})">{html.escape(y.label)}</text>'
    )
    if panel.has_diagonal:
        low, high = max(x.low, y.low), min(x.high, y.high)
        if low < high:
            yield f'<path class="level" d="{_path([_point(panel, low, low), _point(panel, high, high)])}"/>'
    if panel.level is not None and _has(y, panel.level):
        yield f'<path class="level" d="M{LEFT} {_n(_down(y, panel.level))}H{right}"/>'


def _mark(panel: Plot, mark: Dots | Curve) -> Iterable[str]:
    if isinstance(mark, Dots):
        yield f'<path class="points {mark.role}" d="{_dots(panel, mark.x, mark.y)}"/>'
        return
    if mark.low:
        upper = [_point(panel, x, y) for x, y in zip(mark.x, mark.high, strict=True)]
        lower = [_point(panel, x, y) for x, y in zip(mark.x, mark.low, strict=True)]
        ring = [point for point in [*upper, *reversed(lower)] if _is_finite(point)]
        if len(ring) > 2:
            yield f'<path class="band {mark.role}" d="{_path(ring)}Z"/>'
    points = [_point(panel, x, y) for x, y in zip(mark.x, mark.y, strict=True)]
    yield f'<path class="line {mark.role}" d="{_path(points)}"/>'
    if mark.has_dots:
        yield f'<path class="points large {mark.role}" d="{_dots(panel, mark.x, mark.y)}"/>'


def _dots(panel: Plot, x: Sequence[float], y: Sequence[float]) -> str:
    """Points within the axes, each a line of no length with round ends: shorter than a circle each."""
    pairs = ((one, other) for one, other in zip(x, y, strict=True) if _is_finite((one, other)))
    inside = ((one, other) for one, other in pairs if _has(panel.x, one) and _has(panel.y, other))
    return "".join(f"M{_n(_right(panel.x, one))} {_n(_down(panel.y, other))}h0" for one, other in inside)


def _point(panel: Plot, x: float, y: float) -> tuple[float, float]:
    """A place in the plot; what lies outside is moved to its edge."""
    if not _is_finite((x, y)):
        return (math.nan, math.nan)
    across, up = _clipped(panel.x.place(x)), _clipped(panel.y.place(y))
    return (LEFT + across * (WIDTH - RIGHT - LEFT), TOP + (1.0 - up) * (HEIGHT - BOTTOM - TOP))


def _path(points: Iterable[tuple[float, float]]) -> str:
    """A line through points, broken where one is not finite."""
    parts, pen = [], "M"
    for point in points:
        if not _is_finite(point):
            pen = "M"
            continue
        parts.append(f"{pen}{_n(point[0])} {_n(point[1])}")
        pen = "L"
    return "".join(parts)


def _is_finite(pair: tuple[float, float]) -> bool:
    return math.isfinite(pair[0]) and math.isfinite(pair[1])


def _clipped(share: float) -> float:
    return share if math.isnan(share) else min(1.0, max(0.0, share))


def _has(axis: Axis, value: float) -> bool:
    return axis.low <= value <= axis.high


def _right(axis: Axis, value: float) -> float:
    return LEFT + axis.place(value) * (WIDTH - RIGHT - LEFT)


def _down(axis: Axis, value: float) -> float:
    return TOP + (1.0 - axis.place(value)) * (HEIGHT - BOTTOM - TOP)


def _across(axis: Axis, value: float) -> float:
    return SIDE + _clipped(axis.place(value)) * (WIDTH - 2 * SIDE)


def _n(value: float) -> str:
    """A coordinate to a tenth of a unit."""
    return f"{value:.1f}".removesuffix(".0")


def _tick(value: float) -> str:
    """A number beside an axis."""
    text = f"{value:,.10g}"
    if len(text) <= MOST_TICK_CHARACTERS and "e" not in text:
        return text
    mantissa, _, exponent = f"{value:.0e}".partition("e")
    return f"{mantissa}e{int(exponent)}"

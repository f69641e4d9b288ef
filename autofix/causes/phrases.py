"""How the rules put numbers into words and into confidences."""

import math
from collections.abc import Sequence

from autofix.evidence import LayerProfile

DECISIVE = 0.97
"""Of a cause that nothing else could explain away."""


UNCOUNTABLE = 1e9
"""From here on a reader counts digits rather than reads them."""


def by_decades(ratio: float, base: float, decade: float) -> float:
    """A confidence that starts at `base` where the ratio is 1 and grows by `decade` with every power of ten."""
    return min(DECISIVE, base + decade * math.log10(max(1.0, ratio)))


def between(value: float, low: float, at_low: float, at_high: float, high: float = 1.0) -> float:
    """A confidence that grows in a straight line from `at_low` at `low` to `at_high` at `high`."""
    share = (value - low) / (high - low) if high > low else 1.0
    return at_low + (at_high - at_low) * min(1.0, max(0.0, share))


def units(share: float, layer: LayerProfile) -> str:
    """Such as `"10 of 10 units of 'dense'"`."""
    return f"{round(share * layer.units)} of {layer.units} units of {layer.name!r}"


def names(layers: Sequence[LayerProfile]) -> str:
    """Such as `"'dense' and 2 more layers"`."""
    first, *others = [repr(layer.name) for layer in layers]
    if not others:
        return first
    return f"{first} and {others[0]}" if len(others) == 1 else f"{first} and {len(others)} more layers"


def times(ratio: float) -> str:
    """A ratio without false precision, such as `"1,000 times"`, or `"1.1e+12 times"` where digits say nothing."""
    is_countable = 10.0 <= ratio < UNCOUNTABLE
    return f"{float(f'{ratio:.2g}'):,.0f} times" if is_countable else f"{ratio:.2g} times"

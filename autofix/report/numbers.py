"""Numbers as a report writes them."""

import math


def number(value: float) -> str:
    """Three decimals, three digits from a thousand on, no sign on what rounds to zero, and words for what is no number.

    Example:

    >>> number(-0.0001), number(0.98765), number(123456.0), number(float("nan"))
    ('0.000', '0.988', '1.23e+05', 'not finite')
    """
    if not math.isfinite(value):
        return "not finite"
    if abs(value) >= 1000.0:
        return f"{value:.3g}"
    return f"{value:.3f}".replace("-0.000", "0.000")


def bounds(lower: float, upper: float) -> str:
    """Confidence bounds in brackets."""
    return f"[{number(lower)}, {number(upper)}]"


def count(amount: int, noun: str) -> str:
    """Such as `"1 trial"` and `"2 trials"`."""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def size(value: float) -> str:
    """Three significant digits, for what may be of any size.

    Example:

    >>> size(1234.5), size(0.00012), size(597.0)
    ('1,230', '0.00012', '597')
    """
    if not math.isfinite(value) or value == 0.0 or not 1e-4 <= abs(value) < 1e6:
        return f"{value:.3g}"
    return f"{float(f'{value:.3g}'):,.10g}"

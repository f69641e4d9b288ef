"""Strict JSON, which has no NaN and no infinities: how records write them, and read them back."""

import math
from typing import Any

import numpy as np

NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""Strict JSON has no such numbers. Source: Protocol Buffers' JSON mapping writes them as these strings."""

TEXT_FIELDS = frozenset(
    {
        *("verdict", "cause", "evidence", "status", "note", "notes", "left_out", "output_name", "mattering"),
        *("name", "kind", "versions", "fit_arguments", "feature_names", "class_names"),
    }
)
"""Fields that only ever hold text, where those strings stay strings."""


def encoded(value: Any) -> Any:
    """JSON values without NumPy scalars; NaN and infinities become `"NaN"`, `"Infinity"` and `"-Infinity"`."""
    if isinstance(value, dict):
        return {str(key): encoded(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return encoded(value.tolist())
    if isinstance(value, list | tuple):
        return [encoded(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def decoded(value: Any) -> Any:
    """The non-finite numbers put back, outside the fields of text."""
    if isinstance(value, dict):
        return {key: item if _is_text(key, item) else decoded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decoded(item) for item in value]
    return NON_FINITE.get(value, value) if isinstance(value, str) else value


def _is_text(key: str, value: Any) -> bool:
    # The evidence of a finding is a sentence, that of a run a dictionary of numbers.
    return key in TEXT_FIELDS and not (key == "evidence" and isinstance(value, dict))

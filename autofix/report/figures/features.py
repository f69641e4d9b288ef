"""The scales of the features: how large they typically are, and how much they vary."""

import math
from collections.abc import Sequence
from typing import Any

from autofix.report.figures.marks import Mark, Picture, Row, Rows, axis_of
from autofix.report.numbers import size
from autofix.report.records import RunRecord

MOST_FEATURES = 16
"""Features that are drawn, of data that has more: those whose deviation is furthest from 1."""


def draw(record: RunRecord) -> Picture | None:
    """The figure, or None where the inputs were not measured, or are all empty."""
    inputs = (record.evidence or {}).get("inputs", ())
    features = [feature for index, profile in enumerate(inputs) for feature in _features(record, index, profile)]
    if not features:
        return None
    shown = sorted(range(len(features)), key=lambda index: -_distance(features[index]))[:MOST_FEATURES]
    chosen = [features[index] for index in sorted(shown)]
    axis = axis_of("size, logarithmic", [value for _, mean, std in chosen for value in (abs(mean), std)], is_log=True)
    rows = tuple(_row(*feature) for feature in chosen)
    caption = "Networks learn best from features of mean 0 and standard deviation 1. A mean of exactly 0 is not drawn."
    if len(features) > len(chosen):
        caption += f" Of {len(features):,} features those {len(chosen)} are shown that are furthest from deviation 1."
    title = "Standard deviation and mean of each feature"
    legend = (("before", "standard deviation"), ("other", "size of the mean"))
    return Picture("features", "Scale of the features", caption, (Rows(title, "", axis, rows, (1.0,)),), legend)


def _features(record: RunRecord, index: int, profile: dict[str, Any]) -> list[tuple[str, float, float]]:
    """Name, mean and deviation of the features of an input."""
    names: Sequence[Sequence[str]] = record.circumstances.feature_names
    own = names[index] if index < len(names) else ()
    pairs = list(zip(profile["mean"], profile["std"], strict=True))
    if len(own) != len(pairs):
        prefix = f"input {index}, " if len((record.evidence or {}).get("inputs", ())) > 1 else ""
        own = [f"{prefix}feature {column}" for column in range(len(pairs))]
    return [(name, mean, std) for name, (mean, std) in zip(own, pairs, strict=True)]


def _distance(feature: tuple[str, float, float]) -> float:
    """How far the deviation is from 1, in powers of ten."""
    return abs(math.log10(feature[2])) if feature[2] > 0.0 else math.inf


def _row(name: str, mean: float, std: float) -> Row:
    marks = [Mark(abs(mean), "other")] if mean else []
    marks += [Mark(std, "before")] if std > 0.0 else []
    return Row(name, f"mean {size(mean)}, deviation {size(std)}", tuple(marks))

"""Causes at the outputs: what an output and its loss cannot say."""

import dataclasses

from autofix.causes.thresholds import Thresholds
from autofix.evidence import Evidence, OutputProfile, TargetProfile
from autofix.heads import REACHES, mismatch
from autofix.report.records import Finding

FLAT = 0.72
"""Of an output that could reach its targets, but is the same for every row: anything before it may be the reason."""

SQUASHED = 0.75
"""Of logits that are squashed to 0 and 1: training is slow rather than impossible."""

WRONG = 0.95


def output_mismatch(evidence: Evidence, t: Thresholds) -> Finding | None:
    """An output that cannot say what its targets ask for."""
    found = []
    for index, (output, target) in enumerate(zip(evidence.model.outputs, evidence.targets, strict=False)):
        wrong = mismatch(output, target)
        if wrong is None:
            continue
        of = f"Output {index} ({output.layer!r}): " if len(evidence.model.outputs) > 1 else ""
        found.append(Finding("output_mismatch", _confidence(output, target), of + wrong.reason))
    return max(found, key=lambda finding: finding.confidence, default=None)


def _confidence(output: OutputProfile, target: TargetProfile) -> float:
    if mismatch(dataclasses.replace(output, is_flat=False), target) is None:
        return FLAT
    if output.from_logits:
        return SQUASHED
    low, high = REACHES.get(output.activation, (float("-inf"), float("inf")))
    width = target.maximum - target.minimum
    outside = max(0.0, low - target.minimum) + max(0.0, target.maximum - high)
    if outside <= 0.0 or width <= 0.0:
        return WRONG
    # Half of the targets' range out of reach is decisive; a tail that is cut off is not.
    return min(WRONG, 0.65 + 0.5 * outside / width)


RULES = (output_mismatch,)

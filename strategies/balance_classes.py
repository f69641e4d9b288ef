"""Weigh the classes by how rare they are.

Changes: `class_weight` in `fit`: inversely proportional to the share of the rows, or to its square root.
Helps when: one class is so common that always to answer it costs the loss next to nothing.
Costs: nothing; predicted probabilities become those of balanced classes.
Never touches: the rows, weights of the user's own, anything but a single output of classes.
Source: King & Zeng, "Logistic regression in rare events data" (2001); the rule of scikit-learn's
`compute_class_weight("balanced")`.
"""

from typing import TYPE_CHECKING, ClassVar

from autofix.remedies import SetFitArgument
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy

if TYPE_CHECKING:
    import keras_tuner

UNEVEN = 3.0
"""How many times as common as the rarest class the commonest must be for weights to change anything of note."""

MAX_CLASSES = 1000
"""With more, hardly a class has the rows that a weight could make count."""


class BalanceClasses(Strategy):
    """Rare classes that count as much as common ones."""

    name: ClassVar[str] = "balance_classes"
    treats: ClassVar[frozenset[str]] = frozenset({"imbalanced_labels"})
    when_left_out: ClassVar[str] = "it takes a single output of uneven classes, whose rows are not weighted yet"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        evidence = case.evidence
        if len(evidence.targets) != 1 or evidence.fit.has_sample_weights:
            return None
        target = evidence.targets[0]
        shares = {label: share for label, share in target.class_shares if share > 0.0}
        if target.kind not in ("binary", "multiclass") or len(shares) < 2:
            return None
        if max(shares.values()) < UNEVEN * min(shares.values()) or min(shares) < 0 or max(shares) >= MAX_CLASSES:
            return None
        power = float(hp.Choice("power", [1.0, 0.5], ordered=False))
        return SetFitArgument(self.name, name="class_weight", value=_weights(shares, power))


def _weights(shares: dict[int, float], power: float) -> tuple[tuple[int, float], ...]:
    """Weights that are 1 on average over the rows; Keras wants one for every number from 0, of absent classes too."""
    raw = {label: share**-power for label, share in shares.items()}
    mean = sum(shares[label] * weight for label, weight in raw.items())
    return tuple((label, raw[label] / mean if label in raw else 1.0) for label in range(max(shares) + 1))

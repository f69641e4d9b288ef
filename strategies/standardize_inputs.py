"""Standardise the inputs inside the model.

Changes: puts a `keras.layers.Normalization` layer behind each numeric input.
Helps when: features are far from mean 0 and deviation 1, or far apart from each other.
Costs: one multiplication and one addition a value.
Never touches: the user's layers, the targets, integer inputs of embeddings, columns that are one-hot encoded.
Source: LeCun et al., "Efficient BackProp" (1998), section 4.3; the robust variant after Huber, "Robust Statistics".
"""

from typing import TYPE_CHECKING, ClassVar

from autofix.evidence import InputProfile
from autofix.remedies import NormalizeInputs
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy

if TYPE_CHECKING:
    import keras_tuner

IQR_OF_STANDARD_NORMAL = 1.349
"""Makes the robust scale agree with the standard deviation on normal data."""

HEAVY_TAIL = 3.0
"""Where the standard deviation is this many times the robust scale, outliers make it, and the robust one is offered."""


class StandardizeInputs(Strategy):
    """Mean 0 and deviation 1 for every feature, by layers inside the model."""

    name: ClassVar[str] = "standardize_inputs"
    treats: ClassVar[frozenset[str]] = frozenset({"unscaled_inputs"})
    needs_surgery: ClassVar[bool] = True
    after: ClassVar[frozenset[str]] = frozenset({"encode_categories"})
    when_left_out: ClassVar[str] = "no input holds numbers, other than those of an embedding"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        scalable = [not self._is_not_numeric(profile, case) for profile in case.evidence.inputs]
        if not any(scalable):
            return None
        offered = any(_has_heavy_tail(profile) for profile in case.evidence.inputs)
        robust = bool(hp.Choice("robust", [False, True])) if offered else False
        pairs = [
            _statistics(profile, robust, case.encoded_columns(index)) if use else (None, None)
            for index, (profile, use) in enumerate(zip(case.evidence.inputs, scalable, strict=True))
        ]
        return NormalizeInputs(
            self.name, mean=tuple(mean for mean, _ in pairs), variance=tuple(variance for _, variance in pairs)
        )

    @staticmethod
    def _is_not_numeric(profile: InputProfile, case: Case) -> bool:
        is_text = not profile.mean
        return is_text or (profile.is_integer and "Embedding" in case.evidence.model.layer_types)


def _has_heavy_tail(profile: InputProfile) -> bool:
    return any(
        iqr > 0 and std > HEAVY_TAIL * iqr / IQR_OF_STANDARD_NORMAL
        for std, iqr in zip(profile.std, profile.iqr, strict=True)
    )


def _statistics(
    profile: InputProfile, robust: bool, encoded: frozenset[int]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Means and variances, 0 and 1 of codes; a constant feature keeps variance 1, so that it becomes 0."""
    centers, scales = profile.mean, list(profile.std)
    if robust:
        centers = profile.median
        scales = [iqr / IQR_OF_STANDARD_NORMAL or std for iqr, std in zip(profile.iqr, profile.std, strict=True)]
    pairs = [
        (0.0, 1.0) if column in encoded else (center, scale**2 or 1.0)
        for column, (center, scale) in enumerate(zip(centers, scales, strict=True))
    ]
    return tuple(center for center, _ in pairs), tuple(variance for _, variance in pairs)

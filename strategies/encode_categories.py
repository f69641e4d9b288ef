"""One-hot encode columns of category codes inside the model.

Changes: puts `keras.layers.CategoryEncoding` on the columns whose numbers are names.
Helps when: codes without order stand among the features, so that a network has to bend around every one of them.
Costs: the first layer gets one weight a unit for every code; it starts from new weights.
Never touches: other columns, inputs of embeddings, images and sequences, codes whose order says what they mean.
Source: Guo & Berkhahn, "Entity embeddings of categorical variables" (2016): codes of categories are not continuous.
"""

from typing import TYPE_CHECKING, ClassVar

from autofix.evidence import CodesProfile, InputProfile
from autofix.remedies import CodeColumn
from autofix.remedies import EncodeCategories as EncodeCategoriesRemedy
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy

if TYPE_CHECKING:
    import keras_tuner

GAIN = 0.05
"""Share of the targets' variance that the codes must explain beyond what their order does: a twentieth is what a few
hundred rows tell from chance."""

MAX_CODES = 64
"""Longer one-hot codes are wider than the networks that get them; they ask for an embedding."""


class EncodeCategories(Strategy):
    """Codes of categories, one-hot."""

    name: ClassVar[str] = "encode_categories"
    treats: ClassVar[frozenset[str]] = frozenset({"unencoded_categories"})
    needs_surgery: ClassVar[bool] = True
    recompiles: ClassVar[bool] = True
    when_left_out: ClassVar[str] = "no column holds codes of categories that say more than their order does"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        has_embedding = "Embedding" in case.evidence.model.layer_types
        columns = tuple(_columns(profile, has_embedding=has_embedding) for profile in case.evidence.inputs)
        return EncodeCategoriesRemedy(self.name, columns) if any(columns) else None


def _columns(profile: InputProfile, *, has_embedding: bool) -> tuple[CodeColumn, ...]:
    if len(profile.shape) > 1 or (profile.is_integer and has_embedding):
        return ()
    return tuple(
        CodeColumn(codes.column, codes.minimum, _n_codes(codes))
        for codes in profile.codes
        if codes.gain >= GAIN and _n_codes(codes) <= MAX_CODES
    )


def _n_codes(codes: CodesProfile) -> int:
    return codes.maximum - codes.minimum + 1

"""Shuffle the rows anew each epoch.

Changes: `shuffle=True` in `fit`; a `tf.data.Dataset` is shuffled row by row and put into batches again.
Helps when: rows come sorted by target or by time, so that each batch shows one kind of row only.
Costs: nothing.
Never touches: the rows themselves, or training that already shuffles.
Source: Bottou, "Stochastic gradient descent tricks" (2012), section 3.1.
"""

from typing import TYPE_CHECKING, ClassVar

from autofix.remedies import SetFitArgument
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy

if TYPE_CHECKING:
    import keras_tuner


class Reshuffle(Strategy):
    """A new random order of the rows each epoch."""

    name: ClassVar[str] = "reshuffle"
    treats: ClassVar[frozenset[str]] = frozenset({"unshuffled_data"})
    regroups: ClassVar[bool] = True
    when_left_out: ClassVar[str] = "the rows come in a new order each epoch already"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        fit = case.evidence.fit
        if fit.shuffle:
            return None
        return SetFitArgument(self.name, name="shuffle", value=True, was=False, rebatches=fit.dataset_batch_size)

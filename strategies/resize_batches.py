"""Change the batch size.

Changes: `batch_size` in `fit`, or the batches of a `tf.data.Dataset`; the number of epochs stays, so smaller batches
mean more steps.
Helps when: a training has too few steps to get anywhere, or every step is noise.
Costs: time in proportion to the steps.
Never touches: the rows, their order, the learning rate.
Source: Godbole et al., "Deep Learning Tuning Playbook" (2023): the batch size is for speed, so change it last.
"""

from typing import TYPE_CHECKING, ClassVar

from autofix.remedies import SetFitArgument
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy

if TYPE_CHECKING:
    import keras_tuner

SIZES = (8, 32, 128)
"""Batch sizes on offer: powers of four from the smallest that is not mostly noise."""


class ResizeBatches(Strategy):
    """Smaller batches for more steps, larger ones for steadier steps."""

    name: ClassVar[str] = "resize_batches"
    treats: ClassVar[frozenset[str]] = frozenset({"batch_size_too_large", "batch_size_too_small"})
    regroups: ClassVar[bool] = True
    recompiles: ClassVar[bool] = True
    when_left_out: ClassVar[str] = "there are too few rows for batches of another size"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        fit = case.evidence.fit
        sizes = [size for size in SIZES if size != fit.batch_size and 2 * size <= fit.n_rows]
        if not sizes:
            return None
        size = int(hp.Choice("batch_size", sizes, ordered=False))
        return SetFitArgument(
            self.name, name="batch_size", value=size, was=fit.batch_size, rebatches=fit.dataset_batch_size
        )

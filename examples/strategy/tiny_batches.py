"""Train on batches of a few rows.

Changes: `batch_size` in `fit`, to 4 or 2; the number of epochs stays, so there are many more steps.
Helps when: a training has so few steps that it hardly begins.
Costs: time in proportion to the steps.
Never touches: batches that are tiny already, the rows, the learning rate.
Source: Masters & Luschi, "Revisiting small batch training for deep neural networks" (2018).
"""

from autofix import Strategy
from autofix.remedies import SetFitArgument


class TinyBatches(Strategy):
    """Batches of a few rows, for trainings of very few steps."""

    name = "tiny_batches"
    treats = frozenset({"batch_size_too_large"})
    regroups = True  # only arrays and tf.data datasets can be put into other batches
    recompiles = True  # a new batch size is compiled anew, so such settings are tried last
    when_left_out = "the batches are small already"  # what the report says for None

    def prescribe(self, hp, case):
        fit = case.evidence.fit
        if fit.batch_size <= 8:
            return None
        size = int(hp.Choice("batch_size", [4, 2], ordered=False))
        was, rebatches = fit.batch_size, fit.dataset_batch_size  # of a dataset, the code to paste is another
        return SetFitArgument(self.name, name="batch_size", value=size, was=was, rebatches=rebatches)

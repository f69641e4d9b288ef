"""Give an output layer the units, the activation or the loss that its targets ask for.

Changes: the output layer's number of units and activation, and the output's loss, each only where it does not fit.
Helps when: the output cannot take the values of the targets, or the loss is made for another kind of target.
Costs: nothing; an output layer of another width starts from new weights.
Never touches: hidden layers, outputs that fit their targets, losses and output layers that are no Keras ones.
Source: Bishop, "Neural Networks for Pattern Recognition" (1995), chapter 6: activation and loss belong together.
"""

from typing import TYPE_CHECKING, ClassVar

from autofix.evidence import OutputProfile
from autofix.heads import Mismatch, mismatch
from autofix.remedies import HeadChange, ReplaceHeads
from autofix.remedy import Remedy
from autofix.strategy import Case, Strategy

if TYPE_CHECKING:
    import keras_tuner


class RepairOutputHead(Strategy):
    """Output layers and losses that can say what the targets ask for."""

    name: ClassVar[str] = "repair_output_head"
    treats: ClassVar[frozenset[str]] = frozenset({"output_mismatch"})
    needs_surgery: ClassVar[bool] = True
    recompiles: ClassVar[bool] = True
    when_left_out: ClassVar[str] = "every output that can be replaced suits its targets and its loss"

    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        evidence = case.evidence
        pairs = list(zip(evidence.model.outputs, evidence.targets, strict=False))
        found = [mismatch(output, target) if output.can_replace else None for output, target in pairs]
        n_alternatives = max((len(one.heads) for one in found if one is not None), default=0)
        if not n_alternatives:
            return None
        choices = list(range(n_alternatives))
        index = int(hp.Choice("alternative", choices, ordered=False)) if n_alternatives > 1 else 0
        heads = tuple(_change(output, one, index) for (output, _), one in zip(pairs, found, strict=True))
        return ReplaceHeads(self.name, heads=heads)


def _change(output: OutputProfile, found: Mismatch | None, index: int) -> HeadChange | None:
    """The head of that number, or the last where an output has fewer."""
    if found is None:
        return None
    units, activation, loss = found.heads[min(index, len(found.heads) - 1)]
    return HeadChange(output.layer, units, activation, loss, was=(output.units, output.activation, output.loss))

"""Sound losses: what outputs are judged by where the user's own loss cannot tell good predictions from bad ones."""

import dataclasses
from collections.abc import Sequence

import keras

from autofix.data.profiles import profile_target
from autofix.data.training_data import TrainingData
from autofix.heads import mismatch
from autofix.measuring.output_profiles import outputs_of
from autofix.scoring.loss_specs import LossSpec
from autofix.scoring.numpy_losses import loss_spec
from autofix.scoring.task_kinds import task_kind


@dataclasses.dataclass(frozen=True)
class SoundLoss:
    """What one output is judged by.

    Args:
        loss: The user's, or the one that its targets ask for; None for an output without a loss.
        shape: Of one row of predictions that the loss takes; None for that of the output as it is.
    """

    loss: LossSpec | None
    shape: tuple[int, ...] | None = None


def sound_losses(model: keras.Model, data: TrainingData, losses: Sequence[LossSpec | None]) -> list[SoundLoss]:
    """What each output is judged by.

    A cross-entropy of targets that are no probabilities is smallest for predictions that are wrong, and class numbers
    that no unit stands for cannot be predicted: there the loss that a repaired head would have takes the user's place.

    Args:
        model: Built and compiled. Not changed.
        data: The sample.
        losses: Of each output, the user's own.
    """
    y = keras.tree.pack_sequence_as(data.y_structure, data.targets)
    outputs = outputs_of(model, y)
    if len(outputs) != len(losses):
        return [SoundLoss(loss) for loss in losses]
    sound = []
    for output, loss, target in zip(outputs, losses, data.targets, strict=True):
        kind = task_kind(loss, target)
        found = mismatch(output, profile_target(target[: data.n_training], kind)) if output.can_replace else None
        head = found.heads[0] if found is not None else None
        if head is None or head.loss is None:
            sound.append(SoundLoss(loss))
        else:
            shape = None if head.units is None else (*output.shape[:-1], head.units)
            sound.append(SoundLoss(loss_spec(head.loss), shape))
    return sound


def losses_for_now(sound: Sequence[SoundLoss], losses: Sequence[LossSpec | None]) -> list[LossSpec | None]:
    """What the network is judged by as it is: the user's own loss where the sound one takes outputs of another shape.

    Args:
        sound: As `sound_losses` gives them.
        losses: Of each output, the user's own.
    """
    return [loss if one.shape else one.loss for loss, one in zip(losses, sound, strict=True)]

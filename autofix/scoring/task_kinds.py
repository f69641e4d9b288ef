"""What kind of task an output has, from its loss and its targets alone."""

import numpy as np

from autofix.scoring.loss_specs import LossSpec


def task_kind(loss: LossSpec | None, target: np.ndarray) -> str:
    """The kind of task of an output, as in `TargetProfile`, from its loss and its targets.

    Args:
        loss: Of the output; None where it has none.
        target: Shape `(n_samples, ...)`.

    Example:

    >>> from autofix.scoring.numpy_losses import loss_spec
    >>> task_kind(loss_spec("binary_crossentropy"), np.zeros((8, 1)))
    'binary'
    """
    if loss is None:
        return "other"
    if "categorical" in loss.name:
        return "multiclass"
    if "binary" in loss.name or "hinge" in loss.name:
        width = int(np.prod(target.shape[1:]))
        return "binary" if width == 1 else "multilabel"
    return "regression" if target.dtype.kind in "fiu" else "other"

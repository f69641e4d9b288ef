"""The identity of a problem, so that a search is resumed for the same one only."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from autofix.data.training_data import TrainingData


def identity_of(model: keras.Model, data: TrainingData, losses: Sequence[str | None], *others: Any) -> str:
    """A short hash of everything that the trials of a search depend on.

    Args:
        model: Built and compiled.
        data: The sample.
        losses: Name of the loss of each output.
        *others: JSON values: how the search works.
    """
    arrays = [*data.inputs, *data.targets, *(data.sample_weights or [])]
    return fingerprint(
        _architecture(model),
        list(losses),
        repr({key: value for key, value in model.optimizer.get_config().items() if key != "name"}),
        (data.batch_size, data.epochs, data.shuffle, data.n_rows),
        *others,
        *(np.ascontiguousarray(array).tobytes() for array in arrays if array.dtype.kind != "O"),
    )


def _architecture(model: keras.Model) -> str:
    """The network as text, the same for every model that is built alike."""
    try:
        text = json.dumps(model.get_config(), sort_keys=True, default=str)
    except NotImplementedError:
        return str([(variable.name, tuple(variable.shape)) for variable in model.variables])
    # Keras numbers the names of layers through: in one process, the same model built again has others.
    for index, layer in enumerate(model._flatten_layers()):
        text = text.replace(json.dumps(layer.name), f'"#{index}"')
    return text


def fingerprint(*parts: Any) -> str:
    """A short hash of JSON values and bytes: the identity of a problem.

    Example:

    >>> fingerprint({"epochs": 3}) == fingerprint({"epochs": 3}) != fingerprint({"epochs": 4})
    True
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else json.dumps(part, sort_keys=True, default=str).encode())
    return digest.hexdigest()[:16]

"""`autofix.diagnose`: what a network predicts now, and what keeps it from predicting better. Trains nothing."""

import dataclasses
import json
import math
import warnings
from collections.abc import Sequence
from types import GeneratorType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from autofix.causes import CONFIDENT, rank
from autofix.data.sources import Unwatchable, drifts, open_source
from autofix.data.training_data import MAX_SAMPLE_ROWS, MIN_ROWS, TrainingData
from autofix.errors import DataError, ModelError
from autofix.evidence import Evidence
from autofix.feeding import as_tensor, forward, output_masks
from autofix.measuring.inspection import collect
from autofix.measuring.sound_losses import losses_for_now, sound_losses
from autofix.monitoring.monitor import LOOK_ROWS
from autofix.report.records import Finding, Reference
from autofix.scoring.alignment import unmasked
from autofix.scoring.assess import Assessment, assess
from autofix.scoring.loss_specs import LossSpec
from autofix.scoring.losses import head_losses
from autofix.scoring.task_kinds import task_kind
from autofix.search.expectations import Expectations, measure
from autofix.search.held_out import HeldOut
from autofix.state import preserved_randomness
from autofix.strict_json import decoded, encoded

NOMINAL_EPOCHS = 100
"""Epochs assumed where none are given; causes that only the length of the training shows are then left out."""

OF_LENGTH = ("insufficient_training", "batch_size_too_large")
"""Causes that are about the length of the training."""

SEED = 0
"""Of the sample, the splits and the reference learners: the same data gives the same diagnosis."""

MOST_SHOWN = 6
"""Outputs, and causes, that the text shows: it stays within twenty lines."""


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What a network predicts now, and why it does not predict better.

    Args:
        findings: The causes, likeliest first.
        evidence: What they rest on.
        assessments: How good each output is now, on rows of the sample.
        references: How well learners other than the network do on held-out rows, best first.
    """

    findings: tuple[Finding, ...]
    evidence: Evidence
    assessments: tuple[Assessment, ...] = ()
    references: tuple[Reference, ...] = ()

    @property
    def cause(self) -> str | None:
        """Name of the likeliest cause; None where nothing was found."""
        return self.findings[0].cause if self.findings else None

    @property
    def is_skilled(self) -> bool:
        """Whether every output predicts better than a constant."""
        return bool(self.assessments) and all(one.state == "skilled" for one in self.assessments)

    @property
    def matters(self) -> tuple[Finding, ...]:
        """The causes that are likely to keep the network from predicting; none where it has skill."""
        return () if self.is_skilled else tuple(one for one in self.findings if one.confidence >= CONFIDENT)

    def to_dict(self) -> dict[str, Any]:
        """The diagnosis as strict JSON values; numbers that are not finite become `"NaN"` and `"Infinity"`."""
        strict: dict[str, Any] = encoded(
            {
                "cause": self.cause,
                "findings": [dataclasses.asdict(finding) for finding in self.findings],
                "evidence": self.evidence.to_dict(),
                "assessments": [one.to_dict() for one in self.assessments],
                "references": [dataclasses.asdict(one) for one in self.references],
            }
        )
        return strict

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Diagnosis":
        """The diagnosis that `to_dict` wrote."""
        return cls(
            findings=tuple(Finding(**one) for one in values["findings"]),
            evidence=Evidence.from_dict(decoded(values["evidence"])),
            assessments=tuple(Assessment.from_dict(one) for one in values["assessments"]),
            references=tuple(Reference(**decoded(one)) for one in values["references"]),
        )

    def to_json(self) -> str:
        """The diagnosis as a JSON text."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Diagnosis":
        """The diagnosis that `to_json` wrote."""
        return cls.from_dict(json.loads(text))

    def __str__(self) -> str:
        lines = [_headline(self)]
        for one in self.assessments[:MOST_SHOWN]:
            bounds = f"{one.skill:.2f} ({one.skill_lower:.2f} to {one.skill_upper:.2f})"
            lines.append(f"  {one.output_name}: {one.state}, spread {one.spread:.3g}, skill {bounds}")
        if self.references:
            best = self.references[0]
            bounds = f"{best.skill:.2f} ({best.skill_lower:.2f} to {best.skill_upper:.2f})"
            lines.append(f"To be had on held-out rows: skill {bounds}, of {best.name}.")
        if not self.findings:
            return "\n".join([*lines, "No cause was found."])
        lines.append("What was found:" if self.is_skilled else "Causes, likeliest first:")
        for finding in self.findings[:MOST_SHOWN]:
            mark = "*" if finding in self.matters else " "
            lines.append(f"{mark} {finding.confidence:.2f} {finding.cause}: {finding.evidence}")
        if len(self.findings) > MOST_SHOWN:
            lines.append(f"  and {len(self.findings) - MOST_SHOWN} less likely ones")
        return "\n".join([*lines, "* likely enough to act on"] if self.matters else lines)


def diagnose(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    shuffle: bool = True,
    validation_data: Any = None,
) -> Diagnosis:
    """What a network predicts now, and what keeps it from predicting better.

    Nothing is trained, and the model, its optimizer and the random generators are left exactly as they were. Only a
    model that is not built yet is built, as `fit` would in its first step. It takes seconds: the time goes into the
    learners that the network is compared with.

    Args:
        model: Compiled; trained or not. What its training began with is not known, so it is diagnosed as it is.
        x: As in `keras.Model.fit`: arrays, or a `tf.data.Dataset` or `PyDataset`, of which some thousand rows are read.
        y: As in Keras.
        sample_weight: As in Keras.
        batch_size: Of the training that is, or was, done; None for Keras' default.
        epochs: Of that training; None leaves out causes that are about its length.
        shuffle: Whether that training shuffles the rows.
        validation_data: As in Keras, in arrays; reference learners are judged on them.

    Returns:
        The diagnosis; its `str` is what a user reads.

    Raises:
        ModelError: The model is not compiled, or its outputs cannot be judged one by one.
        DataError: Rows are missing, lengths differ, values are not finite numbers, or x cannot be read more than once.

    Example:

    >>> import keras, numpy as np, autofix
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, activation="softmax")])
    >>> model.compile(loss="binary_crossentropy")
    >>> x = np.linspace(-1, 1, 64)[:, None]
    >>> autofix.diagnose(model, x, (x > 0).astype(int)).cause
    'output_mismatch'
    """
    if not getattr(model, "compiled", False):
        raise ModelError(
            "The model is not compiled. Expected a model after model.compile(loss=..., optimizer=...). "
            f"Received: model={model!r}. Call model.compile first."
        )
    data = _sample(model, x, y, sample_weight, batch_size, epochs, shuffle, validation_data)
    _build(model, data)
    with preserved_randomness(), warnings.catch_warnings():
        # What Keras warns of when the network is called, such as a softmax over one unit, is said by the diagnosis.
        warnings.simplefilter("ignore")
        return _diagnose(model, data, knows_length=epochs is not None)


def _diagnose(model: keras.Model, data: TrainingData, *, knows_length: bool) -> Diagnosis:
    losses = head_losses(model, keras.tree.pack_sequence_as(data.y_structure, data.targets))
    if len(losses) != len(data.targets):
        raise ModelError(
            f"The outputs cannot be judged one by one. Expected targets for each of {len(losses)} outputs. "
            f"Received: {len(data.targets)} targets. Pass one array of targets an output."
        )
    losses = losses_for_now(sound_losses(model, data, losses), losses)
    x = keras.tree.pack_sequence_as(data.x_structure, [as_tensor(array) for array in data.inputs])
    data = dataclasses.replace(data, masks=output_masks(model, x))
    kinds = [task_kind(loss, target) for loss, target in zip(losses, data.targets, strict=True)]
    predictions, assessments = _assess(model, data, losses)
    expectations = _expectations(data, losses, kinds, [array.shape[1:] for array in predictions])
    evidence = dataclasses.replace(collect(model, data, kinds), references=expectations.profile)
    findings = tuple(one for one in rank(evidence) if knows_length or one.cause not in OF_LENGTH)
    return Diagnosis(findings, evidence, assessments, expectations.references)


def _assess(
    model: keras.Model, data: TrainingData, losses: Sequence[LossSpec | None]
) -> tuple[list[np.ndarray], tuple[Assessment, ...]]:
    """What each output predicts now, and how good that is."""
    rows = data.watch_rows(LOOK_ROWS)
    x = keras.tree.pack_sequence_as(data.x_structure, [as_tensor(array[rows]) for array in data.inputs])
    predictions = [np.asarray(leaf) for leaf in keras.tree.flatten(forward(model, x))]
    names = getattr(model, "output_names", None) or [f"output_{index}" for index in range(len(losses))]
    assessments = []
    for index, loss in enumerate(losses):
        if loss is None:
            continue
        mask, weights = data.mask(index, rows), None
        if data.sample_weights is not None:
            weights = unmasked(mask, data.sample_weights[index][rows])
        target, predicted = unmasked(mask, data.targets[index][rows]), unmasked(mask, predictions[index])
        assessments.append(assess(target, predicted, loss, sample_weight=weights, output_name=names[index]))
    return predictions, tuple(assessments)


def _expectations(
    data: TrainingData, losses: Sequence[LossSpec | None], kinds: Sequence[str], shapes: Sequence[tuple[int, ...]]
) -> Expectations:
    judged = [index for index, loss in enumerate(losses) if loss is not None]
    if data.n_training < MIN_ROWS:
        return Expectations([()] * len(judged))
    return measure(HeldOut(data, losses, SEED), judged, kinds, shapes, SEED)


def _build(model: keras.Model, data: TrainingData) -> None:
    """Builds what is not built; outside of what preserves random states, so that `fit` goes on as it would have."""
    if all(layer.built for layer in model._flatten_layers()):
        return
    forward(model, keras.tree.pack_sequence_as(data.x_structure, [as_tensor(array[:1]) for array in data.inputs]))


def _sample(
    model: keras.Model,
    x: Any,
    y: Any,
    sample_weight: Any,
    batch_size: int | None,
    epochs: int | None,
    shuffle: bool,
    validation_data: Any,
) -> TrainingData:
    """A bounded sample of what would be trained on."""
    if isinstance(x, GeneratorType):
        raise DataError(
            "A generator can be read only once. Expected arrays, a tf.data.Dataset or a PyDataset. "
            f"Received: x={x!r}. Pass a sample of its rows as arrays."
        )
    kind, stream_rows = "arrays", None
    if isinstance(x, tf.data.Dataset | keras.utils.PyDataset):
        kind = "dataset" if isinstance(x, tf.data.Dataset) else "pydataset"
        (x, y, sample_weight), batch_size, stream_rows = _read(x)
    arguments = {
        **dict.fromkeys(("callbacks", "class_weight", "validation_steps", "validation_batch_size", "steps_per_epoch")),
        "x": x,
        "y": y,
        "sample_weight": sample_weight,
        "validation_data": validation_data,
        "shuffle": shuffle,
        "batch_size": batch_size,
        "epochs": epochs or NOMINAL_EPOCHS,
        "initial_epoch": 0,
        "validation_split": 0.0,
    }
    try:
        data = open_source(model, arguments, SEED).sample()
    except Unwatchable as reason:
        raise DataError(
            "The data cannot be looked at. Expected arrays, a tf.data.Dataset or a PyDataset of inputs and targets. "
            f"Received: x of type {type(x).__name__}: {reason}. Pass a sample of the rows as arrays."
        ) from reason
    if stream_rows is None:
        return data
    n_rows = max(stream_rows, data.n_rows)
    return dataclasses.replace(
        data,
        source=kind,
        n_rows=n_rows,
        steps_per_epoch=math.ceil(n_rows / data.batch_size),
        shuffle=not any(drifts(target) for target in data.targets),
        can_regroup=kind == "dataset",
    )


def _read(stream: Any) -> tuple[tuple[Any, Any, Any], int, int]:
    """The first batches joined, the rows of a batch, and about how many rows there are."""
    is_dataset = isinstance(stream, tf.data.Dataset)
    n_batches = int(stream.cardinality()) if is_dataset else stream.num_batches
    batches: list[tuple[Any, Any, Any]] = []
    n_rows = 0
    for batch in stream if is_dataset else (stream[index] for index in range(n_batches or 1)):
        batches.append(keras.utils.unpack_x_y_sample_weight(batch))
        n_rows += len(keras.tree.flatten(batches[-1][0])[0])
        if n_rows >= MAX_SAMPLE_ROWS:
            break
    if not batches:
        raise DataError(f"There are no rows. Expected at least one batch. Received: x={stream!r}, which gave none.")
    size = len(keras.tree.flatten(batches[0][0])[0])
    x, y, weights = (
        keras.tree.map_structure(lambda *parts: None if parts[0] is None else np.concatenate(parts), *trees)
        for trees in zip(*batches, strict=True)
    )
    return (
        (x, y, weights),
        size,
        n_rows if len(batches) == (n_batches or 1) else size * max(n_batches or 0, len(batches)),
    )


def _headline(diagnosis: Diagnosis) -> str:
    if not diagnosis.assessments:
        return "There is no loss to judge the outputs by."
    if diagnosis.is_skilled:
        return "The network predicts better than a constant."
    bad = [one for one in diagnosis.assessments if one.state != "skilled"]
    states = {
        "non_finite": "The network predicts NaN or infinity.",
        "constant": "The network predicts the same for every row.",
        "no_skill": "The network predicts no better than a constant.",
        "uncertain": "Whether the network predicts better than a constant is not certain.",
    }
    return states[next(state for state in states if any(one.state == state for one in bad))]

"""What a training left behind, for the pictures of a report: plain, frozen, JSON-safe and bounded in size."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from autofix.scoring.assess import Assessment

SOURCES = ("control", "fix", "best", "look")
"""Where predictions come from: the trial of the user's own program, that of the smallest fix, the best trial that was
not proven, or the last look at the training itself."""


@dataclasses.dataclass(frozen=True)
class LookTrace:
    """A look at a training.

    Args:
        epoch: Counted from 1.
        heads: One assessment an output.
    """

    epoch: int
    heads: tuple[Assessment, ...]


@dataclasses.dataclass(frozen=True)
class LossCurve:
    """Losses by epoch, as `fit` logged them; of long trainings, evenly spaced epochs.

    Args:
        epochs: Counted from 1.
        loss: Of the training rows.
        val_loss: Of the validation rows; empty without any.
    """

    epochs: tuple[int, ...] = ()
    loss: tuple[float, ...] = ()
    val_loss: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class LayerHealth:
    """A layer of the repaired network at the end of its training, with the numbers of `LayerProfile`.

    Args:
        name: The layer's name.
        kind: Its class name.
        activation: Name of its activation; empty without.
        units: Values on its last axis.
        dead_share: Share of the units that are the same for every row.
        saturated_share: Share of the values near an end of a bounded activation.
        gradient: Norm of the gradient over the norm of the weights; 0 where it cannot be told.
    """

    name: str
    kind: str
    activation: str
    units: int
    dead_share: float
    saturated_share: float
    gradient: float


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Predictions of one output beside the targets, for a bounded sample of the rows that were assessed.

    Args:
        assessment: Of all rows.
        kind: `"regression"`, `"binary"`, `"multilabel"` or `"multiclass"`.
        targets: A tuple a row. Of a regression, the values of some columns; of binary and multilabel outputs, 0 or 1 a
            column; of classes, the class number.
        predictions: A tuple a row. Of a regression, the values of the same columns; of binary and multilabel outputs,
            a probability a column; of classes, the number of the likeliest class and its probability.
        n_columns: Values a row that the output has; at most `MOST_COLUMNS` of them are kept, see
            `autofix.measuring.prediction_samples`.
        n_classes: Of a multiclass output; 0 for others.
        source: One of `SOURCES`; empty before it is set.
    """

    assessment: Assessment
    kind: str
    targets: tuple[tuple[float, ...], ...]
    predictions: tuple[tuple[float, ...], ...]
    n_columns: int = 1
    n_classes: int = 0
    source: str = ""

    def labelled(self, source: str, output_name: str) -> "Predictions":
        """The same with its source and the name of its output."""
        assessment = dataclasses.replace(self.assessment, output_name=output_name)
        return dataclasses.replace(self, source=source, assessment=assessment)


@dataclasses.dataclass(frozen=True)
class Trace:
    """What was seen of one training.

    Args:
        looks: In order.
        losses: By epoch.
        layers: At its end; empty where they were not measured.
    """

    looks: tuple[LookTrace, ...] = ()
    losses: LossCurve = LossCurve()
    layers: tuple[LayerHealth, ...] = ()


@dataclasses.dataclass(frozen=True)
class Circumstances:
    """How the run was made.

    Args:
        versions: Of autofix, Python and the libraries, by name.
        seed: The seed in force.
        fit_arguments: What `autofix.fit` was given and is no default, as text, by name.
        feature_names: Of each input, the names of its columns; empty where the data has none, or very many.
        class_names: Names of the classes, in the order of their numbers; empty where they have none.
        look_rows: Which rows were looked at while training: `"training"` or `"validation"`; empty without a look.
    """

    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    seed: int = 0
    fit_arguments: dict[str, str] = dataclasses.field(default_factory=dict)
    feature_names: tuple[tuple[str, ...], ...] = ()
    class_names: tuple[str, ...] = ()
    look_rows: str = ""


def read_trace(values: Mapping[str, Any]) -> Trace:
    """The trace that `dataclasses.asdict` wrote."""
    losses = {name: tuple(column) for name, column in values["losses"].items()}
    return Trace(
        looks=tuple(LookTrace(look["epoch"], _assessments(look["heads"])) for look in values["looks"]),
        losses=LossCurve(**losses),
        layers=tuple(LayerHealth(**layer) for layer in values["layers"]),
    )


def read_predictions(values: Mapping[str, Any]) -> Predictions:
    """The predictions that `dataclasses.asdict` wrote."""
    rows = {name: tuple(tuple(row) for row in values[name]) for name in ("targets", "predictions")}
    return Predictions(**{**values, **rows, "assessment": Assessment(**values["assessment"])})


def read_circumstances(values: Mapping[str, Any]) -> Circumstances:
    """The circumstances that `dataclasses.asdict` wrote."""
    names = tuple(tuple(name for name in columns) for columns in values["feature_names"])
    return Circumstances(**{**values, "feature_names": names, "class_names": tuple(values["class_names"])})


def _assessments(heads: Sequence[Mapping[str, Any]]) -> tuple[Assessment, ...]:
    return tuple(Assessment(**head) for head in heads)

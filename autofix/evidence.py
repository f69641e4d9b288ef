"""Evidence: the measured facts a diagnosis rests on, as frozen records of JSON values.

What is computed from arrays alone is in `autofix.data.profiles`, what is read off a live Keras model in
`autofix.measuring.inspection`.
"""

import dataclasses
from typing import Any

CHANCE = 0.05
"""A permutation test with a larger p-value shows no dependence."""

STRONG_DRIFT = 0.5
"""Order drift above this means that neighbouring rows share their targets."""


@dataclasses.dataclass(frozen=True)
class CodesProfile:
    """A feature of whole numbers that may be codes of categories.

    Args:
        column: Its number on the last axis.
        minimum: The smallest code.
        maximum: The largest code.
        n_codes: How many different ones there are.
        gain: Share of the targets' variance that a mean for each code explains beyond what is smooth over the codes (a
            line, a cubic, the neighbours' means), out of sample; 0 to 1. Large for categories without order.
    """

    column: int
    minimum: int
    maximum: int
    n_codes: int
    gain: float


@dataclasses.dataclass(frozen=True)
class InputProfile:
    """Statistics of one input over the last axis, NaN-free.

    Args:
        mean: One value a feature (or channel), as are the others.
        std: Standard deviation.
        minimum: Smallest value.
        maximum: Largest value.
        median: Median.
        iqr: Distance between the quartiles.
        is_integer: Whether the array holds integers, such as token ids.
        shape: Of one row.
        n_nonfinite: How many values are NaN or infinite.
        constant_features: Numbers of the features that have one value in every row.
        outlier_share: Share of the values that lie far outside the quartiles.
        duplicate_share: Share of the rows that are equal to an earlier one.
        codes: The features that may be codes of categories.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    median: tuple[float, ...]
    iqr: tuple[float, ...]
    is_integer: bool
    shape: tuple[int, ...] = ()
    n_nonfinite: int = 0
    constant_features: tuple[int, ...] = ()
    outlier_share: float = 0.0
    duplicate_share: float = 0.0
    codes: tuple[CodesProfile, ...] = ()


@dataclasses.dataclass(frozen=True)
class TargetProfile:
    """Statistics of the targets of one output.

    Args:
        kind: `"regression"`, `"binary"`, `"multiclass"`, `"multilabel"`, or `"other"` where no loss is known.
        mean: Over all values.
        std: Over all values.
        is_constant: Whether every row has the same target.
        order_drift: How much the row number says about the target, 0 to 1: for numbers the absolute rank
            correlation, for classes the share of neighbours with equal labels beyond what chance gives.
        minimum: Smallest value.
        maximum: Largest value.
        width: Values a row.
        n_distinct: How many different values there are; of one-hot classes, how many columns ever hold the 1.
        is_whole: Whether all values are whole numbers.
        is_one_hot: Whether every row has a single 1 among zeros.
        has_several: Whether all rows are of 0 and 1, and some have more than a single 1, as several labels of a row.
        class_shares: Of what may be classes (whole numbers, few of them, or one-hot), pairs of the class number and its
            share of the rows; empty otherwise.
        n_nonfinite: How many values are NaN or infinite.
    """

    kind: str
    mean: float
    std: float
    is_constant: bool
    order_drift: float
    minimum: float = 0.0
    maximum: float = 0.0
    width: int = 1
    n_distinct: int = 0
    is_whole: bool = False
    is_one_hot: bool = False
    has_several: bool = False
    class_shares: tuple[tuple[int, float], ...] = ()
    n_nonfinite: int = 0


@dataclasses.dataclass(frozen=True)
class OutputProfile:
    """What one output can say, and what it says.

    Args:
        layer: Name of the last layer with weights before it; empty where there is none on a single path.
        units: Values a row.
        activation: Of the output, whichever layer it stands in: `"linear"` without any, `"unknown"` when not found.
        loss: Keras' name of the loss, such as `"binary_crossentropy"`; empty without one.
        from_logits: Whether that loss takes logits.
        minimum: Smallest prediction.
        maximum: Largest prediction.
        is_flat: Whether the predictions are the same for every row though what the layer computes before its
            activation is not, or though the hidden layers before it vary.
        shape: Of one row of the output.
        can_replace: Whether the layer is a Dense one that can be made anew.
    """

    layer: str
    units: int
    activation: str
    loss: str
    from_logits: bool
    minimum: float = 0.0
    maximum: float = 0.0
    is_flat: bool = False
    shape: tuple[int, ...] = (1,)
    can_replace: bool = True


@dataclasses.dataclass(frozen=True)
class LayerProfile:
    """One layer with weights, or with a rate of dropout or noise: when the training began, and now.

    Numbers that cannot be told are 0.

    Args:
        name: The layer's name.
        kind: Its class name.
        activation: Name of its activation, that of an activation layer directly behind it included; empty without.
        units: Values on its last axis.
        is_output: Whether it is the last layer with weights before an output.
        is_trainable: Whether its weights are trained.
        has_weights: Whether it has any.
        arguments: Arguments of its constructor that a strategy may change, by name, as JSON values: `activation`,
            `kernel_initializer`, `recurrent_initializer`, `bias_initializer`, `kernel_regularizer` and the other
            regularisers, `rate`, `dropout`, `recurrent_dropout`, `trainable`. Objects are named by their class in
            snake case, as Keras' string identifiers are.
        dead_share: Share of the units that are the same for every row, now.
        start_dead_share: When the training began.
        saturated_share: Share of the values near an end of a bounded activation (sigmoid, tanh, softmax), now.
        start_saturated_share: When the training began.
        gradient: Norm of the gradient of the loss by the layer's weights, over the norm of the weights, now.
        start_gradient: When the training began.
        update: Norm of how far the weights moved since the training began, over their norm then.
        kernel_scale: Standard deviation of the kernel when the training began, over that of Glorot's initialisation.
        start_bias: Mean of its bias when the training began.
        equal_share: Share of the units whose weights are those of another unit, when the training began.
        penalty: What its regularisers add to the loss, now.
        start_penalty: When the training began.
    """

    name: str
    kind: str
    activation: str = ""
    units: int = 0
    is_output: bool = False
    is_trainable: bool = True
    has_weights: bool = True
    arguments: tuple[tuple[str, Any], ...] = ()
    dead_share: float = 0.0
    start_dead_share: float = 0.0
    saturated_share: float = 0.0
    start_saturated_share: float = 0.0
    gradient: float = 0.0
    start_gradient: float = 0.0
    update: float = 0.0
    kernel_scale: float = 1.0
    start_bias: float = 0.0
    equal_share: float = 0.0
    penalty: float = 0.0
    start_penalty: float = 0.0

    def argument(self, name: str) -> Any:
        """An argument of its constructor; None where it has none of that name."""
        return dict(self.arguments).get(name)


@dataclasses.dataclass(frozen=True)
class CurveProfile:
    """The run so far.

    Args:
        losses: Mean training loss of each epoch that was seen, as `fit` logged it; NaN where it was not finite.
        data_loss: Loss of the looked-at rows now, without penalties; NaN where not finite or not known.
        penalty: What all regularisers add to the loss, now.
        start_data_loss: Loss of the looked-at rows when the training began, as `data_loss`.
        start_penalty: What all regularisers added to the loss when the training began.
        has_nonfinite_weights: Whether a weight is NaN or infinite.
        half_skill: Held-out skill of the control arm after half of its steps; None where not measured.
        end_skill: The same after all of them.
    """

    losses: tuple[float, ...] = ()
    data_loss: float = 0.0
    penalty: float = 0.0
    start_data_loss: float = 0.0
    start_penalty: float = 0.0
    has_nonfinite_weights: bool = False
    half_skill: float | None = None
    end_skill: float | None = None


@dataclasses.dataclass(frozen=True)
class ModelProfile:
    """Facts about the network and its optimizer.

    Args:
        optimizer: Class name.
        learning_rate: When training began; of a schedule, its rate at step 0. None when it cannot be read.
        schedule: Class name of the learning-rate schedule, or None.
        default_learning_rate: What Keras gives this optimizer by default, or None for a custom optimizer.
        is_scale_free: Whether the optimizer's steps do not grow with the scale of the loss (Adam and kin).
        nonlinear_layers: How many hidden layers have a non-linear activation (recurrent ones count).
        layer_types: Class names of all layers.
        can_rescale_rate: Whether the rate, or the schedule's rates, can be multiplied.
        can_edit: Whether layers can be put into the network.
        can_insert: Whether hidden Dense layers can be put before its last layer.
        output_activations: Activation of each output's last layer, `"linear"` when none, `"unknown"` when not found.
        why_no_edit: Why no layer can be put into the network; empty where one can.
        outputs: One profile an output; empty where the outputs cannot be told.
        layers: One profile a layer, in the order of the network; empty where the layers cannot be listed.
        is_clipped: Whether the optimizer limits gradients.
    """

    optimizer: str
    learning_rate: float | None
    schedule: str | None
    default_learning_rate: float | None
    is_scale_free: bool
    nonlinear_layers: int
    layer_types: tuple[str, ...]
    can_rescale_rate: bool
    can_edit: bool
    can_insert: bool
    output_activations: tuple[str, ...]
    why_no_edit: str = ""
    outputs: tuple[OutputProfile, ...] = ()
    layers: tuple[LayerProfile, ...] = ()
    is_clipped: bool = False


@dataclasses.dataclass(frozen=True)
class FitProfile:
    """How the user trains.

    Args:
        n_rows: Rows of the training set.
        batch_size: Rows a step.
        epochs: The user's horizon in epochs.
        total_steps: The user's horizon in steps.
        shuffle: Whether each epoch has a new order of the rows.
        source: What the rows came as, as in `TrainingData`.
        can_regroup: Whether the order of the rows and the size of the batches can be changed.
        has_sample_weights: Whether rows, or classes, are weighted already.
    """

    n_rows: int
    batch_size: int
    epochs: int
    total_steps: int
    shuffle: bool
    source: str = "arrays"
    can_regroup: bool = True
    has_sample_weights: bool = False

    @property
    def dataset_batch_size(self) -> int | None:
        """Rows in a batch of the `tf.data.Dataset` that is trained on; None for anything else."""
        return self.batch_size if self.source == "dataset" else None


@dataclasses.dataclass(frozen=True)
class ReferenceProfile:
    """Held-out skill of reference learners: what there is to be had.

    Args:
        linear: Of the best linear learner, or None when none ran.
        nonlinear: Of the best non-linear learner, or None.
        best_lower: Lower confidence bound of the best of all, or None.
        p_value: Of a permutation test for any dependence of the targets on the inputs; None where none ran.
    """

    linear: float | None = None
    nonlinear: float | None = None
    best_lower: float | None = None
    p_value: float | None = None


@dataclasses.dataclass(frozen=True)
class Evidence:
    """All that was measured.

    Args:
        inputs: One profile an input.
        targets: One profile an output.
        model: The network.
        fit: The training arguments.
        references: The reference learners.
        curve: The run so far.
    """

    inputs: tuple[InputProfile, ...]
    targets: tuple[TargetProfile, ...]
    model: ModelProfile
    fit: FitProfile
    references: ReferenceProfile = ReferenceProfile()
    curve: CurveProfile = CurveProfile()

    def to_dict(self) -> dict[str, Any]:
        """The evidence as JSON values; not finite numbers stay floats."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Evidence":
        """The evidence that `to_dict` wrote, also after a way through JSON."""
        model = {key: _tuples(value) for key, value in values["model"].items()}
        model["outputs"] = tuple(OutputProfile(**_record(one)) for one in values["model"]["outputs"])
        model["layers"] = tuple(LayerProfile(**_record(one)) for one in values["model"]["layers"])
        return cls(
            inputs=tuple(_input(one) for one in values["inputs"]),
            targets=tuple(TargetProfile(**_record(one)) for one in values["targets"]),
            model=ModelProfile(**model),
            fit=FitProfile(**values["fit"]),
            references=ReferenceProfile(**values["references"]),
            curve=CurveProfile(**_record(values["curve"])),
        )


def _input(values: dict[str, Any]) -> InputProfile:
    codes = tuple(CodesProfile(**one) for one in values["codes"])
    return InputProfile(**{**_record(values), "codes": codes})


def _record(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _tuples(value) for key, value in values.items()}


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value

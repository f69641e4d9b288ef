"""The probe engine: short trainings that cost milliseconds.

Networks that differ in architecture or batch size are programs of their own (`autofix.search.program`), compiled once;
all other remedies are arguments of these.
"""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from autofix.data.training_data import TrainingData, class_weights
from autofix.errors import ModelError
from autofix.feeding import as_tensor, build_optimizer, forward, is_distributed
from autofix.recipe import Recipe
from autofix.remedies import NormalizeInputs, RescaleOutputs
from autofix.remedy import Remedy
from autofix.search.batches import batches
from autofix.search.initial_weights import InitialWeights
from autofix.search.program import Program, Rows, has_own_train_step
from autofix.state import Snapshot, preserved_randomness
from autofix.surgery import architecture

SEARCH_RUNS = 60
"""About how many runs of the full horizon a search asks for: the control arm and three recipes, with confirmations."""


@dataclasses.dataclass(frozen=True)
class ProbeRun:
    """What a probe ended with.

    Args:
        predictions: One array an output, over all rows of the sample, in the units of the targets.
        steps: Training steps run.
        seconds: Wall time, compilation included when it was the first of its kind.
        mode: `"xla"`, `"graph"`, `"eager"`, or `"keras"` for the model's own train step.
        earlier: The predictions on the way, where they were asked for.
    """

    predictions: list[np.ndarray]
    steps: int
    seconds: float
    mode: str
    earlier: list[np.ndarray] | None = None


class ProbeEngine:
    """Runs recipes on a sample of the data without touching the user's model for longer than a run.

    Args:
        model: Built and compiled. Its variables are lent for each run, then put back.
        data: The sample.
        initial: The model's values when its training began; None for those it has now.
        keeps_trained: Whether fresh initial weights leave out layers that were trained before.
        planned_runs: About how many runs of the full horizon will be asked for; decides whether compiling pays.

    Attributes:
        planned_runs: May be changed at any time; counts for recipes that have not been run or compiled yet.
    """

    def __init__(
        self,
        model: keras.Model,
        data: TrainingData,
        initial: Snapshot | None = None,
        planned_runs: int = SEARCH_RUNS,
        *,
        keeps_trained: bool = True,
    ) -> None:
        self._data = data
        self._keeps_trained = keeps_trained
        if initial is None:
            build_optimizer(model)
        self._model, self._initial = model, initial or Snapshot(model)
        if is_distributed(model):
            self._model, self._initial = self._undistributed()
        self.planned_runs = planned_runs
        self._programs: dict[tuple[Recipe, Recipe, int], Program] = {}
        self._weights: dict[tuple[Recipe, Program], InitialWeights] = {}
        self._inputs: dict[Any, list[tf.Tensor]] = {}
        self._targets = [as_tensor(array) for array in data.targets]
        self._sample_weights: dict[Any, list[tf.Tensor]] = {}

    def _undistributed(self) -> tuple[keras.Model, Snapshot]:
        """A copy of the model outside of its distribution strategy: one device is quicker for so few rows."""
        if not architecture.can_edit(self._model):
            raise ModelError(
                "The model cannot be probed. Expected a Sequential or functional one under a distribution strategy. "
                f"Received: model={self._model!r}. Train it outside of the strategy, or build it of layers alone."
            )
        with self._at_its_beginning():
            copy = architecture.build(self._model, Recipe())
        build_optimizer(copy)
        return copy, Snapshot(copy)

    @functools.cached_property
    def output_shapes(self) -> list[tuple[int, ...]]:
        """The shape of each output, without rows."""
        first = [array[:1] for array in self._input_tensors(Recipe())]
        outputs = forward(self._model, keras.tree.pack_sequence_as(self._data.x_structure, first))
        return [tuple(leaf.shape[1:]) for leaf in keras.tree.flatten(outputs)]

    @property
    def _planned_steps(self) -> int:
        return self.planned_runs * self._data.total_steps

    def seconds_per_step(self, recipe: Recipe) -> float:
        """The measured cost of a step of this recipe; compiles it when it is new."""
        return self._program(recipe).seconds_per_step

    def compile(self, recipe: Recipe) -> None:
        """Compiles the recipe without measuring or running it, which may be done beside other work."""
        program = self._unmeasured(recipe)
        if not program.mode:
            program.compile(self._rows(recipe), self._planned_steps)

    def run(
        self,
        recipe: Recipe,
        rows: np.ndarray | None = None,
        seed: int = 0,
        steps: int | None = None,
        *,
        own_initialization: bool = False,
        shuffle_seed: int | None = None,
        targets: Sequence[np.ndarray] | None = None,
        also_after: int = 0,
    ) -> ProbeRun:
        """Trains the recipe from scratch and predicts every row of the sample.

        Args:
            recipe: What to change in the user's program.
            rows: Row numbers to train on, in the user's order; None for all training rows.
            seed: Of the initial weights and the shuffles.
            steps: None for the user's full horizon.
            own_initialization: Whether to start from the user's own initial weights rather than fresh ones.
            shuffle_seed: Of the shuffles alone; None for `seed`.
            targets: To train on in place of the sample's own, shaped alike.
            also_after: Steps after which the predictions are kept as well; 0 for the end alone.

        Returns:
            The predictions and the cost.
        """
        started = time.perf_counter()
        rows = np.arange(self._data.n_training) if rows is None else rows
        program = self._program(recipe)
        steps = self._data.total_steps if steps is None else steps
        shuffle = bool(recipe.fit_arguments.get("shuffle", self._data.shuffle))
        order_seed = seed if shuffle_seed is None else shuffle_seed
        epoch_rows = self._epoch_rows(recipe, program.batch_size) if shuffle else None
        index = batches(rows, program.batch_size, steps, shuffle=shuffle, seed=order_seed, epoch_rows=epoch_rows)
        weights = self._initial_weights(recipe, program)
        with program.lent(seed, own_initialization, recipe.learning_rate_factor, weights):
            parts = [index[:also_after], index[also_after:]] if also_after else [index]
            *earlier, predictions = program.train(self._rows(recipe, targets), parts, self._affine(recipe))
        seconds = time.perf_counter() - started
        return ProbeRun(predictions, len(index), seconds, program.mode, earlier[0] if earlier else None)

    def _epoch_rows(self, recipe: Recipe, batch_size: int) -> int | None:
        """Rows of the user's own epoch where it is one pass over them in batches of this size; None elsewhere."""
        is_one_pass = self._data.steps_per_epoch == -(-self._data.n_rows // self._data.batch_size)
        is_whole = batch_size == int(recipe.fit_arguments.get("batch_size", self._data.batch_size))
        return self._data.n_rows if is_one_pass and is_whole else None

    def initial_values(self, recipe: Recipe, seed: int) -> list[tf.Tensor]:
        """The values that a run with this seed starts from, of the network's trainable variables in order."""
        program = self._program(recipe)
        weights = self._initial_weights(recipe, program)
        with program.lent(seed, own_initialization=False, rate_factor=1.0, weights=weights):
            return [tf.identity(variable.value) for variable in program.model.trainable_variables]

    def _program(self, recipe: Recipe) -> Program:
        """The program of a recipe, in the fastest way to run."""
        program = self._unmeasured(recipe)
        if not program.mode:
            program.choose_mode(self._rows(recipe), self._planned_steps)
        return program

    def _unmeasured(self, recipe: Recipe) -> Program:
        batch_size = int(recipe.fit_arguments.get("batch_size", self._data.batch_size))
        # One shape for all splits: no larger than the smallest training part.
        batch_size = min(batch_size, max(1, self._data.n_training - self._data.n_training // 4))
        compiled = _compiled(recipe)
        inserted = Recipe((*compiled, *self._rescaling_inside(recipe)))
        small_units = [one for one in _rescaling(recipe) if one.epsilon_factor != 1.0]
        optimized = Recipe((*compiled, *small_units))
        key = (inserted, optimized, batch_size)
        if key not in self._programs:
            self._programs[key] = self._build(recipe, inserted, optimized, batch_size)
        return self._programs[key]

    def _build(self, recipe: Recipe, inserted: Recipe, optimized: Recipe, batch_size: int) -> Program:
        # The learning rate too is the one that the user's training began with.
        with self._at_its_beginning():
            model, initial = self._model, self._initial
            if inserted.needs_surgery:
                model = architecture.build(self._model, inserted)
                build_optimizer(model)
                initial = Snapshot(model)
            weights = InitialWeights(model, initial, keeps_trained=self._keeps_trained)
            return Program(model, weights, self._data, batch_size, len(self._affine(recipe)), optimized)

    @contextlib.contextmanager
    def _at_its_beginning(self) -> Iterator[None]:
        """The model as its training began, to be built anew from, at the same weights at every time."""
        current = Snapshot(self._model)
        try:
            self._initial.restore()
            with preserved_randomness(seed=0):
                yield
        finally:
            current.restore()

    def _initial_weights(self, recipe: Recipe, program: Program) -> InitialWeights:
        """Where a recipe begins: as its program does, or as a network that draws its weights in another way."""
        changed = tuple(remedy for remedy in recipe if remedy.is_compiled)
        if changed == _compiled(recipe):
            return program.weights
        key = (Recipe(changed), program)
        if key not in self._weights:
            with self._at_its_beginning():
                network = architecture.build(self._model, Recipe((*changed, *self._rescaling_inside(recipe))))
            self._weights[key] = program.weights.drawn_as(network)
        return self._weights[key]

    def _rescaling_inside(self, recipe: Recipe) -> list[RescaleOutputs]:
        """The rescaling of outputs as layers of the network: a train step of the user's own calls nothing else."""
        if not has_own_train_step(self._model):
            return []
        return _rescaling(recipe)

    def _affine(self, recipe: Recipe) -> list[tuple[float, float]]:
        """Scale and offset of each output; empty where no target is a float, so that outputs stay untouched."""
        targets = self._data.targets
        if has_own_train_step(self._model) or not all(array.dtype.kind == "f" for array in targets):
            return []
        for remedy in recipe.of(RescaleOutputs):
            return [(s or 1.0, o or 0.0) for s, o in zip(remedy.scale, remedy.offset, strict=True)]
        return [(1.0, 0.0)] * len(targets)

    def _rows(self, recipe: Recipe, targets: Sequence[np.ndarray] | None = None) -> Rows:
        """What a recipe trains on."""
        own = self._targets if targets is None else [as_tensor(array) for array in targets]
        return Rows(self._input_tensors(recipe), own, self._weight_tensors(recipe))

    def _weight_tensors(self, recipe: Recipe) -> list[tf.Tensor]:
        """The sample weights, those of the recipe's classes included; those of the last recipe are kept."""
        by_class = recipe.fit_arguments.get("class_weight")
        key = None if by_class is None else tuple(by_class.items())
        if key not in self._sample_weights:
            weights = self._data.sample_weights or []
            if by_class is not None:
                own = class_weights(self._data.targets[0], by_class)
                weights = [own * weights[0] if weights else own]
            self._sample_weights = {key: [as_tensor(array) for array in weights]}
        return self._sample_weights[key]

    def _input_tensors(self, recipe: Recipe) -> list[tf.Tensor]:
        """The inputs as the network proper sees them under this recipe; those of the last recipe are kept."""
        remedies = tuple(recipe.of(NormalizeInputs))
        if remedies not in self._inputs:
            arrays = self._data.inputs
            for remedy in remedies:
                arrays = remedy.transform(arrays)
            self._inputs = {key: value for key, value in self._inputs.items() if not key}
            self._inputs[remedies] = [as_tensor(array) for array in arrays]
        return self._inputs[remedies]


def _compiled(recipe: Recipe) -> tuple[Remedy, ...]:
    """What of a recipe is compiled into a program."""
    return tuple(part for remedy in recipe if (part := remedy.compiled_part()) is not None)


def _rescaling(recipe: Recipe) -> list[RescaleOutputs]:
    """The rescaling of outputs without its factor on the rate, which is given to each run."""
    return [dataclasses.replace(remedy, learning_rate_factor=1.0) for remedy in recipe.of(RescaleOutputs)]

"""The repaired training as a program of plain Keras, which gives the same network without autofix."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from autofix.data.rows import is_array_tree
from autofix.data.training_data import DEFAULT_BATCH_SIZE
from autofix.recipe import Recipe
from autofix.remedies import SHUFFLE_BUFFER_ROWS, SetFitArgument
from autofix.report.records import Script
from autofix.state import preserved_randomness
from autofix.surgery.initialization import seeded_initializers, unset_variables
from autofix.surgery.keras_code import CODE_WIDTH, NotWrittenError, code_of, folded, model_code, text_code

MAX_SET_VALUES = 2_000
"""Weights that stand in the program as numbers, where no initialiser gives them: nobody reads more than some pages."""

MAX_CHARACTERS = 200_000
"""A longer program is none that anybody reads, and the report has to carry it."""

BATCHES = '''
def tensor(array):
    """An array as fit takes it: fractions in Keras' float type."""
    array = np.asarray(array)
    return tf.convert_to_tensor(array.astype(keras.config.floatx()) if array.dtype.kind == "f" else array)


def batches(rows):
    """The batches of all epochs, one after the other{order}."""

    def epoch(number):
        order = tf.range(N_ROWS)
{shuffle}        return tf.data.Dataset.from_tensor_slices(order).batch(BATCH_SIZE)

    orders = tf.data.Dataset.counter().flat_map(epoch)
    return orders.map(lambda order: keras.tree.map_structure(lambda array: tf.gather(array, order), rows))
'''

SHUFFLE = """\
        order = tf.random.experimental.stateless_shuffle(order, tf.stack([tf.cast(SEED, tf.int64), number]))
"""


class ScriptWriter:
    """Writes the program.

    Args:
        model: The repaired one: compiled, at the values that its training begins with. Not changed.
        recipe: What repaired it.
        given: The arguments of the user's `fit`.
        used: The arguments of the repaired one's.
        weights_seed: Of its initial weights.
        order_seed: Of the order of the rows.
    """

    def __init__(
        self,
        model: keras.Model,
        recipe: Recipe,
        given: Mapping[str, Any],
        used: Mapping[str, Any],
        *,
        weights_seed: int,
        order_seed: int,
    ) -> None:
        self._model = model
        self._recipe = recipe
        self._given = {**given, **recipe.fit_arguments}
        self._weights_seed = weights_seed
        self._order_seed = order_seed
        self._has_arrays = is_array_tree(*(given[name] for name in ("x", "y", "sample_weight")))
        self._is_streamed = self._has_arrays and isinstance(used["x"], tf.data.Dataset)
        # A fit whose recipe trains longer counts from where the user's began.
        self._epochs = used["epochs"]

    def write(self) -> str:
        """The program.

        Raises:
            NotWrittenError: Something in it is of the user's own making, or too much of it are numbers.
        """
        if self._model._distribute_strategy is not None:
            raise NotWrittenError("the model is distributed over devices")
        if type(self._model).train_step is not keras.Model.train_step:
            raise NotWrittenError("the model has a train step of your own")
        body = [*self._configuration(), *self._data(), *self._constants()]
        if self._is_streamed:
            body += [*self._batches().splitlines(), "", ""]
        body += [
            *([] if self._is_streamed else [""]),
            *model_code(self._model),
            *self._compilation(),
            *self._weights(),
            "",
            *self._training(),
        ]
        text = "\n".join([*self._head(), *body]) + "\n"
        if len(text) > MAX_CHARACTERS:
            raise NotWrittenError(f"the program would have {len(text):,} characters")
        return text

    def _head(self) -> list[str]:
        changes = [f"    {line}" for line in self._recipe.code().splitlines()]
        return [
            '"""Trains the repaired network with Keras alone. What the repair changed:',
            "",
            *(line.replace("\\", "\\\\").replace('"""', "'''") for line in changes),
            '"""',
            "",
            "import keras",
            "import numpy as np",
            "import tensorflow as tf",
            "",
        ]

    def _configuration(self) -> list[str]:
        floats, policy = keras.config.floatx(), keras.config.dtype_policy().name
        lines = [] if floats == "float32" else [f"keras.config.set_floatx({text_code(floats)})"]
        if policy != floats:
            lines.append(f"keras.config.set_dtype_policy({text_code(policy)})")
        if keras.config.image_data_format() != "channels_last":
            lines.append('keras.config.set_image_data_format("channels_first")')
        return [*lines, ""] if lines else []

    def _data(self) -> list[str]:
        """The place where the user's rows come in."""
        names = {"x": "x", "y": "y", "sample_weight": "sample_weight"}
        lines = []
        if self._has_arrays:
            lines += [line for key, name in names.items() for line in _loading(self._given[key], name)]
        else:
            lines.append('train = tf.data.Dataset.load("train")  # batches, as you gave them to autofix.fit')
        validation = self._given["validation_data"]
        if validation is not None:
            parts = keras.utils.unpack_x_y_sample_weight(validation)
            if is_array_tree(*parts):
                for part, name in zip(parts, ("x_val", "y_val", "sample_weight_val"), strict=True):
                    lines += _loading(part, name)
            else:
                lines.append('validation = tf.data.Dataset.load("validation")')
        rule = "# " + "-" * (CODE_WIDTH - 2)
        head = "# ---- Your data comes in here: the rows that you gave to autofix.fit, in their order. "
        return [f"{head:-<{CODE_WIDTH}}", *lines, rule, ""]

    def _constants(self) -> list[str]:
        if not self._is_streamed:
            return [f"keras.utils.set_random_seed({self._order_seed})"]
        lines = []
        if self._splits:
            # As fit does: the last rows are held out.
            split = code_of(1.0 - self._given["validation_split"])
            lines.append(f"N_ROWS = int(len(keras.tree.flatten(x)[0]) * {split})  # the others are held out")
            for name in (name for name in ("x", "y", "sample_weight") if self._given[name] is not None):
                lines.append(f"{name}_val = keras.tree.map_structure(lambda array: array[N_ROWS:], {name})")
                lines.append(f"{name} = keras.tree.map_structure(lambda array: array[:N_ROWS], {name})")
        else:
            lines.append("N_ROWS = len(keras.tree.flatten(x)[0])")
        lines.append(f"BATCH_SIZE = {self._given['batch_size'] or DEFAULT_BATCH_SIZE}")
        return [*lines, *([f"SEED = {self._order_seed}"] if self._given["shuffle"] else [])]

    @property
    def _splits(self) -> bool:
        return bool(self._given["validation_split"]) and self._given["validation_data"] is None

    def _batches(self) -> str:
        shuffles = bool(self._given["shuffle"])
        order = "; SEED fixes the order of the rows in each" if shuffles else ""
        return BATCHES.replace("{order}", order).replace("{shuffle}", SHUFFLE if shuffles else "")

    def _compilation(self) -> list[str]:
        config = self._model._compile_config.config
        arguments = [f"optimizer={code_of(config['optimizer'])}", f"loss={_names(config['loss'], keras.losses)}"]
        defaults = {"loss_weights": None, "run_eagerly": False, "steps_per_execution": 1}
        defaults["jit_compile"] = self._model._resolve_auto_jit_compile()
        arguments += [
            f"{name}={code_of(config[name])}" for name, value in defaults.items() if config.get(name, value) != value
        ]
        comments = []
        for name in ("metrics", "weighted_metrics"):
            if config.get(name) is not None:
                try:
                    arguments.append(f"{name}={_names(config[name], keras.metrics)}")
                except NotWrittenError as error:
                    comments.append(f"# {name} is left out: {error}.")
        if isinstance(config["optimizer"], keras.optimizers.LossScaleOptimizer):
            arguments.append("auto_scale_loss=False")
        return [*comments, *folded(f"model.compile({', '.join(arguments)})")]

    def _weights(self) -> list[str]:
        """What puts the variables to where the training began."""
        seeded, unset = seeded_initializers(self._model, self._weights_seed), unset_variables(self._model)
        variables = self._model.variables
        drawn = {i: seeded[id(one)] for i, one in enumerate(variables) if id(one) in seeded}
        set_by_hand = {
            i: tf.convert_to_tensor(one.value).numpy()
            for i, one in enumerate(variables)
            if id(one) not in seeded and id(one) not in unset and id(one) not in self._made_of_arguments()
        }
        n_values = sum(values.size for values in set_by_hand.values())
        if n_values > MAX_SET_VALUES:
            raise NotWrittenError(
                f"the network begins with {n_values:,} weights from before, such as those of an earlier training"
            )
        lines = []
        if drawn:
            lines += ["", "# The initial weights are those of the layers' own initialisers, under these seeds."]
            lines += folded(f"INITIALIZERS = {code_of(drawn)}", whole=False)
            lines += [
                "for index, initializer in INITIALIZERS.items():",
                "    variable = model.variables[index]",
                "    variable.assign(initializer(variable.shape, variable.dtype))",
            ]
        if set_by_hand:
            lines += ["", "# These began with values of their own."]
            lines += folded(f"VALUES = {code_of(set_by_hand)}", whole=False)
            lines += [
                "for index, values in VALUES.items():",
                "    variable = model.variables[index]",
                "    variable.assign(np.array(values, variable.dtype).reshape(variable.shape))",
            ]
            lines += self._finalization()
        return lines

    def _made_of_arguments(self) -> set[int]:
        """The ids of the variables that an argument of their layer sets, as the mean of `Normalization`."""
        layers = [one for one in self._model._flatten_layers() if isinstance(one, keras.layers.Normalization)]
        return {id(variable) for layer in layers if layer.input_mean is not None for variable in layer.variables}

    def _finalization(self) -> list[str]:
        layers = self._model._flatten_layers()
        if not any(isinstance(one, keras.layers.Normalization) and one.input_mean is None for one in layers):
            return []
        return [
            "for layer in model.layers:",
            "    if isinstance(layer, keras.layers.Normalization) and layer.input_mean is None:",
            "        layer.finalize_state()",
        ]

    def _training(self) -> list[str]:
        given = self._given
        arguments, lines = [], []
        if self._is_streamed:
            parts = [name for name in ("x", "y", "sample_weight") if given[name] is not None]
            rows = parts[0] if len(parts) == 1 else f"({', '.join(parts)})"
            lines.append(f"rows = keras.tree.map_structure(tensor, keras.tree.lists_to_tuples({rows}))")
            arguments += ["batches(rows)", "steps_per_epoch=-(-N_ROWS // BATCH_SIZE)", "shuffle=False"]
        elif self._has_arrays:
            arguments += [name if name in ("x", "y") else f"{name}={name}" for name in ("x", "y", "sample_weight")
                          if given[name] is not None]  # fmt: skip
            arguments += self._plain("batch_size", "validation_split", "shuffle", "steps_per_epoch")
        else:
            lines += self._regrouping()
            arguments += ["train", *self._plain("steps_per_epoch")]
        arguments.append(f"epochs={self._epochs}")
        arguments += self._plain("initial_epoch", "class_weight", "validation_steps", "validation_freq")
        arguments += self._validation()
        called = [type(one).__name__ for one in keras.tree.flatten(given["callbacks"]) if one is not None]
        if called:
            lines.append(f"# Add your callbacks to the call of fit: {', '.join(called)}.")
        return [*lines, *folded(f"model.fit({', '.join(arguments)})"), 'model.save("repaired.keras")']

    def _plain(self, *names: str) -> list[str]:
        """Arguments of `fit` that are not Keras' defaults."""
        defaults = {"shuffle": True, "initial_epoch": 0, "validation_freq": 1, "validation_split": 0.0}
        return [f"{name}={code_of(self._given[name])}" for name in names if self._given[name] != defaults.get(name)]

    def _regrouping(self) -> list[str]:
        lines = []
        for remedy in self._recipe.of(SetFitArgument):
            if remedy.name == "batch_size":
                lines.append(f"train = train.rebatch({remedy.value})")
            if remedy.name == "shuffle":
                shuffled = f"shuffle({SHUFFLE_BUFFER_ROWS}, seed={self._order_seed})"
                lines.append(f"train = train.unbatch().{shuffled}.batch({remedy.rebatches})")
        return lines

    def _validation(self) -> list[str]:
        validation = self._given["validation_data"]
        if validation is not None:
            parts = keras.utils.unpack_x_y_sample_weight(validation)
            if not is_array_tree(*parts):
                return ["validation_data=validation"]
            names = ("x_val", "y_val", "sample_weight_val")
        elif self._is_streamed and self._splits:
            parts = tuple(self._given[name] for name in ("x", "y", "sample_weight"))
            names = ("x_val", "y_val", "sample_weight_val")
        else:
            return []
        held_out = ", ".join(name for part, name in zip(parts, names, strict=True) if part is not None)
        return [f"validation_data=({held_out})"]


def _loading(tree: Any, name: str) -> list[str]:
    """The line that loads a tree of arrays, or none."""
    if tree is None:
        return []
    leaves = keras.tree.flatten(tree)
    shown = f"  # shape {tuple(np.shape(leaves[0]))}" if len(leaves) == 1 else ""
    return [*folded(f"{name} = {_loaded(tree, name)}{shown}")]


def _loaded(tree: Any, name: str) -> str:
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{code_of(key)}: {_loaded(one, f'{name}_{key}')}" for key, one in tree.items()) + "}"
    if isinstance(tree, list | tuple):
        items = ", ".join(_loaded(one, f"{name}_{index}") for index, one in enumerate(tree))
        return f"[{items}]" if isinstance(tree, list) else f"({items},)"
    return f"np.load({text_code(name + '.npy')})"


def _names(value: Any, home: Any) -> str:
    """Losses or metrics as `compile` takes them."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{code_of(key)}: {_names(one, home)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_names(one, home) for one in value)}]"
    name = getattr(value, "__name__", "")
    if callable(value) and name:
        if getattr(home, name, None) is not value:
            raise NotWrittenError(f"{name} is a function of your own")
        return text_code(name)
    return code_of(value)


def written(
    model: keras.Model,
    recipe: Recipe,
    given: Mapping[str, Any],
    used: Mapping[str, Any],
    weights_seed: int,
    order_seed: int,
) -> Script:
    """The program, or why there is none; arguments as for `ScriptWriter`. Never raises, and draws no random number."""
    try:
        with preserved_randomness():
            writer = ScriptWriter(model, recipe, given, used, weights_seed=weights_seed, order_seed=order_seed)
            return Script(writer.write(), reason="")
    except NotWrittenError as error:
        return Script(reason=str(error))
    except Exception as error:  # noqa: BLE001 - no training is to fail for it
        return Script(reason=f"writing it failed: {error!r}")

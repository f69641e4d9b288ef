"""Keras objects as the Python code that makes them, in public names and without defaults."""

import inspect
import json
import math
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras.src.models.functional import Functional  # without a public name in Keras 3

from autofix.state import preserved_randomness

CODE_WIDTH = 100

PLUMBING = frozenset({"build_config", "batch_input_shape", "quantization_config", "inner_optimizer_config"})
"""Entries of configurations that no constructor takes from a user."""


class NotWrittenError(Exception):
    """Why something has no code; the message follows "because"."""


def code_of(thing: Any) -> str:
    """The expression that makes a value or an object of Keras.

    Args:
        thing: A number, a string, None, an array, a container of these, a type of Keras' own with `get_config`, or
            the configuration of one.

    Raises:
        NotWrittenError: It is of the user's own making.

    Example:

    >>> code_of(keras.layers.Dense(3, activation="relu", name="hidden"))
    'keras.layers.Dense(3, activation="relu", name="hidden")'
    """
    if isinstance(thing, dict) and "class_name" in thing and "config" in thing:
        return _code_of_config(thing)
    if isinstance(thing, dict):
        return "{" + ", ".join(f"{code_of(key)}: {code_of(value)}" for key, value in thing.items()) + "}"
    if isinstance(thing, list | tuple):
        items = ", ".join(map(code_of, thing))
        return f"[{items}]" if isinstance(thing, list) else f"({items}{',' if len(thing) == 1 else ''})"
    if isinstance(thing, np.ndarray | np.generic):
        return code_of(thing.tolist())
    if isinstance(thing, float) and not math.isfinite(thing):
        return f'float("{thing}")'
    if isinstance(thing, str):
        return text_code(thing)
    if thing is None or isinstance(thing, bool | int | float):
        return repr(thing)
    if hasattr(thing, "get_config"):
        return _code_of_object(thing)
    raise NotWrittenError(f"{type(thing).__name__} {getattr(thing, '__name__', '')!r} is of your own making")


def text_code(text: str) -> str:
    """A string in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def _code_of_config(config: dict[str, Any]) -> str:
    if config["class_name"] in ("DTypePolicy", "FloatDTypePolicy"):
        return text_code(config["config"]["name"])
    if config["class_name"] == "function":
        return text_code(config["config"])
    try:
        return _code_of_object(keras.saving.deserialize_keras_object(config))
    except (TypeError, ValueError) as error:
        raise NotWrittenError(f"{config['class_name']} is of your own making") from error


def public_name(kind: type) -> str:
    """The name under which a class of Keras is to be had.

    Raises:
        NotWrittenError: It is not Keras' own, or has none.
    """
    if kind.__module__.startswith("keras."):
        for space in ("layers", "optimizers", "optimizers.schedules", "initializers", "regularizers", "constraints",
                      "losses", "metrics"):  # fmt: skip
            home: Any = keras
            for part in space.split("."):
                home = getattr(home, part)
            if getattr(home, kind.__name__, None) is kind:
                return f"keras.{space}.{kind.__name__}"
    raise NotWrittenError(f"the class {kind.__name__} is of your own making")


def _code_of_object(thing: Any, *, named: bool = False) -> str:
    """A call of its class with what is not a default: those without one first, and by position."""
    name, config = public_name(type(thing)), _rounded_rate(thing, thing.get_config())
    config |= {key: value for key, value in getattr(thing, "_fn_kwargs", {}).items() if key not in config}
    parameters = inspect.signature(type(thing).__init__).parameters
    required = [
        key
        for key, parameter in parameters.items()
        if key != "self" and parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    if missing := [key for key in required if key not in config]:
        raise NotWrittenError(f"{name} does not tell its {missing[0]}")
    plain = _config_of_default(type(thing), {key: config[key] for key in required}, config)
    if named:
        plain.pop("name", None)
    arguments = [code_of(config[key]) for key in required]
    for key in sorted(config, key=lambda key: [*parameters].index(key) if key in parameters else len(parameters)):
        if key not in (*required, *PLUMBING) and not (key in plain and _is_equal(config[key], plain[key])):
            arguments.append(f"{key}={code_of(config[key])}")
    return f"{name}({', '.join(arguments)})"


def _config_of_default(kind: type, required: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of an object that was made with the arguments it needs, and its name, alone."""
    made = {
        key: keras.saving.deserialize_keras_object(value) if isinstance(value, dict) and "config" in value else value
        for key, value in required.items()
    }
    if "name" in config:
        made["name"] = config["name"]  # else Keras would count it, and name the user's next layer after it
    with preserved_randomness():  # dropout draws a seed
        default = kind(**made)
    plain: dict[str, Any] = {**default.get_config(), **getattr(default, "_fn_kwargs", {})}
    if isinstance(default, keras.optimizers.Optimizer):
        plain.pop("learning_rate", None)  # what a fix is most often about is worth saying
    elif isinstance(default, keras.layers.Layer | keras.Metric) and not _is_automatic(kind, config["name"]):
        plain.pop("name")
    return plain


def _is_automatic(kind: type, name: str) -> bool:
    """Whether Keras gave a layer its name: the class's own, and a number."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind.__name__).lower()
    return re.sub(r"_|\d+$", "", name) == re.sub(r"_|\d+$", "", words)


def _rounded_rate(thing: Any, config: dict[str, Any]) -> dict[str, Any]:
    """A learning rate as it was written: 0.01 and not 0.009999999776482582, which a 32-bit variable holds."""
    rate = config.get("learning_rate")
    if isinstance(thing, keras.optimizers.Optimizer) and isinstance(rate, float):
        return {**config, "learning_rate": float(str(np.float32(rate)))}
    return dict(config)


def _is_equal(one: Any, other: Any) -> bool:
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_is_equal, one, other))
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else bool(one == other)


def model_code(model: keras.Model) -> list[str]:
    """The statements that make a Sequential or functional model, the last one of them naming it `model`.

    Args:
        model: Built. Not changed.

    Returns:
        Lines of code; the configuration as JSON for what has no better form, such as models inside the model.

    Raises:
        NotWrittenError: It has parts of the user's own making.
    """
    try:
        return _sequential_code(model) if isinstance(model, keras.Sequential) else _functional_code(model)
    except _NeedsJSONError:
        return _json_code(model)


class _NeedsJSONError(Exception):
    """The network is not made of layers of Keras alone."""


def _part(layer: Any, *, named: bool = False) -> str:
    if not isinstance(layer, keras.layers.Layer) or isinstance(layer, keras.Model):
        raise _NeedsJSONError
    if isinstance(layer, keras.layers.Lambda):
        raise NotWrittenError(f"layer {layer.name!r} holds a function of your own")
    if hasattr(layer, "save_assets"):
        raise NotWrittenError(f"layer {layer.name!r} holds a vocabulary")
    try:
        return _code_of_object(layer, named=named)
    except NotWrittenError as error:
        raise NotWrittenError(f"layer {layer.name!r} cannot be written: {error}") from error


def _input(tensor: Any, *, named: bool) -> str:
    operation = tensor._keras_history.operation
    arguments = [code_of(tuple(tensor.shape[1:]))]
    if tensor.shape[0] is not None:
        arguments.append(f"batch_size={tensor.shape[0]}")
    if tensor.dtype != keras.config.floatx():
        arguments.append(f"dtype={text_code(tensor.dtype)}")
    if named:
        arguments.append(f"name={text_code(operation.name)}")
    if getattr(operation, "sparse", False) or getattr(operation, "ragged", False):
        raise NotWrittenError("an input takes sparse or ragged tensors")
    return f"keras.Input({', '.join(arguments)})"


def _sequential_code(model: keras.Sequential) -> list[str]:
    layers = [_input(model.inputs[0], named=False), *(_part(layer) for layer in model.layers)]
    return folded(f"model = keras.Sequential([{', '.join(layers)}])", whole=False)


def _functional_code(model: keras.Model) -> list[str]:
    """One line a call of a layer; a layer that is called more than once is made first."""
    names: dict[int, str] = {}
    taken: set[str] = set()
    lines = [f"{_new(names, taken, one)} = {_input(one, named=True)}" for one in model.inputs]
    nodes = [node for depth in sorted(model._nodes_by_depth, reverse=True) for node in model._nodes_by_depth[depth]]
    nodes = [node for node in nodes if not node.is_input]
    operations = [node.operation for node in nodes]
    shared: dict[int, str] = {}
    named = len(model.outputs) > 1  # losses and targets may be given by name
    for node in nodes:
        layer = node.operation
        if operations.count(layer) > 1 and id(layer) not in shared:
            shared[id(layer)] = _unique(f"{layer.name}_layer", taken)
            lines += folded(f"{shared[id(layer)]} = {_part(layer, named=named)}")
        made = shared.get(id(layer)) or _part(layer, named=named)
        arguments = [_argument(value, names) for value in node.arguments.args]
        # Keras notes `training=False` in every call, and replaces it by what `fit` is at.
        others = {key: value for key, value in node.arguments.kwargs.items() if value is not None}
        others = {key: value for key, value in others.items() if not (key == "training" and value is False)}
        arguments += [f"{key}={_argument(value, names)}" for key, value in others.items()]
        lines += folded(f"{_outputs(node, names, taken)} = {made}({', '.join(arguments)})")
    inputs, outputs = _argument(model._inputs_struct, names), _argument(model._outputs_struct, names)
    return [*lines, *folded(f"model = keras.Model({inputs}, {outputs})")]


def _outputs(node: Any, names: dict[int, str], taken: set[str]) -> str:
    """What the call of a layer is assigned to; of several outputs, the items of a list."""
    if len(node.output_tensors) == 1:
        return _new(names, taken, node.output_tensors[0])
    name = _unique(node.operation.name, taken)
    names.update({id(tensor): f"{name}[{index}]" for index, tensor in enumerate(node.output_tensors)})
    return name


def _new(names: dict[int, str], taken: set[str], tensor: Any) -> str:
    names[id(tensor)] = _unique(tensor._keras_history.operation.name, taken)
    return names[id(tensor)]


def _unique(name: str, taken: set[str]) -> str:
    """A name for a variable that no other one has."""
    base = "".join(sign if sign.isidentifier() or sign.isdigit() else "_" for sign in name)
    base = base if base.isidentifier() and base not in ("model", "x", "y", "keras", "np", "tf") else f"layer_{base}"
    chosen, number = base, 2
    while chosen in taken:
        chosen, number = f"{base}_{number}", number + 1
    taken.add(chosen)
    return chosen


def _argument(value: Any, names: dict[int, str]) -> str:
    """An argument of a layer's call: tensors by their names."""
    if isinstance(value, keras.KerasTensor):
        return names[id(value)]
    if isinstance(value, dict):
        return "{" + ", ".join(f"{code_of(key)}: {_argument(one, names)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        items = ", ".join(_argument(one, names) for one in value)
        return f"[{items}]" if isinstance(value, list) else f"({items}{',' if len(value) == 1 else ''})"
    return code_of(value)


def _json_code(model: keras.Model) -> list[str]:
    if not isinstance(model, Functional | keras.Sequential):
        raise NotWrittenError("the model is of a class of your own")
    for layer in model._flatten_layers(include_self=False, recursive=True):
        is_own = isinstance(layer, keras.layers.Lambda) or not type(layer).__module__.startswith("keras.")
        if is_own or hasattr(layer, "save_assets"):
            raise NotWrittenError(f"layer {layer.name!r} is of your own making, or holds a vocabulary")
    config = json.loads(model.to_json())
    config.pop("compile_config", None)
    text = json.dumps(config, indent=1)
    return [f'CONFIG = r"""{text}"""', "model = keras.models.model_from_json(CONFIG)"]


def folded(code: str, indent: int = 0, *, whole: bool = True) -> list[str]:
    """A statement or expression in lines of at most `CODE_WIDTH`, broken inside of its brackets.

    Args:
        code: On one line.
        indent: Spaces before it.
        whole: Whether it stays on one line where it fits.
    """
    if whole and indent + len(code) <= CODE_WIDTH:
        return [" " * indent + code]
    opened = next((place for place, depth, sign in _signs(code) if depth == 1 and sign in "([{"), None)
    if opened is None:
        return [" " * indent + code]
    closed = next(place for place, depth, sign in _signs(code) if place > opened and depth == 0 and sign in ")]}")
    head, inner, tail = code[: opened + 1], code[opened + 1 : closed], code[closed:]
    parts = _parts(inner)
    if all(_is_number(part) for part in parts):
        wide = textwrap.wrap(", ".join(parts) + ",", CODE_WIDTH - indent - 4)
        return [" " * indent + head, *(" " * (indent + 4) + line for line in wide), " " * indent + tail]
    lines = [" " * indent + head]
    for part in parts:
        # A single list in a call, as in Sequential([...]), is opened together with the call.
        *first, last = folded(part, indent + 4, whole=whole or len(parts) > 1)
        lines += [*first, f"{last}," if len(parts) > 1 or whole else last]
    rest = folded(tail, indent) if any(sign in "([{" for sign in tail) else [" " * indent + tail]
    return [*lines, *rest]


def _signs(code: str) -> Iterator[tuple[int, int, str]]:
    """Each sign outside of strings, with its place and how many brackets are open behind it."""
    depth, quote, escaped = 0, "", False
    for place, sign in enumerate(code):
        if quote:
            quote, escaped = ("" if sign == quote and not escaped else quote), sign == "\\" and not escaped
            continue
        if sign in "'\"":
            quote = sign
            continue
        depth += (sign in "([{") - (sign in ")]}")
        yield place, depth, sign


def _parts(inner: str) -> list[str]:
    """What stands between the outermost commas."""
    cuts = [place for place, depth, sign in _signs(inner) if depth == 0 and sign == ","]
    parts = [inner[start:stop].strip() for start, stop in zip([0, *(cut + 1 for cut in cuts)], [*cuts, len(inner)],
                                                              strict=True)]  # fmt: skip
    return [part for part in parts if part]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

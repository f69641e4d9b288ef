"""Edits: what a recipe makes of each layer of the user."""

from collections.abc import Iterable
from typing import Any

import keras

from autofix.recipe import Recipe
from autofix.remedies import ChangeLayers, NormalizeLayers, ReplaceHeads

_ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.ELU,
    keras.layers.Softmax,
)
"""Layers that are nothing but an activation."""

_BETWEEN = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.Reshape,
)
"""Layers that may stand between a layer and its activation."""


class Edits:
    """The changes of layers that a recipe asks for.

    Args:
        recipe: Empty for none.
        model: Where the layers are; None where there is nothing to change.
    """

    def __init__(self, recipe: Recipe = Recipe(), model: keras.Model | None = None) -> None:
        self._changes: dict[str, dict[str, Any]] = {}
        self._norms: dict[str, str] = {}
        self._behind: dict[str, list[Any]] = {}
        self._layers = {} if model is None else {layer.name: layer for layer in _all_layers(model)}
        for remedy in recipe.of(ChangeLayers):
            for change in remedy.changes:
                self._change(change.layer, change.argument, change.value)
        for remedy in recipe.of(ReplaceHeads):
            for head in remedy.heads:
                if head is not None and head.units is not None:
                    self._change(head.layer, "units", head.units)
                if head is not None and head.activation is not None:
                    self._change(head.layer, "activation", head.activation)
        for remedy in recipe.of(NormalizeLayers):
            self._norms.update(dict.fromkeys(remedy.after, remedy.layer))

    def _change(self, name: str, argument: str, value: Any) -> None:
        layer = self._layers.get(name)
        if layer is not None and argument == "activation" and _is_linear(layer):
            # What follows is the activation of a layer that has none of its own.
            name = getattr(_activation_behind(layer), "name", name)
        self._changes.setdefault(name, {})[argument] = value

    def configured(self, layer: Any, config: dict[str, Any]) -> dict[str, Any]:
        """The configuration of a layer, of those that it wraps too, with what is changed."""
        changes = dict(self._changes.get(config.get("name", ""), {}))
        wrapped = {
            key: {**value, "config": self.configured(layer, value["config"])}
            for key, value in config.items()
            if isinstance(value, dict) and isinstance(value.get("config"), dict) and "name" in value["config"]
        }
        return {**config, **wrapped, **changes} if changes or wrapped else config

    def replaced(self, layer: Any) -> Any:
        """What takes the place of a layer that is nothing but an activation; None for a copy of it."""
        activation = self._changes.get(layer.name, {}).get("activation")
        if activation is None or not isinstance(layer, _ACTIVATIONS):
            return None
        return keras.layers.Activation(activation, name=layer.name, dtype=layer.dtype_policy)

    def restarts(self, layer: Any) -> bool:
        """Whether a layer begins with new weights: its initialisers change."""
        return any(
            argument.endswith("_initializer") or argument == "units"
            for part in layer._flatten_layers()
            for argument in self._changes.get(part.name, {})
        )

    def behind(self, layer: Any) -> list[Any]:
        """The layers to put behind one, the same ones each time it is called."""
        if layer.name not in self._norms:
            return []
        if layer.name not in self._behind:
            kind = getattr(keras.layers, self._norms[layer.name])
            self._behind[layer.name] = [kind(name=f"autofix_normalized_{layer.name}")]
        return self._behind[layer.name]

    def set_trainable(self, copies: Iterable[Any]) -> None:
        """Unfreezes, or freezes, the copies of layers whose `trainable` changes."""
        for copy in copies:
            for part in copy._flatten_layers() if isinstance(copy, keras.layers.Layer) else ():
                if "trainable" in self._changes.get(part.name, {}):
                    part.trainable = self._changes[part.name]["trainable"]


def _all_layers(model: keras.Model) -> list[Any]:
    return list(model._flatten_layers(include_self=False, recursive=True))


def _is_linear(layer: Any) -> bool:
    return bool(getattr(getattr(layer, "activation", None), "__name__", "linear") == "linear")


def _activation_behind(layer: Any) -> Any:
    """The layer that is nothing but the activation of another one, or None."""
    while layer is not None and len(getattr(layer, "_outbound_nodes", ())) == 1:
        layer = layer._outbound_nodes[0].operation
        if isinstance(layer, _ACTIVATIONS):
            return layer
        if not isinstance(layer, _BETWEEN):
            return None
    return None

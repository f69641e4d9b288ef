"""The contract of a strategy, and the registry that finds them.

A strategy treats some causes: given a frozen `Case` it declares its search space on KerasTuner's `hp` and
returns a `Remedy`, or None when it does not apply. It trains nothing, prints nothing and reads no file.
Built-in strategies register exactly as a third party's do: by an entry point of the group `autofix.strategies`.
"""

import abc
import dataclasses
import difflib
import functools
import importlib.metadata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from autofix.errors import StrategyError
from autofix.evidence import Evidence, LayerProfile
from autofix.recipe import Recipe
from autofix.remedies import ChangeLayers, EncodeCategories, HeadChange, LayerChange, ReplaceHeads
from autofix.remedy import Remedy
from autofix.report.records import Finding

if TYPE_CHECKING:
    import keras_tuner

ENTRY_POINT_GROUP = "autofix.strategies"

LADDER = (
    "standardize_inputs",
    "lower_learning_rate",
    "add_hidden_layers",
    "reshuffle",
    "resize_batches",
    "standardize_targets",
    "repair_output_head",
    "revive_units",
    "replace_activations",
    "normalize_layers",
    "clip_gradients",
    "reinitialize",
    "unfreeze",
    "relax_regularization",
    "balance_classes",
    "encode_categories",
    "train_longer",
)
"""The fixed order of `order="ladder"`; strategies that are not in it follow by name."""


@dataclasses.dataclass(frozen=True)
class Case:
    """What a strategy gets to see. Nothing in it may be changed.

    Args:
        evidence: Measured facts about the data, the model and the run.
        findings: The ranked causes.
        recipe: The remedies already in the recipe that this strategy is asked to add to.
    """

    evidence: Evidence
    findings: tuple[Finding, ...] = ()
    recipe: Recipe = Recipe()

    @property
    def layers(self) -> tuple[LayerProfile, ...]:
        """The layers, with `activation` and `arguments` as the recipe so far leaves them; what was measured stays."""
        changed: dict[str, dict[str, Any]] = {}
        for remedy in self.recipe.of(ChangeLayers):
            for change in remedy.changes:
                changed.setdefault(change.layer, {})[change.argument] = change.value
        return tuple(
            _changed(layer, changed[layer.name]) if layer.name in changed else layer
            for layer in self.evidence.model.layers
        )

    @property
    def heads(self) -> tuple[HeadChange | None, ...]:
        """For each output what the recipe so far makes of it; None for those that stay."""
        for remedy in self.recipe.of(ReplaceHeads):
            return tuple(remedy.heads)
        return (None,) * len(self.evidence.targets)

    def encoded_columns(self, index: int) -> frozenset[int]:
        """Numbers of the columns of an input that the recipe so far one-hot encodes."""
        return frozenset(
            column.column for remedy in self.recipe.of(EncodeCategories) for column in remedy.columns[index]
        )

    def finds(self, causes: Iterable[str]) -> bool:
        """Whether one of these causes is among the findings."""
        return not {finding.cause for finding in self.findings}.isdisjoint(causes)


def _changed(layer: LayerProfile, values: dict[str, Any]) -> LayerProfile:
    arguments = {**dict(layer.arguments), **values}
    return dataclasses.replace(
        layer, activation=arguments.get("activation") or layer.activation, arguments=tuple(arguments.items())
    )


def changes_of(layer: LayerProfile, **values: Any) -> tuple[LayerChange, ...]:
    """What gives a layer other arguments: those that it has, and has otherwise.

    The activation of a layer may stand in a layer behind it: it is that one which changes.

    Args:
        layer: One of `Case.layers`.
        values: The new values, by the name of the argument.

    Example:

    >>> layer = LayerProfile("hidden", "Dense", arguments=(("activation", "relu"), ("bias_initializer", "zeros")))
    >>> [change.argument for change in changes_of(layer, activation="elu", bias_initializer="zeros", rate=0.2)]
    ['activation']
    """
    now = dict(layer.arguments)
    if "activation" in now:
        now["activation"] = layer.activation or now["activation"]
    return tuple(
        LayerChange(layer.name, layer.kind, name, value, now[name])
        for name, value in values.items()
        if name in now and now[name] != value
    )


class Strategy(abc.ABC):
    """One way to repair a training program.

    Class attributes:
        name: The name of its file, entry point, command-line argument and report line.
        treats: Names of the causes it helps against.
        recompiles: Whether its settings make a network, or batches, that have to be compiled anew.
        needs_surgery: Whether its remedies go into the network, which only Sequential and functional models allow.
        regroups: Whether its remedies change the order of the rows or the size of the batches, which only arrays and
            `tf.data` datasets allow.
        after: Names of strategies whose remedies it looks at in `Case.recipe`, so that these come first.
        when_left_out: What the report says where `prescribe` returns None: why the strategy does not apply.
    """

    name: ClassVar[str]
    treats: ClassVar[frozenset[str]]
    needs_surgery: ClassVar[bool] = False
    regroups: ClassVar[bool] = False
    recompiles: ClassVar[bool] = False
    after: ClassVar[frozenset[str]] = frozenset()
    when_left_out: ClassVar[str] = "it does not apply to this model and data"

    @abc.abstractmethod
    def prescribe(self, hp: "keras_tuner.HyperParameters", case: Case) -> Remedy | None:
        """The remedy for this case, with its settings drawn from `hp`.

        Args:
            hp: KerasTuner's define-by-run search space; names need no prefix.
            case: What is known. Deterministic: the same case and values give the same remedy.

        Returns:
            The remedy, or None when the strategy does not apply here.
        """


@functools.cache
def _registered() -> dict[str, type[Strategy]]:
    """The strategy classes by name, loaded from the entry points."""
    found: dict[str, type[Strategy]] = {}
    for point in sorted(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        try:
            loaded = point.load()
        except Exception as error:
            raise StrategyError(
                f"A strategy cannot be loaded. Expected a class at entry point {point.name!r}. "
                f"Received: {point.value!r}, which raised {error!r}. Update or uninstall {point.dist}."
            ) from error
        if not (isinstance(loaded, type) and issubclass(loaded, Strategy)) or loaded.name != point.name:
            raise StrategyError(
                f"A strategy is not what its entry point says. Expected a subclass of autofix.Strategy with "
                f"name={point.name!r}. Received: {loaded!r}. Update or uninstall {point.dist}."
            )
        found[point.name] = loaded
    return found


def strategy_names() -> tuple[str, ...]:
    """Names of all installed strategies, in the order of the ladder.

    Example:

    >>> strategy_names()[:2]
    ('standardize_inputs', 'lower_learning_rate')
    """
    names = _registered()
    known = [name for name in LADDER if name in names]
    return (*known, *sorted(set(names) - set(known)))


def resolve_strategies(strategies: Sequence[str | Strategy] | None) -> tuple[Strategy, ...]:
    """Instances of the strategies asked for.

    Args:
        strategies: Names or instances; None for all that are installed.

    Raises:
        StrategyError: A name is unknown, or something else than a name or a strategy was passed.
    """
    wanted = strategy_names() if strategies is None else strategies
    if isinstance(wanted, str):
        wanted = (wanted,)
    resolved = []
    for one in wanted:
        if isinstance(one, Strategy):
            resolved.append(one)
        elif isinstance(one, str) and one in _registered():
            resolved.append(_registered()[one]())
        else:
            close = difflib.get_close_matches(str(one), _registered(), n=1)
            hint = f"Did you mean {close[0]!r}?" if close else "autofix.strategy_names() lists them."
            raise StrategyError(
                f"Unknown strategy. Expected names or autofix.Strategy instances. "
                f"Received: strategies={list(wanted)!r}, with {one!r}. {hint}"
            )
    return tuple(resolved)

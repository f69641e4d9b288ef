"""Rewinding one object: noting what it holds, and putting exactly that back into the same object."""

import array
import collections
import io
import random
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from autofix.callbacks import reach

Undo = Callable[[], None]

MAX_BYTES = 16 * 2**20
"""Largest array, text or container that is copied. What callbacks record is smaller; data sets are larger."""

MAX_TOTAL_BYTES = 64 * 2**20
"""Most that is copied for one training: about 0.1 s, which no training of that size notices."""

ITEM_BYTES = 8
"""What a container's copy takes for each of its items: a reference."""

_MISSING = object()


class Rewinder:
    """Notes the contents of objects, as long as there is room.

    Args:
        kept: Variables that are put back elsewhere: those of the model that is trained.
    """

    def __init__(self, kept: list[Any]) -> None:
        self._kept = {id(variable) for variable in kept} | {id(_tensorflow(variable)) for variable in kept}
        self._left = MAX_TOTAL_BYTES

    def undos(self, value: Any) -> Iterator[Undo]:
        """What puts a value's own contents back, in place; nothing for values that cannot change."""
        kind = type(value)
        if _is_of_keras(kind):
            yield from self._of_variables(value)
            return
        if issubclass(kind, type):
            yield from _of_class(value)
            return
        base: Any = reach.container_base(kind)
        if base in _CONTAINER_UNDOS and self._has_room(base.__len__(value) * ITEM_BYTES):
            yield _CONTAINER_UNDOS[base](value)
        for undo, size in _value_undos(kind):
            if self._has_room(size(value)):
                yield undo(value)
        if issubclass(kind, _frames()) and self._has_room(int(np.sum(value.memory_usage()))):
            yield _of_frame(value)
        if reach.is_open(kind):
            yield from (_of_slot(member, value) for member in reach.slots(kind))

    def _has_room(self, n_bytes: int) -> bool:
        if n_bytes > min(MAX_BYTES, self._left):
            return False
        self._left -= n_bytes
        return True

    def _of_variables(self, value: Any) -> Iterator[Undo]:
        variables = [variable for variable in _variables(value) if id(variable) not in self._kept]
        sizes = [int(np.prod(variable.shape)) * tf.as_dtype(variable.dtype).size for variable in variables]
        if isinstance(value, keras.metrics.Metric) and not value.variables:
            yield value.reset_state  # it makes its variables when it is used first
        for variable, size in zip(variables, sizes, strict=True):
            if self._has_room(size):
                yield _of_variable(_tensorflow(variable))


@reach.by_class
def _value_undos(kind: type) -> list[tuple[Callable[[Any], Undo], Callable[[Any], int]]]:
    return [(undo, size) for refined, undo, size in _VALUE_UNDOS if issubclass(kind, refined)]


@reach.by_class
def _is_of_keras(kind: type) -> bool:
    layered = (keras.layers.Layer, keras.metrics.Metric, keras.optimizers.Optimizer)
    return issubclass(kind, (*layered, keras.random.SeedGenerator, keras.Variable, tf.Variable, tf.random.Generator))


def _variables(value: Any) -> list[Any]:
    if isinstance(value, keras.random.SeedGenerator | tf.random.Generator):
        return [value.state]
    if isinstance(value, keras.Variable | tf.Variable):
        return [value]
    return of_model(value) if isinstance(value, keras.Model) else list(value.variables)


def of_model(model: keras.Model) -> list[Any]:
    """The variables of a model, of its metrics and of its optimizer, as far as they exist."""
    optimizer = getattr(model, "optimizer", None)
    return [*model.variables, *model.metrics_variables, *(() if optimizer is None else optimizer.variables)]


def _tensorflow(variable: Any) -> Any:
    return variable.value if isinstance(variable, keras.Variable) else variable


def _of_variable(variable: Any) -> Undo:
    saved = tf.identity(variable)
    return lambda: variable.assign(saved)


def _same(first: Any, second: Any) -> bool:
    """Whether two sequences hold the same objects; `==` would run code of the user's."""
    return len(first) == len(second) and all(one is other for one, other in zip(first, second, strict=True))


def _of_dict(value: dict[Any, Any]) -> Undo:
    # An OrderedDict keeps its order beside the dict.
    base: Any = collections.OrderedDict if isinstance(value, collections.OrderedDict) else dict
    keys, values = list(base.keys(value)), list(base.values(value))

    def undo() -> None:
        if _same(list(base.keys(value)), keys) and _same(list(base.values(value)), values):
            return
        base.clear(value)
        for key, item in zip(keys, values, strict=True):
            base.__setitem__(value, key, item)

    return undo


def _of_list(value: list[Any]) -> Undo:
    saved = list.copy(value)

    def undo() -> None:
        if not _same(list.copy(value), saved):
            list.__setitem__(value, slice(None), saved)

    return undo


def _of_set(value: set[Any]) -> Undo:
    saved = list(set.__iter__(value))

    def undo() -> None:
        if not _same(list(set.__iter__(value)), saved):
            set.clear(value)
            set.update(value, saved)

    return undo


def _of_deque(value: collections.deque[Any]) -> Undo:
    base = collections.deque
    saved = list(base.__iter__(value))

    def undo() -> None:
        if not _same(list(base.__iter__(value)), saved):
            base.clear(value)
            base.extend(value, saved)

    return undo


_CONTAINER_UNDOS: dict[Any, Callable[[Any], Undo]] = {
    dict: _of_dict,
    list: _of_list,
    set: _of_set,
    collections.deque: _of_deque,
}


def _of_bytes(value: Any) -> Undo:
    saved = value[:]

    def undo() -> None:
        value[:] = saved

    return undo


def _of_array(value: np.ndarray) -> Undo:
    saved = np.array(value)

    def undo() -> None:
        if value.flags.writeable and value.shape == saved.shape:
            np.copyto(value, saved)

    return undo


def _of_text(value: Any) -> Undo:
    base: Any = io.StringIO if isinstance(value, io.StringIO) else io.BytesIO
    if value.closed:
        return lambda: None
    saved, position = base.getvalue(value), base.tell(value)

    def undo() -> None:
        base.seek(value, 0)
        base.truncate(value)
        base.write(value, saved)
        base.seek(value, position)

    return undo


def _of_frame(value: Any) -> Undo:
    saved = value.copy()

    def undo() -> None:
        # pandas has no public way to replace a frame's whole content (seen up to 3.1).
        value._mgr = saved.copy()._mgr

    return undo


def _of_random(value: random.Random) -> Undo:
    saved = value.getstate()
    return lambda: value.setstate(saved)


def _of_random_state(value: np.random.RandomState) -> Undo:
    saved = value.get_state()
    return lambda: value.set_state(saved)


def _of_bit_generator(value: np.random.BitGenerator) -> Undo:
    saved = value.state

    def undo() -> None:
        value.state = saved

    return undo


def _of_cell(cell: types.CellType) -> Undo:
    saved = _contents(cell)

    def undo() -> None:
        if _contents(cell) is saved:
            return
        if saved is _MISSING:
            del cell.cell_contents
        else:
            cell.cell_contents = saved

    return undo


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing in it
        return _MISSING


def _of_function(function: types.FunctionType) -> Undo:
    """Puts back which values the names have that the function binds anew: global ones, and those in own modules."""
    if not reach.is_own_function(function):
        return lambda: None
    names = reach.names_in(function.__code__)
    undos = [_of_names(function.__globals__, names.bound)]
    undos += [
        _of_names(vars(module), names.set_attributes & vars(module).keys()) for module in reach.modules_of(function)
    ]

    def undo() -> None:
        for one in undos:
            one()

    return undo


def _of_names(space: dict[str, Any], names: Iterable[str]) -> Undo:
    saved = {name: space.get(name, _MISSING) for name in names}

    def undo() -> None:
        for name, item in saved.items():
            if item is _MISSING:
                space.pop(name, None)
            elif space.get(name, _MISSING) is not item:
                space[name] = item

    return undo


def _of_class(kind: type) -> Iterator[Undo]:
    if not reach.is_own(kind):
        return
    saved = {name: item for name, item in vars(kind).items() if not reach.is_special(name)}

    def undo() -> None:
        # Not by `setattr`: a metaclass may have its own ideas.
        for name in [name for name in vars(kind) if name not in saved and not reach.is_special(name)]:
            type.__delattr__(kind, name)
        for name, item in saved.items():
            if vars(kind).get(name, _MISSING) is not item:
                type.__setattr__(kind, name, item)

    yield undo


def _of_slot(member: types.MemberDescriptorType, value: Any) -> Undo:
    def held() -> Any:
        try:
            return member.__get__(value, type(value))
        except AttributeError:  # nothing in it
            return _MISSING

    saved = held()

    def undo() -> None:
        if held() is saved:
            return
        if saved is _MISSING:
            member.__delete__(value)
        else:
            member.__set__(value, saved)

    return undo


def _frames() -> tuple[type, ...]:
    pandas = sys.modules.get("pandas")  # who has a frame has it imported
    return () if pandas is None else (pandas.DataFrame, pandas.Series)


def _n_bytes(value: Any) -> int:
    return int(getattr(value, "nbytes", 0))


_VALUE_UNDOS: tuple[tuple[Any, Callable[[Any], Undo], Callable[[Any], int]], ...] = (
    (bytearray, _of_bytes, len),
    (array.array, _of_bytes, lambda value: len(value) * value.itemsize),
    (np.ndarray, _of_array, _n_bytes),
    ((io.StringIO, io.BytesIO), _of_text, lambda value: 0 if value.closed else value.tell()),
    (random.Random, _of_random, _n_bytes),
    (np.random.RandomState, _of_random_state, _n_bytes),
    (np.random.Generator, lambda value: _of_bit_generator(value.bit_generator), _n_bytes),
    (types.CellType, _of_cell, _n_bytes),
    (types.FunctionType, _of_function, _n_bytes),
)
"""Types, what puts their values back, and what the copy takes in bytes."""

"""What a callback's data and code lead to: containers, objects, and what functions take from around them."""

import collections
import contextlib
import datetime
import dis
import functools
import pathlib
import sys
import sysconfig
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import keras
import numpy as np

T = TypeVar("T")

ATOMS = frozenset(
    {bool, int, float, complex, str, bytes, type(None), type(Ellipsis), range, slice, types.CodeType}
    | {datetime.date, datetime.datetime, datetime.time, datetime.timedelta, np.dtype, np.bool_, np.str_}
    | {np.float16, np.float32, np.float64, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint32, np.uint64}
)
"""Types of values that cannot change and lead nowhere: most of what is looked at."""

MAX_ITEMS = 200_000
"""Longest container whose items are looked at, one by one, for further ones: some 10 ms. Data sets are longer."""

CONTAINERS = (dict, list, tuple, set, frozenset, collections.deque)

_CLOSED = (
    *(keras.layers.Layer, keras.optimizers.Optimizer, keras.metrics.Metric, pathlib.PurePath, threading.Thread),
    *(type, types.ModuleType, types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType, memoryview),
)
"""Classes whose objects are never looked into, whoever refines them. What Keras has of variables is put back."""

_TRANSPARENT_MODULES = frozenset({"collections", "queue", "types", "unittest.mock"})
"""Modules of the standard library whose objects are data only, and may be put back like the user's own."""

_LIBRARIES = frozenset({"autofix", "keras", "numpy", "tensorflow"})
"""Never the user's own code, even where they are used from a checkout."""

_INSTALLED = ("site-packages", "dist-packages")

_WRAPPERS = (staticmethod, classmethod, types.MethodType, functools.partial, property, functools.cached_property)

_BOUND_BUILTINS = (types.BuiltinMethodType, types.MethodWrapperType)

_LOCKS = frozenset({"_thread", "threading", "multiprocessing.synchronize"})


def by_class(answer: Callable[[type], T]) -> Callable[[type], T]:
    """Remembers the answers for classes that come up again and again, without keeping all classes alive."""
    return functools.lru_cache(maxsize=256)(answer)


@by_class
def is_own(kind: type) -> bool:
    """Whether a class is the user's own: neither installed nor of the standard library."""
    return _is_own_module(getattr(kind, "__module__", None))


def is_own_function(function: types.FunctionType) -> bool:
    """Whether a function is written by the user, whatever a decorator made of its names."""
    return _is_own_module(function.__globals__.get("__name__"))


@functools.cache
def _is_own_module(name: Any) -> bool:
    if name in ("__main__", None):  # whatever started it, as `python -m` does; or run by `exec`
        return True
    if not isinstance(name, str) or name.partition(".")[0] in _LIBRARIES:
        return False
    path = getattr(sys.modules.get(name), "__file__", None)
    if not isinstance(path, str):  # made by hand, or built in
        return name.partition(".")[0] not in sys.stdlib_module_names
    file = pathlib.Path(path)
    return not any(part in file.parts for part in _INSTALLED) and not file.is_relative_to(sysconfig.get_path("stdlib"))


def is_callback(kind: type) -> bool:
    """Whether a class is one of callbacks."""
    return issubclass(kind, keras.callbacks.Callback)


@by_class
def is_open(kind: type) -> bool:
    """Whether objects of a class are data alone, that may be looked into and put back."""
    if is_callback(kind) or kind in CONTAINERS or kind.__module__ in _TRANSPARENT_MODULES:
        return True
    # An iterator stands where its reader, such as the training itself, has come to.
    is_iterator = any("__next__" in vars(base) for base in kind.__mro__)
    return is_own(kind) and not issubclass(kind, _CLOSED) and not is_iterator and not _is_closeable(kind)


def is_resource(value: Any) -> bool:
    """Whether a value is something that gets closed: a file, a writer, a connection, a process."""
    kind = type(value)
    if issubclass(kind, threading.Thread):
        return True
    return not is_open(kind) and not issubclass(kind, _CLOSED) and _is_closeable(kind)


@by_class
def _is_closeable(kind: type) -> bool:
    """Whether a class takes from a library that its objects get closed."""
    return any(
        "close" in vars(base) or "__exit__" in vars(base)
        for base in kind.__mro__
        if base is not contextlib.AbstractContextManager and base.__module__ not in _LOCKS and not is_own(base)
    )


def instance_dict(value: Any) -> dict[str, Any] | None:
    """The attributes of an object, found without running any code of its class."""
    try:
        found = object.__getattribute__(value, "__dict__")
    except (AttributeError, TypeError):
        return None
    return found if type(found) is dict else None


@by_class
def slots(kind: type) -> tuple[types.MemberDescriptorType, ...]:
    """The `__slots__` of a class and of those that it is made from."""
    members = [member for base in kind.__mro__ if is_own(base) for member in vars(base).values()]
    return tuple(member for member in members if type(member) is types.MemberDescriptorType)


@by_class
def _own_bases(kind: type) -> tuple[type, ...]:
    """The user's own classes that a class is made from, itself included."""
    return tuple(base for base in kind.__mro__ if is_own(base))


@by_class
def container_base(kind: type) -> type | None:
    """The container that a class is or refines; None for others and for those of libraries, which keep more."""
    if not is_open(kind):
        return None
    return next((base for base in CONTAINERS if issubclass(kind, base)), None)


class Names(NamedTuple):
    """The names that code refers to, functions within it included.

    Args:
        used: Global names.
        bound: Those of them that it binds anew.
        attributes: Names of attributes, of whatever object.
        set_attributes: Those of them that it sets.
    """

    used: frozenset[str]
    bound: frozenset[str]
    attributes: frozenset[str]
    set_attributes: frozenset[str]


_OPERATIONS = (
    ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL"),
    ("STORE_GLOBAL", "DELETE_GLOBAL"),
    ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "DELETE_ATTR"),
    ("STORE_ATTR", "DELETE_ATTR"),
)
"""What Python's compiler makes of each kind of `Names`."""


@functools.lru_cache(maxsize=16)  # asked twice in a row for a function
def names_in(code: types.CodeType) -> Names:
    """The names that code refers to, functions within it included."""
    found: tuple[set[str], ...] = (set(), set(), set(), set())
    for instruction in dis.get_instructions(code):
        for names, operations in zip(found, _OPERATIONS, strict=True):
            if instruction.opname in operations:
                names.add(instruction.argval)
    for constant in code.co_consts:
        if type(constant) is types.CodeType:
            for names, inner in zip(found, names_in(constant), strict=True):
                names |= inner
    return Names(*map(frozenset, found))


def modules_of(function: types.FunctionType) -> Iterator[types.ModuleType]:
    """The user's own modules that a function refers to by name."""
    for name in names_in(function.__code__).used:
        module = function.__globals__.get(name)
        if type(module) is types.ModuleType and _is_own_module(vars(module).get("__name__")):
            yield module


def children(value: Any) -> Iterator[Any]:
    """What a value leads to directly, values that cannot change left out. Runs no code of the value's class."""
    kind = type(value)
    if issubclass(kind, types.FunctionType):
        yield from _of_function(value)
    elif issubclass(kind, types.CellType):
        yield from _cell_contents(value)
    elif issubclass(kind, type):
        yield from _of_class(value)
    elif kind in _WRAPPERS:
        yield from _of_wrapper(value)
    elif kind in _BOUND_BUILTINS:
        yield value.__self__
    elif issubclass(kind, np.ndarray) and value.dtype == object and value.size <= MAX_ITEMS:
        yield from value.flat
    elif is_open(kind):
        yield from _of_container(value)
        yield from _of_object(value)


def _of_container(value: Any) -> Iterator[Any]:
    base = container_base(type(value))
    if base is None or base.__len__(value) > MAX_ITEMS:  # type: ignore[attr-defined]
        return
    items = list(base.__iter__(value))  # type: ignore[attr-defined]
    if base is dict:
        items += dict.values(value)
    yield from (item for item in items if type(item) not in ATOMS)


def _of_object(value: Any) -> Iterator[Any]:
    kind = type(value)
    attributes = instance_dict(value)
    if attributes is not None:
        yield attributes
    for member in slots(kind):
        try:
            yield member.__get__(value, kind)
        except AttributeError:  # nothing in it yet
            continue
    yield from _own_bases(kind)


def _of_class(value: type) -> Iterator[Any]:
    if is_own(value):
        yield from (item for name, item in vars(value).items() if not is_special(name))
        yield from _own_bases(value)


def is_special(name: str) -> bool:
    """Whether an attribute of a class is Python's own business; `__init__` and other code is not."""
    return name in ("__dict__", "__weakref__", "__doc__", "__module__", "__annotations__") or name.startswith("_abc_")


def _of_function(function: types.FunctionType) -> Iterator[Any]:
    wrapped = vars(function).get("__wrapped__")
    if wrapped is not None:
        yield wrapped
    if not is_own_function(function):
        return
    yield from function.__closure__ or ()
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    yield vars(function)
    names = names_in(function.__code__)
    yield from (function.__globals__.get(name) for name in sorted(names.used))
    for module in modules_of(function):
        yield from (vars(module).get(name) for name in sorted(names.attributes))


def _cell_contents(cell: types.CellType) -> Iterator[Any]:
    try:
        yield cell.cell_contents
    except ValueError:  # nothing in it yet
        return


def _of_wrapper(value: Any) -> Iterator[Any]:
    if type(value) is functools.partial:
        yield from (value.func, value.args, value.keywords)
    elif type(value) is property:
        yield from (value.fget, value.fset, value.fdel)
    elif type(value) is functools.cached_property:
        yield value.func
    else:
        yield value.__func__
        yield getattr(value, "__self__", None)

"""The user's callbacks, as they were before a training: so that each sees one training, the one that counts.

A collapsed training is stopped after its callbacks have been told of some of its epochs. Before the repaired one they
are put back, together with everything that their data and their code lead to, in the same objects: a list that the
user holds and reads afterwards has the events of one training in it. That is

- attributes and slots; lists, dicts, sets, deques, arrays, texts in memory, data frames, generators of random numbers;
- variables of TensorFlow and Keras, and those of metrics, layers and optimizers other than the model's own;
- objects of the user's own classes, attributes of these classes, values that functions close over, global names that
  functions bind anew (attributes of the user's own modules too), and what is held by those that they only read;
- files that Keras' own callbacks write: see `callback_files`.

Nothing can take back what has left the process (printed lines, sent messages), files that the user's own callbacks
wrote, iterators and generators that were advanced, or the insides of objects that a library made. Also left as they
are: arrays and containers above the bounds in `rewind`, what lies beyond `MAX_OBJECTS`, and what is reached through a
model only. What a thread does to these objects in the meantime is undone with the rest.

A callback may hold something open from before the training, such as a file, and close it at the training's end. It is
not told of the end of a training that does not count.
"""

import contextlib
import functools
import gc
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from autofix.callbacks import reach
from autofix.callbacks.files import FileStates
from autofix.callbacks.rewind import Rewinder, Undo, of_model

MAX_OBJECTS = 10_000
"""Most objects that are looked at for one callback: about 0.1 s. Those near the callback come first."""

_END = "on_train_end"


class CallbackStates:
    """The states of the user's callbacks before a training. Taking them changes nothing and never raises.

    Args:
        callbacks: The user's.
        model: The one that is trained; what belongs to it is put back by others.

    Attributes:
        notes: What could not be put back, after `restore`.

    Example:

    >>> import keras
    >>> history = keras.callbacks.History()
    >>> held = history.history
    >>> states = CallbackStates([history])
    >>> held["loss"] = [0.5]
    >>> states.restore()
    >>> held
    {}
    """

    def __init__(self, callbacks: Sequence[Any], model: keras.Model | None = None) -> None:
        self.notes: list[str] = []
        self._known: dict[int, Any] = {}  # keeps the objects alive, so that an id means one of them
        self._undos: list[Undo] = []
        self._holders: list[Any] = []
        self._muted: list[tuple[dict[str, Any], Any]] = []
        self._ends: list[tuple[Any, Any]] = []
        self._found: list[Any] = []
        self._rewinder = Rewinder(_variables(model))
        with _no_garbage_collection():
            for callback in callbacks:
                self._note(callback)
        self._files = FileStates(self._found)

    def restore(self, *, resume: bool = True) -> None:
        """Puts everything back to where it was. May be called again after another training.

        Args:
            resume: Whether the next training may go on from a backup that was there: not with another network.
        """
        self.drop_ends()
        for undo in self._undos:
            # One object that resists must not keep the others from being put back.
            with contextlib.suppress(Exception):
                undo()
        for note in self._files.restore(resume=resume):
            if note not in self.notes:
                self.notes.append(note)

    def withhold_ends(self) -> None:
        """Keeps the next `on_train_end` from callbacks that hold something open since before the training."""
        self._release()
        for callback in self._holders:
            attributes = reach.instance_dict(callback)
            if attributes is None:
                continue
            self._muted.append((attributes, attributes.get(_END)))
            attributes[_END] = functools.partial(self._withhold, callback)

    def deliver_ends(self) -> None:
        """Tells callbacks of the end that was kept from them: the training counts."""
        self._release()
        ends, self._ends = self._ends, []
        for callback, logs in ends:
            callback.on_train_end(logs)

    def drop_ends(self) -> None:
        """Forgets the ends that were kept from callbacks, and keeps no further ones."""
        self._release()
        self._ends = []

    def _withhold(self, callback: Any, logs: Any = None) -> None:
        self._ends.append((callback, logs))

    def _release(self) -> None:
        for attributes, before in self._muted:
            if before is None:
                attributes.pop(_END, None)
            else:
                attributes[_END] = before
        self._muted = []

    def _note(self, callback: Any) -> None:
        """Notes a callback and all that it leads to, the nearest first."""
        holds = False
        seen: set[int] = set()
        queue = deque([callback])
        while queue and len(seen) < MAX_OBJECTS:
            value = queue.popleft()
            # Classes may be odd in every way; what cannot be noted is left as it is.
            with contextlib.suppress(Exception):
                if type(value) not in reach.ATOMS and id(value) not in seen:
                    seen.add(id(value))
                    holds = holds or reach.is_resource(value)
                    queue.extend(reach.children(value))
                    self._keep(value)
        with contextlib.suppress(Exception):
            if holds and not _ends_as_keras(callback):
                self._holders.append(callback)

    def _keep(self, value: Any) -> None:
        if id(value) in self._known:
            return
        self._known[id(value)] = value
        if reach.is_callback(type(value)):
            self._found.append(value)
        self._undos.extend(self._rewinder.undos(value))


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Many small copies at once would set off collections of all that TensorFlow holds, each slower than the copies."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _variables(model: keras.Model | None) -> list[Any]:
    with contextlib.suppress(Exception):
        return [] if model is None else of_model(model)
    return []


def _ends_as_keras(callback: Any) -> bool:
    """Whether what a callback does at the end is Keras' own, which may be done after every training."""
    end = (reach.instance_dict(callback) or {}).get(_END) or getattr(type(callback), _END)
    return str(getattr(end, "__module__", "")).startswith("keras.")

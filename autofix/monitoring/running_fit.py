"""What a running `model.fit` holds: Keras hands its callbacks neither data nor iterators."""

import sys
import threading
from collections.abc import Mapping
from typing import Any


def running_fit() -> Mapping[str, Any]:
    """The local variables of the `fit` of Keras that this code runs in; empty outside of one."""
    frame: Any = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "fit" and "epoch_iterator" in frame.f_locals:
            return dict(frame.f_locals)
        frame = frame.f_back
    return {}


class SpentIterators:
    """Iterators over epochs that are over, which are deleted where nobody waits for it.

    Keras holds the iterator of an epoch until the next one begins. Its deletion waits for a thread that tunes the
    pipeline, and that, where it misses the signal to end, sleeps on for up to as long as the iterator has lived (seen
    with TensorFlow 2.21, in every other search: up to 5 s after one of 5 s). Only those over arrays are kept, which
    are Keras' own: what a dataset of the user's holds, such as the lock of a cache, is to be free for the next one.

    Example:

    >>> spent = SpentIterators()
    >>> spent.keep()  # outside of fit there is none
    >>> spent.let_go()
    """

    def __init__(self) -> None:
        self._kept: list[Any] = []

    def keep(self) -> None:
        """Keeps the iterator of the epoch that has just ended, if it is one of arrays."""
        held = running_fit()
        adapter = getattr(held.get("epoch_iterator"), "data_adapter", None)
        if "iterator" in held and type(adapter).__name__ == "ArrayDataAdapter":
            self._kept.append(held["iterator"])

    def let_go(self) -> None:
        """Deletes what was kept. To be called when the `fit` that held it has returned."""
        if self._kept:
            threading.Thread(target=self._kept.clear, name="autofix-spent-iterators", daemon=True).start()

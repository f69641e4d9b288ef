"""Work beside other work: XLA compiles, and most of scikit-learn learns, without Python's lock."""

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

SWITCH_S = 5e-4
"""A tenth of what Python waits by default until a thread has to hand its lock on: each of the hundreds of operations of
a trace gives the lock up and waits for it again. Shorter ones gain nothing more."""


@contextlib.contextmanager
def beside(work: Callable[[], T]) -> Iterator[Future[T]]:
    """Runs something in a thread of its own while the body runs; on leaving, both are over.

    No warnings are shown meanwhile: Python's filters are those of the process, and two threads that change them for a
    while give them back in any order. Here they are given back once more, after both.

    Args:
        work: Called without arguments; what it raises, `result()` of the future raises.
    """
    before = sys.getswitchinterval()
    with warnings.catch_warnings(), ThreadPoolExecutor(1, thread_name_prefix="autofix") as executor:
        warnings.simplefilter("ignore")
        sys.setswitchinterval(min(before, SWITCH_S))
        try:
            yield executor.submit(work)
        finally:
            sys.setswitchinterval(before)

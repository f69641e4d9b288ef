"""Work beside other work: XLA compiles, and most of scikit-learn learns, without Python's lock."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


@contextlib.contextmanager
def beside(work: Callable[[], T]) -> Iterator[Future[T]]:
    """Runs something in a thread of its own while the body runs; on leaving, both are over.

    No warnings are shown meanwhile: Python's filters are those of the process, and two threads that change them for a
    while give them back in any order. Here they are given back once more, after both.

    Args:
        work: Called without arguments; what it raises, `result()` of the future raises.
    """
    with warnings.catch_warnings(), ThreadPoolExecutor(1, thread_name_prefix="autofix") as executor:
        warnings.simplefilter("ignore")
        yield executor.submit(work)

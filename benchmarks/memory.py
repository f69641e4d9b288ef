"""The largest resident memory of a process while something runs in it."""

import threading
from typing import Self

import psutil

INTERVAL_S = 0.05
"""Between two looks: what is held for less is not seen. A look takes some 20 µs."""

MB = 1e6


class Peak:
    """Watches the resident memory of this process, from a thread of its own.

    Attributes:
        mb: The largest that was seen, in MB.

    Example:

    >>> with Peak() as peak:
    ...     values = bytearray(1000)
    >>> peak.mb > 1.0
    True
    """

    def __init__(self) -> None:
        self.mb = self._before = 0.0
        self._process = psutil.Process()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._before = self.mb
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._look()

    @property
    def added_mb(self) -> float:
        """How much the largest is above what the process held before, in MB."""
        return self.mb - self._before

    def _look(self) -> None:
        self.mb = max(self.mb, self._process.memory_info().rss / MB)

    def _watch(self) -> None:
        while not self._is_over.wait(INTERVAL_S):
            self._look()

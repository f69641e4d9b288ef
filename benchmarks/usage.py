"""What a call uses: the largest resident memory of the process while it runs, and processor time."""

import threading
import time
from typing import Self

import psutil

INTERVAL_S = 0.05
"""Between two looks at the memory: what is held for less is not seen. A look takes some 20 µs."""

MB = 1e6


class Usage:
    """Watches this process, from a thread of its own.

    Attributes:
        peak_mb: Largest resident memory that was seen, in MB.
        cpu_s: Seconds of processor time, of all threads; where a machine is shared, they tell more than wall time.

    Example:

    >>> with Usage() as usage:
    ...     values = bytearray(1000)
    >>> usage.peak_mb > 1.0, usage.cpu_s >= 0.0
    (True, True)
    """

    def __init__(self) -> None:
        self.peak_mb = self._before_mb = self.cpu_s = 0.0
        self._process = psutil.Process()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._before_mb = self.peak_mb
        self._cpu_s = time.process_time()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cpu_s = time.process_time() - self._cpu_s
        self._is_over.set()
        self._thread.join()
        self._look()

    @property
    def added_mb(self) -> float:
        """How much the largest memory is above what the process held before, in MB."""
        return self.peak_mb - self._before_mb

    def _look(self) -> None:
        self.peak_mb = max(self.peak_mb, self._process.memory_info().rss / MB)

    def _watch(self) -> None:
        while not self._is_over.wait(INTERVAL_S):
            self._look()

    def figures(self) -> dict[str, float]:
        """All of it, for a record."""
        return {"peak_mb": self.peak_mb, "added_mb": self.added_mb, "cpu_s": self.cpu_s}

"""Imports Keras without what TensorFlow writes to the terminal meanwhile."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Keeps off the terminal what is written to stderr while TensorFlow is imported.

    TensorFlow 2.21 logs what it finds on the machine before it reads `TF_CPP_MIN_LOG_LEVEL`; this can go with
    a version that reads it first.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)

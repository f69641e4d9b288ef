"""The command line of the benchmarks: `python -m autofix.benchmarks COMMAND`."""

import argparse
import contextlib
import importlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

MODULES = {
    "published": "published",
    "noise": "noise",
    "overhead": "overhead",
    "probe": "probe_cost",
    "demo": "demo",
}
"""Where each command lives. Imported when it is called, because Keras takes seconds to import."""


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"Expected a count of at least 1. Received: {value}")
    return value


def parser() -> argparse.ArgumentParser:
    """The parser; what it returns names the command and the arguments of its `main`."""
    top = argparse.ArgumentParser(prog="python -m autofix.benchmarks", description="Benchmarks of autofix.")
    commands = top.add_subparsers(dest="command", required=True)

    published = commands.add_parser("published", help="the three published failing programs, over many seeds")
    published.add_argument("--seeds", type=_count, default=20, help="how many seeds (default: 20)")
    published.add_argument("--first-seed", type=int, default=0, help="the first of them (default: 0)")
    published.add_argument(
        "--program", action="append", dest="programs", default=[], help="run this one only; may be repeated"
    )

    noise = commands.add_parser("noise", help="pure noise, where any repair is a false one")
    noise.add_argument("--seeds", type=_count, default=50, help="how many seeds (default: 50)")
    noise.add_argument("--first-seed", type=int, default=0, help="the first of them (default: 0)")

    overhead = commands.add_parser("overhead", help="what the watch costs a healthy run")
    overhead.add_argument("--pairs", type=_count, default=14, help="pairs of each healthy run (default: 14)")
    overhead.add_argument(
        "--control", action="store_true", help="model.fit in both arms: how exact is the measurement?"
    )

    probe = commands.add_parser("probe", help="what a probe costs against model.fit")
    probe.add_argument("--trials", type=_count, default=200, help="trials over which memory is watched (default: 200)")

    for command in (published, noise, overhead, probe):
        command.add_argument("--json", type=Path, metavar="FILE", help="write every figure to this file")

    demo = commands.add_parser("demo", help="the three programs as a table and a picture")
    demo.add_argument("--seed", type=int, default=0, help="of data and initial weights (default: 0)")
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("build/demo"),
        metavar="DIR",
        help="folder of the picture (default: build/demo)",
    )
    return top


@contextlib.contextmanager
def _quiet_import() -> Iterator[None]:
    """Keeps off the terminal what TensorFlow writes while it is imported.

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 1 when a floor is missed, 2 for wrong arguments."""
    chosen = vars(parser().parse_args(arguments))
    with _quiet_import():
        module = importlib.import_module(f"autofix.benchmarks.{MODULES[chosen.pop('command')]}")
    # Many networks in one process look like one that is traced again and again, which TensorFlow warns of.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return module.main(**chosen)


if __name__ == "__main__":
    sys.exit(main())

"""The command line of the benchmarks: `python -m autofix.benchmarks COMMAND`."""

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from autofix import cli
from autofix.cli.quiet import quiet_import

MODULES = {
    "published": "published",
    "thresholds": "thresholds",
    "overhead": "overhead",
    "probe": "probe_cost",
    "jobs": "job_throughput",
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

    commands.add_parser("bench", help="all arms on all scenarios: what `autofix bench` runs", add_help=False)
    published = commands.add_parser("published", help="the three published failing programs, over many seeds")
    published.add_argument("--seeds", type=_count, default=20, help="how many seeds (default: 20)")
    published.add_argument("--first-seed", type=int, default=0, help="the first of them (default: 0)")
    published.add_argument(
        "--program", action="append", dest="programs", default=[], help="run this one only; may be repeated"
    )

    thresholds = commands.add_parser("thresholds", help="how much the diagnosis depends on its thresholds")
    thresholds.add_argument("folder", type=Path, metavar="DIR", help="what `autofix bench --out DIR` wrote")

    overhead = commands.add_parser("overhead", help="what the watch costs a healthy run")
    overhead.add_argument("--pairs", type=_count, default=14, help="pairs of each healthy run (default: 14)")
    overhead.add_argument(
        "--control", action="store_true", help="model.fit in both arms: how exact is the measurement?"
    )

    probe = commands.add_parser("probe", help="what a probe costs against model.fit")
    probe.add_argument("--trials", type=_count, default=200, help="trials over which memory is watched (default: 200)")

    jobs = commands.add_parser("jobs", help="jobs a minute: two workers, one, and a loop of scripts")
    jobs.add_argument("--jobs", type=_count, default=40, help="how many small trainings (default: 40)")
    jobs.add_argument("--scripts", type=_count, default=10, help="how many of them as scripts too (default: 10)")

    for command in (published, overhead, probe, jobs):
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 1 when a floor is missed, 2 for wrong arguments."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["bench"]:
        return cli.main(given)
    chosen = vars(parser().parse_args(given))
    with quiet_import():
        module = importlib.import_module(f"autofix.benchmarks.{MODULES[chosen.pop('command')]}")
    # Many networks in one process look like one that is traced again and again, which TensorFlow warns of.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return module.main(**chosen)


if __name__ == "__main__":
    sys.exit(main())

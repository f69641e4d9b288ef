"""`autofix demo`."""

import importlib
from pathlib import Path

import click

from autofix.cli.quiet import quiet_import


@click.command()
@click.option("--seed", type=int, default=0, show_default=True, help="Of data and initial weights.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("build/demo"),
    show_default=True,
    metavar="DIR",
    help="Folder of the picture.",
)
def demo(seed: int, out: Path) -> int:
    """Trains three small programs that fail under plain Keras, with model.fit and with autofix.fit.

    Prints a table and the code of each fix, and draws predictions against targets.
    """
    with quiet_import():
        # By its name: the engine knows no benchmark, and this loads Keras.
        program = importlib.import_module("autofix.benchmarks.demo")
    code: int = program.main(seed, out)
    return code

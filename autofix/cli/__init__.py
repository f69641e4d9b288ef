"""The command line `autofix`.

One module a command. Each is imported when its command is called: the help answers at once, and Keras, which takes
seconds to import, is loaded by the commands that train or look at a network, after they have checked what they were
given. `autofix.cli.conventions` holds what all commands share: where they write, how they fail, what they return.
"""

import os
import sys
from collections.abc import Sequence

import click

from autofix.cli import conventions
from autofix.cli.groups import LazyGroup

COMMANDS = {
    "run": ("autofix.cli.run:run", "train the jobs of a file; the same command again resumes"),
    "check": ("autofix.cli.check:check", "validate a job file and print its plan; trains nothing"),
    "status": ("autofix.cli.status:status", "how far the jobs of a run are"),
    "report": ("autofix.cli.report:report", "the results of a run as a table, data or a page"),
    "diagnose": ("autofix.cli.diagnose:diagnose", "what keeps a model from predicting; trains nothing"),
    "strategies": ("autofix.cli.strategies:strategies", "list the installed strategies"),
    "bench": ("autofix.benchmarks.bench:bench", "measure autofix on broken programs, beside its rivals"),
    "demo": ("autofix.cli.demo:demo", "watch autofix repair three failing programs"),
}
"""Where each command lives, and its line in the help."""


@click.group(
    cls=LazyGroup,
    commands_at=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="autofix-keras", message="autofix %(version)s")
def autofix() -> None:
    """Trains Keras models, and repairs those that would predict the same for every input."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: The words after `autofix`; None for those of the process.

    Returns:
        The exit code: 0, 1, 2 or 130, as `autofix.cli.conventions` defines them.

    Example:

    >>> main(["--version"])
    autofix 0.1.0
    0
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        with conventions.guard(given) as guarded:
            # standalone_mode=False: exceptions come back, and the command's return value is the exit code.
            result = autofix.main(args=given, prog_name="autofix", standalone_mode=False)
            guarded.code = result if isinstance(result, int) else conventions.OK
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads our output has enough of it (`autofix status RUN | head`). The rest goes nowhere, without a word.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return conventions.SOME_BAD
    return guarded.code

"""`autofix diagnose`."""

import click


@click.command()
def diagnose() -> int:
    """Not built yet."""
    raise click.UsageError("not built yet")

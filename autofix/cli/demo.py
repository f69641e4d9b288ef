"""`autofix demo`."""

import click


@click.command()
def demo() -> int:
    """Not built yet."""
    raise click.UsageError("not built yet")

"""`autofix strategies`."""

import importlib.metadata
import inspect
from typing import Any

import click

from autofix.cli.conventions import OK, emit, format_option
from autofix.cli.quiet import quiet_import


@click.command()
@format_option
def strategies(output_format: str) -> int:
    """Lists the installed strategies: what each treats and does, and where it comes from."""
    with quiet_import():
        from autofix.strategy import ENTRY_POINT_GROUP, resolve_strategies

        installed = resolve_strategies(None)
    points = {point.name: point for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)}
    rows: list[dict[str, Any]] = []
    for one in installed:
        point = points[one.name]
        described = inspect.getdoc(type(one)) or ""
        rows.append(
            {
                "name": one.name,
                "treats": sorted(one.treats),
                "does": described.partition("\n")[0],
                "from": f"{point.dist.name} {point.dist.version}" if point.dist else point.value,
            }
        )
    if output_format in ("table", "csv"):
        rows = [{**row, "treats": ", ".join(row["treats"])} for row in rows]
    emit(rows, output_format)
    return OK

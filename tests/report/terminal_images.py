"""Pictures of the terminal while autofix works: real runs in a pseudo-terminal, drawn as SVG.

Run `python -m tests.report.terminal_images docs/images`.
"""

import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyte
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

COLUMNS, ROWS = 108, 30

PROGRAM = """
import numpy as np, keras, autofix
from autofix.benchmarks.published import PROGRAMS
program = PROGRAMS[{index}]
keras.utils.set_random_seed(0)
x, y = program.make_data(100, np.random.default_rng(0))
history = autofix.fit(program.build(), x, y, epochs={epochs})
{last}
"""

Moments = dict[str, Callable[[str], bool]]
"""What is to be seen on the screen, by the name of the picture; the last screen of that kind is drawn."""


def screens(code: str, moments: Moments, environment: dict[str, str] | None = None) -> dict[str, pyte.Screen]:
    """Runs a program in a terminal and returns what that showed.

    Args:
        code: Of the Python program.
        moments: Which screens to keep.
        environment: Variables beyond those of this process.

    Returns:
        The last screen of each moment; the last one of all as `"end"`.
    """
    own, of_program = pty.openpty()
    variables = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)}
    variables |= {"TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})}
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        if name not in (environment or {}):
            variables.pop(name, None)
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdin=of_program, stdout=of_program, stderr=subprocess.DEVNULL, env=variables
    ) as process:
        os.close(of_program)
        screen = pyte.Screen(COLUMNS, ROWS)
        stream, kept = pyte.ByteStream(screen), {}
        while data := _read(own):
            stream.feed(data)
            text = "\n".join(screen.display)
            for name, is_seen in moments.items():
                if is_seen(text):
                    kept[name] = _copy(screen)
        kept["end"] = screen
    os.close(own)
    assert process.returncode == 0, "\n".join(screen.display)
    return kept


def _read(descriptor: int) -> bytes:
    """What has come since, empty at the end of the program."""
    try:
        select.select([descriptor], [], [])
        return os.read(descriptor, 65536)
    except OSError:  # of Linux, where the other end is closed
        return b""


def _copy(screen: pyte.Screen) -> pyte.Screen:
    copy = pyte.Screen(screen.columns, screen.lines)
    for row, line in screen.buffer.items():
        for column, cell in line.items():
            copy.buffer[row][column] = cell
    return copy


def save_svg(screen: pyte.Screen, path: Path, title: str) -> None:
    """Draws a screen, without its empty rows at the end."""
    lines = [_line(screen, row) for row in range(screen.lines)]
    while lines and not lines[-1].plain.strip():
        lines.pop()
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        page = Console(record=True, width=screen.columns, file=nowhere, force_terminal=True, color_system="truecolor")
        for line in lines:
            page.print(line, no_wrap=True, crop=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without rich's own fonts, which a viewer would fetch from a server.
        template = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
        template = template.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")
        path.write_text(page.export_svg(title=title, code_format=template, font_aspect_ratio=0.61), encoding="utf-8")


def _line(screen: pyte.Screen, row: int) -> Text:
    line = Text(no_wrap=True)
    for column in range(screen.columns):
        cell = screen.buffer[row][column]
        line.append(cell.data, style=f"{'bold ' if cell.bold else ''}{_colour(cell.fg)}".strip())
    line.rstrip()
    return line


def _colour(name: str) -> str:
    """A colour of pyte in the words of rich."""
    if name in ("default", ""):
        return ""
    if name == "brown":
        return "yellow"
    if len(name) == 6 and all(digit in "0123456789abcdef" for digit in name):
        return f"#{name}"
    return name.replace("bright", "bright_")


def terminal_images(folder: Path) -> list[Path]:
    """Draws a search under way, its end, and a report, of two of the published programs.

    Args:
        folder: Where the pictures go.

    Returns:
        The pictures.
    """
    code = PROGRAM.format(index=0, epochs=100, last="")
    seen = screens(code, {"search": lambda text: "rung 2" in text and "Repair found" not in text})
    report = screens(PROGRAM.format(index=1, epochs=100, last="print('\\033[2J\\033[H', history.report, sep='')"), {})
    pictures = {"search": seen.get("search"), "verdict": seen["end"], "text_report": report["end"]}
    paths = []
    for name, screen in pictures.items():
        if screen is not None:
            paths.append(folder / f"terminal_{name}.svg")
            save_svg(screen, paths[-1], "python train.py")
    return paths


if __name__ == "__main__":
    for picture in terminal_images(Path(sys.argv[1])):
        print(picture)

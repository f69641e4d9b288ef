"""Makes the pictures of the documentation: `python -m tests.report.images`, or `make images`.

Every picture is of a real run. `MAKERS` holds what makes them: functions that write into the folder they are given.
"""

import io
import pathlib
import sys
import tempfile
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from PIL import Image

import autofix
from autofix.benchmarks.published import PROGRAMS, TRAINING_ROWS, Program
from autofix.report import Report
from autofix.report.index import Entry, render
from tests.report import browser
from tests.report.terminal_images import terminal_images

FOLDER = pathlib.Path(__file__).parents[2] / "docs" / "images"

THEMES = ("light", "dark")

SIZE = (1000, 900)
"""Of the window. A page is shown from its top to the end of the second figure: the whole is five screens long."""

UNTIL = 'figure[data-kind="progress"]'

COLOURS = 128

SEED = 0

BUDGET_S = 120.0
"""Enough for the search on a machine that is busy: the pictures shall not depend on its speed."""


def published(program: Program) -> Report:
    """The report of one of the published programs."""
    x, y = program.make_data(TRAINING_ROWS, np.random.default_rng(SEED))
    keras.utils.set_random_seed(SEED)
    return _fit(program.build(), x, y, program.epochs)


def unlearnable() -> Report:
    """The report of a network whose targets have nothing to do with its inputs."""
    rng = np.random.default_rng(SEED)
    x, y = rng.normal(size=(300, 4)), rng.normal(size=300)
    keras.utils.set_random_seed(SEED)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    return _fit(model, x, y, 30)


def _fit(model: keras.Model, x: np.ndarray, y: np.ndarray, epochs: int) -> Report:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", autofix.CollapseWarning)
        report: Report = autofix.fit(model, x, y, epochs=epochs, verbose=0, budget_s=BUDGET_S).report
    return report


def report_pages(folder: pathlib.Path) -> None:
    """Screenshots of the reports, in both themes, of one on a telephone, and of the page about all of them."""
    reports = {program.name: published(program) for program in PROGRAMS} | {"unlearnable": unlearnable()}
    with tempfile.TemporaryDirectory() as temporary, browser.opened() as chromium:
        pages = pathlib.Path(temporary)
        for name, report in reports.items():
            path = report.save(pages / f"{name}.html")
            for theme in THEMES:
                _shoot(chromium, path, folder / f"report_{name}_{theme}.png", SIZE, theme, UNTIL)
        _shoot(chromium, pages / f"{PROGRAMS[0].name}.html", folder / "report_phone.png", browser.PHONE, "light", "")
        entries = [Entry.of(name, report.record, f"{name}.html") for name, report in reports.items()]
        index = pages / "index.html"
        index.write_text(render(entries, "Batch of four jobs"), encoding="utf-8")
        for theme in THEMES:
            _shoot(chromium, index, folder / f"batch_{theme}.png", browser.DESKTOP, theme, "main p:last-of-type")


def _shoot(
    chromium: Any, path: pathlib.Path, target: pathlib.Path, size: tuple[int, int], theme: str, until: str
) -> None:
    """A screenshot from the top of a page to the end of an element; of the first screen where none is named."""
    with browser.shown(chromium, path, size, theme) as (shown, problems):
        if problems:
            raise RuntimeError(f"{path.name} does not render: {problems}")
        height = float(size[1])
        if until:
            box = shown.locator(until).bounding_box()
            height = box["y"] + box["height"] + 24
        clip = {"x": 0, "y": 0, "width": size[0], "height": height}
        picture = shown.screenshot(clip=clip, full_page=True)
    # Text and lines need no more colours than a palette holds, which takes a third of the bytes.
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS).save(target, optimize=True)


MAKERS: tuple[Callable[[pathlib.Path], object], ...] = (report_pages, terminal_images)
"""What makes pictures; each writes its own into the folder."""


def main() -> int:
    """Makes them all.

    Returns:
        The exit code: 2 without a browser.
    """
    if browser.chromium() is None:
        names = ", ".join(browser.NAMES)
        print(f"No Chromium found. Expected one of {names} on the path. Install one.", file=sys.stderr)
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    for make in MAKERS:
        make(FOLDER)
    for path in sorted(path for path in FOLDER.iterdir() if path.is_file()):
        print(f"{path.relative_to(FOLDER.parents[1])}  {path.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

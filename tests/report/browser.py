"""A real browser, headless: Debian's or another Chromium of the machine."""

import contextlib
import itertools
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""What Chromium is called, by system."""

FETCHED = pathlib.Path.home() / ".cache" / "ms-playwright"
"""Where `playwright install chromium` puts its own."""

DESKTOP, PHONE = (1200, 900), (390, 844)
"""Sizes of windows; the second is that of a common telephone."""


def chromium() -> str | None:
    """The path of the browser, or None where there is none."""
    installed = (path for name in NAMES if (path := shutil.which(name)))
    fetched = map(str, sorted(FETCHED.glob("chromium-*/chrome-linux*/chrome")))
    return next(itertools.chain(installed, fetched), None)


@contextlib.contextmanager
def opened() -> Iterator[Any]:
    """A browser of playwright's."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def shown(
    browser: Any, path: pathlib.Path, size: tuple[int, int] = DESKTOP, theme: str = "light", **options: Any
) -> Iterator[tuple[Any, list[str]]]:
    """A file in a window, and what went wrong: messages of the console, errors, requests for anything else.

    Args:
        browser: From `opened`.
        path: Of the file.
        size: Of the window.
        theme: `"light"` or `"dark"`.
        options: Of playwright's `new_context`.
    """
    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, color_scheme=theme, **options)
    page, problems = context.new_page(), list[str]()
    page.on("console", lambda message: problems.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    url = path.absolute().as_uri()
    page.on("request", lambda request: problems.append(f"request: {request.url}") if request.url != url else None)
    page.goto(url)
    try:
        yield page, problems
    finally:
        context.close()

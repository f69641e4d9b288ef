"""Reports in a real browser."""

import pytest

from autofix.report.html import fragment, page
from autofix.report.index import Entry, render
from tests.report import browser, made

pytestmark = pytest.mark.skipif(browser.chromium() is None, reason="no Chromium on this machine")

NOTEBOOK = """<!DOCTYPE html><html lang="en"><head><title>notebook</title><style>
h2 {{ color: rgb(1, 2, 3); }} table {{ border: 3px solid; }}</style></head>
<body data-jp-theme-light="{light}"><h2 id="own">mine</h2><table id="mine"><tr><td>1</td></tr></table>
{report}</body></html>"""


@pytest.fixture(scope="module")
def chromium():
    with browser.opened() as found:
        yield found


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    records = {"repaired": made.repaired(), "binary": made.binary(), "classes": made.classes(11)}
    records["overflowing"] = made.overflowing()
    entries = [
        Entry(
            "b", "repaired", "repaired.html", skill=-2.0, skill_after=0.9, skills=(-1.0, -2.0), skills_after=(0.1, 0.9)
        ),
        Entry("c", "failed", note="It broke."),
        Entry("a", "healthy", skill=0.5, skills=(0.5,)),
    ]
    texts = {name: page(record) for name, record in records.items()} | {"index": render(entries)}
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.mark.parametrize("name", ["repaired", "binary", "classes", "overflowing", "index"])
def test_a_page_renders_without_errors_requests_and_sideways_scrolling(chromium, files, name):
    with browser.shown(chromium, files[name]) as (shown, problems):
        for width, height in (browser.DESKTOP, browser.PHONE):
            shown.set_viewport_size({"width": width, "height": height})
            assert shown.evaluate("document.documentElement.scrollWidth") == width
            assert shown.locator("h1").is_visible()
            if name != "index":
                assert shown.locator("svg.plot, table.confusion").first.bounding_box()["width"] > 100
        assert problems == []


def test_a_page_follows_the_theme_of_the_reader(chromium, files):
    grounds = {}
    for theme in ("light", "dark"):
        with browser.shown(chromium, files["repaired"], theme=theme) as (shown, _):
            style = "getComputedStyle(document.querySelector('{}')).{}"
            grounds[theme] = shown.evaluate(style.format("main", "backgroundColor"))
            points = shown.evaluate(style.format("svg .points.after", "stroke"))
            assert points != "none"
    assert grounds["light"] == "rgb(246, 246, 243)"
    assert grounds["dark"] == "rgb(19, 21, 25)"


def test_a_page_on_paper_is_light_whatever_the_theme(chromium, files):
    with browser.shown(chromium, files["repaired"], theme="dark") as (shown, _):
        shown.emulate_media(media="print")
        assert (
            shown.evaluate("getComputedStyle(document.querySelector('main')).backgroundColor") == "rgb(255, 255, 255)"
        )
        assert shown.pdf()[:5] == b"%PDF-"


def test_text_on_a_telephone_is_large_enough_to_read(chromium, files):
    sizes = "[...document.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height)"
    with browser.shown(chromium, files["repaired"], browser.PHONE) as (shown, _):
        # Turned text is measured along its line.
        assert min(shown.evaluate(sizes)) >= 9.0


def test_a_page_reads_the_same_without_scripts(chromium, files):
    with browser.shown(chromium, files["index"], java_script_enabled=False) as (shown, problems):
        assert shown.locator("tbody tr th").all_inner_texts() == ["b", "c", "a"]
        assert shown.locator("thead th").first.inner_text() == "job"
        assert problems == []


@pytest.mark.parametrize(("column", "up"), [("job", "abc"), ("skill", "cba"), ("verdict", "cab")])
def test_the_index_sorts_by_any_column_up_and_down(chromium, files, column, up):
    with browser.shown(chromium, files["index"]) as (shown, problems):
        head = shown.get_by_role("button", name=column, exact=True)
        for expected, order in ((up, "ascending"), (up[::-1], "descending")):
            head.click()
            assert "".join(shown.locator("tbody tr th").all_inner_texts()) == expected
            assert shown.locator("th[aria-sort]").get_attribute("aria-sort") == order
        assert problems == []


@pytest.mark.parametrize(("light", "ground"), [("true", "rgb(246, 246, 243)"), ("false", "rgb(19, 21, 25)")])
def test_a_notebook_keeps_its_own_look_and_gives_the_report_its_theme(chromium, tmp_path, light, ground):
    path = tmp_path / "notebook.html"
    path.write_text(NOTEBOOK.format(light=light, report=fragment(made.repaired())), encoding="utf-8")
    with browser.shown(chromium, path) as (shown, problems):
        assert problems == []
        assert shown.evaluate("getComputedStyle(document.getElementById('own')).color") == "rgb(1, 2, 3)"
        assert shown.evaluate("getComputedStyle(document.getElementById('mine')).borderWidth") == "3px"
        assert shown.evaluate("getComputedStyle(document.querySelector('.autofix')).backgroundColor") == ground

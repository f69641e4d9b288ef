"""The pages of `docs/`: complete, buildable without network, and with code that runs."""

import html
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)

FOREIGN_SOURCE = re.compile(r'<(?:script|img|iframe)[^>]* src="(https?:[^"]+)')
FOREIGN_STYLE = re.compile(r'<link rel="stylesheet" href="(https?:[^"]+)')


def configuration() -> dict:
    return yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def blocks(page: pathlib.Path) -> list[str]:
    """The Python code of a page; examples that it includes run in tests of their own."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def test_every_page_is_in_the_navigation():
    listed = {page for entry in configuration()["nav"] for page in entry.values()}
    assert listed == {page.name for page in PAGES}


def test_included_files_exist():
    included = [name for page in PAGES for name in re.findall(r'^--8<-- "(examples/[^"]+)"', page.read_text(), re.M)]
    assert included
    assert [name for name in included if not (ROOT / name).is_file()] == []


def test_links_to_causes_lead_somewhere():
    headings = set(re.findall(r"^## `(\w+)`", (ROOT / "docs" / "causes.md").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        linked = set(re.findall(r"causes\.md#(\w+)", page.read_text(encoding="utf-8")))
        assert linked <= headings, page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_in_a_page_is_python(page):
    for code in blocks(page):
        compile(code, page.name, "exec")


@pytest.mark.sweep
@pytest.mark.filterwarnings("ignore::autofix.AutofixWarning")
def test_the_code_of_the_questions_runs(capsys):
    variables: dict = {}
    for code in blocks(ROOT / "docs" / "faq.md"):
        exec(compile(code, "faq.md", "exec"), variables)
    assert variables["history"].report.verdict == "repaired"
    assert "likeliest first" in capsys.readouterr().out


@pytest.mark.sweep
def test_the_site_builds_without_a_warning_and_needs_no_network(tmp_path):
    pytest.importorskip("mkdocs")
    program = shutil.which("mkdocs", path=str(pathlib.Path(sys.executable).parent)) or "mkdocs"
    run = subprocess.run(
        [program, "build", "--strict", "--site-dir", str(tmp_path / "site")], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    pages = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "site").glob("*.html")}
    assert {page.stem for page in PAGES} <= {name.removesuffix(".html") for name in pages}
    for name, text in pages.items():
        loaded = re.findall(
            r'<(?:script|img|iframe)[^>]* src="(https?:[^"]+)|<link rel="stylesheet" href="(https?:[^"]+)', text
        )
        assert loaded == [], name
    assert "autofix.fit" in pages["index.html"]
    assert "Trains a model as" in pages["api.html"]
    assert "def main() -> autofix.Report" in html.unescape(re.sub(r"<[^>]+>", "", pages["index.html"]))

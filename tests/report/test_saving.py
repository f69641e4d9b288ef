"""Reports in files, in notebooks and as figures of matplotlib."""

import dataclasses
import subprocess
import sys

import pytest

from autofix.errors import ArgumentError
from autofix.report import Report
from autofix.report.figures import FIGURES
from autofix.report.html import page
from tests.report import made


def test_the_ending_of_the_name_says_what_is_written(tmp_path):
    report = Report(made.repaired())
    assert report.save(tmp_path / "report.html").read_text(encoding="utf-8") == page(report.record)
    assert Report.from_json(report.save(str(tmp_path / "report.json")).read_text(encoding="utf-8")) == report
    assert report.save(tmp_path / "report.TXT").read_text(encoding="utf-8") == f"{report}\n"


@pytest.mark.parametrize("name", ["report.pdf", "report", ".html"])
def test_another_ending_is_refused_and_nothing_is_written(tmp_path, name):
    with pytest.raises(ArgumentError, match=r"\['.html', '.json', '.txt'\]"):
        Report(made.repaired()).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path):
    target = tmp_path / "report.txt"
    target.write_text("old", encoding="utf-8")
    record = dataclasses.replace(made.repaired(), notes=("half\ud800",))
    with pytest.raises(UnicodeEncodeError):
        Report(record).save(target)
    assert target.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_new_file_can_be_read_by_whom_the_umask_lets(tmp_path):
    usual = tmp_path / "usual"
    usual.write_text("")
    saved = Report(made.repaired()).save(tmp_path / "report.txt")
    assert saved.stat().st_mode == usual.stat().st_mode


def test_a_notebook_shows_the_verdict_the_fix_and_the_first_figures():
    shown = Report(made.repaired())._repr_html_()
    assert "+optimizer=keras.optimizers.Adam(0.01)" in shown
    assert [kind for kind in FIGURES if f'data-kind="{kind}"' in shown] == ["predictions", "progress"]


@pytest.mark.parametrize("kind", FIGURES)
def test_a_figure_has_an_axes_for_every_panel(kind):
    from autofix.report.figures import picture

    record = made.binary()
    figure = Report(record).plot(kind)
    figure.draw_without_rendering()
    panels = picture(record, kind).panels
    assert len(figure.axes) == len(panels)
    for axes, panel in zip(figure.axes, panels, strict=True):
        assert axes.get_title(loc="left").startswith(panel.title)


def test_a_notebook_shows_a_figure_as_a_picture():
    assert Report(made.repaired()).plot("progress")._repr_png_()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(ArgumentError, match="Make the folder first"):
        Report(made.repaired()).save(tmp_path / "missing" / "report.html")


def test_points_of_a_figure_are_those_of_the_record():
    before, after = Report(made.repaired()).plot("predictions").axes
    assert before.collections[0].get_offsets().tolist() == [[float(x), 2.5] for x in range(6)]
    assert after.collections[0].get_offsets().tolist()[5] == [5.0, 5.5]


def test_a_mistyped_kind_is_answered_with_the_one_that_was_meant():
    with pytest.raises(ArgumentError, match="Did you mean 'progress'"):
        Report(made.repaired()).plot("progres")


PROGRAM = """
import sys
from autofix.report import Report
from tests.report import made
report = Report(made.repaired())
str(report), report.to_json()
assert "jinja2" not in sys.modules, "a report that is not looked at costs nothing"
report.save(sys.argv[1])
assert not {"matplotlib", "keras", "tensorflow"} & sys.modules.keys(), "a page costs nothing of these"
report.plot("predictions")
assert "matplotlib.pyplot" not in sys.modules, "the state of pyplot is the user's"
"""


def test_a_page_needs_neither_matplotlib_nor_keras_and_a_figure_no_pyplot(tmp_path):
    done = subprocess.run([sys.executable, "-c", PROGRAM, tmp_path / "a.html"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_names_of_classes_are_kept():
    report = Report(made.classes()).with_class_names(["cat", "dog", 3])
    assert Report.from_json(report.to_json()).record.circumstances.class_names == ("cat", "dog", "3")

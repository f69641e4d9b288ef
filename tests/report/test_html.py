"""The page of a report, read as a browser would, and without one."""

import dataclasses
import itertools
import json
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autofix.recipe import Recipe
from autofix.remedies import SetFitArgument
from autofix.report.html import fragment, page
from autofix.report.index import Entry, render
from autofix.report.numbers import number
from autofix.report.records import VERDICTS, Finding, RunRecord, Script, TrialRecord
from autofix.report.traces import Circumstances
from autofix.strict_json import encoded
from tests.report import made, reading

MOST_BYTES = 500_000
"""Of a page."""

TEXT_CONTRAST, GRAPHICS_CONTRAST = 4.5, 3.0
"""What readers with poor sight need. Source: WCAG 2.2, success criteria 1.4.3 and 1.4.11."""

RECORDS = {
    "repaired": made.repaired,
    "binary": made.binary,
    "classes": made.classes,
    "overflowing": made.overflowing,
    "healthy": lambda: made.repaired(verdict="healthy", recipe=Recipe(), after=None, repaired=None),
    "unrepaired": lambda: made.repaired(verdict="unrepaired", recipe=Recipe(), after=None, repaired=None, mattering=()),
    "empty": lambda: RunRecord("not_assessed"),
}
HOSTILE = """<script>alert("1")</script>'"&<b>{{ 7 * 7 }}</style><!--"""


def pages():
    entries = [Entry.of(name, make(), f"{name}.html") for name, make in RECORDS.items()]
    return {
        **{name: page(make()) for name, make in RECORDS.items()},
        **{f"{name} in a notebook": fragment(make()) for name, make in RECORDS.items()},
        "index": render([*entries, Entry("lost", "failed", note="It broke.")]),
        "empty index": render([]),
    }


PAGES = pages()


@pytest.fixture(params=PAGES)
def text(request):
    return PAGES[request.param]


def cells(row):
    return [child.text for child in row.children if not isinstance(child, str)]


def test_elements_close_where_they_should(text):
    reading.read(text)


def test_nothing_is_loaded_from_elsewhere(text):
    tree = reading.read(text)
    for element in tree.walk():
        assert element.name not in ("link", "img", "iframe", "object", "embed", "video", "audio", "base", "use")
        assert not {"src", "srcset", "xlink:href", "data", "poster"} & element.attributes.keys()
    assert not re.search(r"@import|url\(|https?://", text)


def test_reports_need_no_script(text):
    tree = reading.read(text)
    n_scripts = len(tree.all("script"))
    assert n_scripts == (1 if 'id="jobs"' in text or "There are no jobs" in text else 0)
    assert not [name for one in tree.walk() for name in one.attributes if name.startswith("on")]


def test_headings_step_down_one_level_at_a_time(text):
    levels = [int(one.name[1]) for one in reading.read(text).walk() if re.fullmatch("h[1-6]", one.name)]
    assert levels.count(min(levels)) == 1
    assert levels[0] == min(levels)
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_tables_have_headers_with_a_scope(text):
    for table in reading.read(text).all("table"):
        headers = table.all("th")
        assert headers
        assert all(header.attributes.get("scope") in ("row", "col") for header in headers)


def test_pictures_are_named_and_described(text):
    for svg in reading.read(text).all("svg"):
        if svg.attributes.get("aria-hidden") == "true":
            continue  # the text beside it says the same
        assert svg.attributes["role"] == "img"
        assert svg.attributes["aria-label"]
        assert svg.one("title").text
        if svg.attributes["class"] == "plot":
            assert svg.one("desc").text


def test_what_scrolls_can_be_reached_by_the_keyboard(text):
    scrolling = [one for one in reading.read(text).walk() if "scroll" in one.attributes.get("class", "").split()]
    assert all(one.attributes.get("tabindex") == "0" and one.attributes.get("aria-label") for one in scrolling)


def test_a_page_stays_below_its_size(text):
    assert len(text.encode()) <= MOST_BYTES


@pytest.mark.parametrize("name", RECORDS)
def test_a_page_has_a_language_a_title_and_a_width_for_telephones(name):
    tree = reading.read(PAGES[name])
    assert tree.one("html").attributes["lang"] == "en"
    assert tree.one("title") if len(tree.all("title")) == 1 else tree.one("head").one("title").text
    assert "width=device-width" in tree.one("meta", name_="viewport").attributes["content"]


@pytest.mark.parametrize("name", RECORDS)
def test_styles_of_a_notebook_stay_within_the_report(name):
    text = PAGES[f"{name} in a notebook"]
    tree = reading.read(text)
    assert not tree.all("html") + tree.all("body") + tree.all("head")
    style = re.sub(r"/\*.*?\*/", "", tree.one("style").text, flags=re.S)
    selectors = [one.strip() for group in re.findall(r"([^{}]+)\{", style) for one in group.split(",")]
    # `@media` with its condition, and the lists of fonts, hold commas but no selectors.
    rules = [one for one in selectors if one and not one.startswith("@") and ":" not in one.split(" ")[0]]
    assert len(rules) > 50
    assert [one for one in rules if not re.match(r"([^ ]+ )?\.autofix\b", one)] == []


@pytest.mark.parametrize("text", [PAGES["repaired"], PAGES["repaired in a notebook"], PAGES["index"]])
def test_colours_are_far_enough_apart_in_every_theme(text):
    themes = reading.palettes(reading.read(text).one("style").text)
    assert len(themes) >= 3  # light, dark and paper
    for theme in themes:
        for ground in ("page", "card", "soft"):
            for ink in ("ink", "muted"):
                assert reading.contrast(theme[ink], theme[ground]) >= TEXT_CONTRAST, (ink, ground, theme)
        for role in ("before", "after", "reference", "other"):
            assert reading.contrast(theme[role], theme["card"]) >= GRAPHICS_CONTRAST, (role, theme)
            # The darkest cell of a confusion matrix, with its number in it.
            cell = reading.mixed(theme[role], theme["soft"], 0.45)
            assert reading.contrast(theme["ink"], cell) >= TEXT_CONTRAST, (role, theme)
        for badge in ("before", "after", "other", "good"):
            assert reading.contrast(theme["on-badge"], theme[badge]) >= TEXT_CONTRAST, (badge, theme)
        assert reading.contrast(theme["after"], theme["card"]) >= TEXT_CONTRAST  # links and tags
        for sign in ("before", "after"):
            assert reading.contrast(theme[sign], theme["soft"]) >= TEXT_CONTRAST  # lines of the diff


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_verdict_comes_first(verdict):
    tree = reading.read(page(RunRecord(verdict)))
    header = tree.one("header")
    assert verdict.replace("_", " ") in header.text
    assert tree.one("main").text.startswith(header.text)


def test_the_numbers_are_those_of_the_record():
    record = made.repaired()
    table = reading.read(page(record)).one("section", data_part="numbers").one("table")
    rows = {row.attributes["data-row"]: cells(row) for row in table.one("tbody").all("tr")}
    assert rows["skill"] == ["skill", "-0.010 [-0.050, 0.020]", "0.970 [0.950, 0.980]"]
    assert rows["spread"] == ["spread", "0.000", "0.980"]
    assert rows["held-out"][1:] == ["-3.500 [-4.000, -3.000]", "0.963 [0.950, 0.978]"]
    assert cells(table.one("thead").one("tr"))[1:] == ["your training (epoch 2)", "with the fix (epoch 100)"]


def test_a_training_that_went_on_is_shown_as_it_ended():
    own = dataclasses.replace(made.repaired().own, looks=(made.look(2), made.look(50, skill=0.125)))
    record = made.repaired(verdict="unrepaired", recipe=Recipe(), after=None, repaired=None, own=own)
    table = reading.read(page(record)).one("section", data_part="numbers").one("table")
    rows = {row.attributes["data-row"]: cells(row) for row in table.one("tbody").all("tr")}
    assert cells(table.one("thead").one("tr"))[1:] == ["your training (epoch 2)", "your training (epoch 50)"]
    assert rows["skill"] == ["skill", "-0.010 [-0.050, 0.020]", "0.125 [-0.050, 0.020]"]
    assert rows["held-out"][2] == "-3.500 [-4.000, -3.000]"
    assert number(Entry.of("a", record).skill) == "0.125"


def test_every_trial_is_in_the_table_with_its_numbers():
    record = made.repaired()
    table = reading.read(page(record)).one("table", data_part="trials")
    assert [cells(row) for row in table.one("tbody").all("tr")] == [
        ["0", "none: your program", "-3.500 [-4.000, -3.000]", "0.010", "0.30", "control"],
        ["1", "lower_learning_rate factor=0.1", "not finite", "not finite", "0.10", "failed It broke."],
        ["1", "lower_learning_rate factor=0.01", "0.963 [0.950, 0.978]", "0.980", "0.20", "accepted"],
    ]


def test_trials_that_have_no_room_are_counted():
    record = made.overflowing()
    tree = reading.read(page(record))
    n_shown = len(tree.one("table", data_part="trials").one("tbody").all("tr"))
    assert f"{len(record.trials) - n_shown} more trials" in tree.text


def test_the_fix_is_there_as_a_diff_as_code_and_as_json():
    record = made.repaired()
    tree = reading.read(page(record))
    lines = tree.one("section", data_part="fix").one("code").all("span")
    assert [(line.attributes["class"], line.text) for line in lines] == [
        ("removed", "-optimizer=keras.optimizers.Adam(1.0)"),
        ("added", "+optimizer=keras.optimizers.Adam(0.01)"),
    ]
    assert tree.one("code", data_part="code").text == " ".join(record.recipe.code().split())
    assert Recipe.from_dict(json.loads(tree.one("code", data_part="recipe").text)) == record.recipe


def test_the_program_is_there_where_it_could_be_written():
    assert not reading.read(PAGES["repaired"]).all("code", data_part="script")
    text = page(made.repaired(script=Script("import keras  # <b>")))
    assert reading.read(text).one("code", data_part="script").text == "import keras # <b>"
    long = page(made.repaired(script=Script("x = 1\n" * 100_000)))
    assert len(long.encode()) <= MOST_BYTES
    assert "report.to_script() has it all" in long


def test_causes_that_the_fix_treats_come_first():
    findings = tuple(reversed(made.repaired().findings))
    causes = reading.read(page(made.repaired(findings=findings))).one("section", data_part="causes").all("li")
    assert [cause.text for cause in causes] == [
        "learning_rate_too_high treated by the fix confidence 90% The rate is 1.",
        "dead_units not needed for the fix confidence 40% All are dead.",
    ]


def test_a_healthy_run_names_no_causes():
    assert "learning_rate_too_high" not in reading.read(PAGES["healthy"]).text


def test_what_the_fix_overrules_stands_before_it():
    remedies = (SetFitArgument("balance_classes", "class_weight", ((0, 1.0), (1, 9.0))),)
    record = made.repaired(recipe=Recipe(remedies))
    assert record.recipe.departures
    words = reading.read(page(record)).text
    assert words.index(record.recipe.departures[0]) < words.index("The smallest fix")


def test_versions_seed_timings_arguments_and_notes_are_told():
    words = reading.read(page(made.repaired())).text
    for part in (
        "Keras 3.15.1",
        "seed 7",
        "epochs=100",
        "total 1.50",
        "The data was read once.",
        "The model is subclassed.",
    ):
        assert part in words


def test_a_number_that_is_missing_is_not_made_up():
    record = made.repaired(trials=(), references=())
    tree = reading.read(page(record))
    assert not tree.all("tr", data_row="held-out")
    assert "reference learner" not in tree.one("section", data_part="numbers").text


def hostile_record(text: str) -> RunRecord:
    samples = made.classes().predictions
    return made.classes(
        findings=(Finding(text, 0.5, text),),
        mattering=(text,),
        notes=(text,),
        left_out={text: text},
        before=(made.assessment(output_name=text), made.assessment(output_name=f"{text}2")),
        trials=(TrialRecord(1, made.RECIPE, {text: text}, 0.1, 0.0, 0.2, 0.3, 0.1, "rejected", text),),
        evidence=made.evidence(made.layer(text)),
        seconds={text: 0.5, "total": 1.0},
        predictions=tuple(sample.labelled(sample.source, text) for sample in samples),
        circumstances=Circumstances({text: text}, 0, {text: text}, ((text, text),), (text, "b", "c"), text),
    )


@settings(max_examples=25, deadline=None)
@given(st.one_of(st.just(HOSTILE), st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)))
def test_names_of_any_kind_stay_text(name):
    shape = [one.name for one in reading.read(page(hostile_record("x"))).walk()]
    for text in (page(hostile_record(name)), fragment(hostile_record(name))):
        assert "<script" not in text
        reading.read(text)
    assert [one.name for one in reading.read(page(hostile_record(name))).walk()] == shape


def test_names_are_shown_as_they_are():
    assert HOSTILE in reading.read(page(hostile_record(HOSTILE))).text


def test_numbers_that_are_not_finite_break_no_page():
    lost = made.assessment(spread=math.nan, skill=math.nan, skill_lower=math.nan, skill_upper=math.nan, is_finite=False)
    lost_look = dataclasses.replace(made.look(1), heads=(lost,))
    sample = made.numbers("control", (0.0, 1.0), (math.nan, math.inf), is_finite=False)
    own = dataclasses.replace(made.repaired().own, looks=(lost_look, lost_look))
    text = page(made.repaired(before=(lost,), own=own, predictions=(sample,), references=()))
    reading.read(text)
    assert not re.search(r'(d|cx|cy|x|y|width)="[^"]*(nan|inf)', text)


def test_a_changed_loss_is_told_with_the_curves():
    record = made.repaired(recipe=Recipe((SetFitArgument("balance_classes", "class_weight", ((0, 1.0), (1, 9.0))),)))
    assert "the two curves need not compare" in reading.read(page(record)).text


def test_the_index_links_every_job_to_its_report():
    entries = [Entry.of("a", made.repaired(), "a b/report.html"), Entry("lost", "failed", note="It broke.")]
    tree = reading.read(render(entries))
    (link,) = tree.all("a")
    assert (link.text, link.attributes["href"]) == ("a", "./a%20b/report.html")
    first, second = tree.one("table").one("tbody").all("tr")
    assert cells(first)[:7] == [
        "a",
        "repaired",
        "learning_rate_too_high",
        "lower_learning_rate",
        "-0.010",
        "0.970",
        "1.5",
    ]
    assert "It broke." in second.text
    assert [one.text for one in tree.one("ul", class_="counts").all("li")] == ["1 repaired", "1 failed"]


@pytest.mark.parametrize("link", ["javascript:alert(1)", '"><script>', "//elsewhere/x"])
def test_a_link_of_the_index_leads_to_a_file(link):
    (found,) = reading.read(render([Entry("a", "healthy", link)])).all("a")
    assert found.attributes["href"].startswith("./")


def test_the_record_of_a_page_survives_json():
    for make in RECORDS.values():
        record = make()
        again = RunRecord.from_dict(json.loads(json.dumps(encoded(record.to_dict()))))
        if not any(math.isnan(trial.skill) for trial in record.trials):
            assert page(again) == page(record)

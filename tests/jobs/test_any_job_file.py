"""Whatever a job file holds: it is read, or every problem names its place. It never ends in a traceback."""

import random

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autofix.errors import JobFileError
from autofix.jobs import checking
from autofix.jobs.reading import read
from autofix.jobs.schema import Job, Settings
from tests.jobs.files import TEXT

RICH = """\
version: 1
x-base: &base {model: "train.py:build", data: {train: {x: x.npy, y: y.npy}}}
defaults:
  seed: 3
  autofix: {strategies: [reshuffle], budget_s: 1.5, order: ladder}
  compile: {optimizer: {name: adam, learning_rate: {name: CosineDecay, decay_steps: 10}}, loss: mse, metrics: [mae]}
  fit: {epochs: 10, callbacks: [{name: EarlyStopping, patience: 3}]}
jobs:
  "a b": {<<: *base, timeout_s: 60, retries: 2, resources: {cpus: 2, gpus: 0.5}}
  b:
    model: b.keras
    data:
      train: {file: b.tsv, delimiter: "|"}
      target: [t, u]
      features: {exclude: [id]}
      categories: {plan: [basic, 1, true]}
      validation: {split: 0.2}
      test: b_test.tsv
    fit: {class_weight: {no: 1, yes: 3.5}}
    matrix: {fit.epochs: [1, 2], compile.optimizer.learning_rate: [0.1, 1e-2]}
  c: {model: c.keras, data: c.npz, output: {html: false}, compile: null}
"""

N_FILES = 2_000

WORDS = (
    *("1", "-1", "null", "true", ".nan", "1e9", "''", "[]", "{}", "[1, a]", "{a: 1}", "../x", "*base", "&base", "<<"),
    *("- ", ": ", "{", "}", "[", "]", "'", '"', "#", "\n", "\t", "  ", "|", ">", "%", "@", "!!set", "\x00", "é"),
    *("model", "data", "fit", "matrix", "jobs", "defaults", "version", "split", "file", "function", "x", "epochs"),
    *("\u202e", "\ufeff", "\U0001d4b3"),
)
"""What mutations put in: values, marks of YAML, keys, and characters that steer a terminal or take four bytes."""

quick = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def nested(numbers):
    """Whatever YAML and JSON both have, with these numbers."""
    return st.recursive(
        st.none() | st.booleans() | numbers | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=5,
    )


finite = nested(st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False, width=32))
plain = nested(st.integers(-5, 5) | st.floats(allow_nan=False, width=32))


def outcome(path, overrides=()):
    """The jobs of a file, or its problems; any other exception fails the test."""
    try:
        reading = read(path, overrides)
        checking.check(reading)
    except JobFileError as error:
        refusal = error
    else:
        return reading.file.jobs, []
    assert refusal.problems
    assert all(one.message for one in refusal.problems)
    assert all(line.isprintable() for line in str(refusal).split("\n"))
    return None, list(refusal.problems)


def mutated(text, random_):
    """The text with a few characters, words or lines gone, doubled, swapped or put in."""
    for _ in range(random_.randint(1, 4)):
        start = random_.randrange(len(text) + 1)
        stop = min(len(text), start + random_.choice([0, 1, 1, 2, 5, 20]))
        kind = random_.randrange(4)
        if kind == 0:
            text = text[:start] + text[stop:]
        elif kind == 1:
            text = text[:stop] + text[start:stop] + text[stop:]
        elif kind == 2:
            text = text[:start] + random_.choice(WORDS) + text[stop:]
        else:
            lines = text.splitlines(keepends=True) or [""]
            first, second = random_.randrange(len(lines)), random_.randrange(len(lines))
            lines[first], lines[second] = lines[second], lines[first]
            text = "".join(lines)
    return text


def test_the_files_that_are_mutated_are_right(job_file):
    for text in (TEXT, RICH):
        assert read(job_file(text)).file.jobs


def test_mutated_files_are_read_or_refused_with_places(job_file):
    random_ = random.Random(0)
    refused = 0
    for index in range(N_FILES):
        content = mutated(random_.choice([TEXT, RICH]), random_).encode("utf-8", "surrogatepass")
        if index % 10 == 0:  # and a byte of any kind somewhere
            at = random_.randrange(len(content) + 1)
            content = content[:at] + bytes([random_.randrange(256)]) + content[at + 1 :]
        path = job_file(content)
        try:
            _, problems = outcome(path)
        except Exception as error:
            raise AssertionError(f"no job file, and no error of one: {content!r}") from error
        refused += bool(problems)
        assert all(one.mark.source == str(path) for one in problems)
    assert 0.2 * N_FILES < refused < N_FILES  # both sides are tried


@pytest.mark.parametrize("section", ["the job", *Settings.model_fields])
@settings(quick, max_examples=25)
@given(values=st.data())
def test_any_value_of_a_setting_validates_or_is_told_with_its_line_and_its_keys(section, values, job_file):
    right = {"model": "m.keras", "data": {"train": "a.csv", "target": "t"}}
    if section == "the job":
        job = values.draw(plain)
    else:
        field = Settings.model_fields[section].annotation
        keys = list(getattr(field, "model_fields", ())) or ["name"]
        job = {**right, section: values.draw(plain | st.dictionaries(st.sampled_from(keys), plain, max_size=3))}
    path = job_file(yaml.safe_dump({"version": 1, "jobs": {"a": job}}, allow_unicode=False))
    jobs, problems = outcome(path)
    assert (jobs is None) == bool(problems)
    for one in problems:
        assert one.mark.line > 0
        assert one.mark.column > 0
        assert one.place.startswith("jobs.a"), one


@settings(quick, max_examples=60)
@given(
    words=st.lists(st.sampled_from([*WORDS, "jobs.churn.", "fit.", "epochs", "=", ".", "0", "defaults."]), max_size=6)
)
def test_any_override_is_applied_or_told_as_it_was_typed(words, job_file):
    override = "".join(words)
    _, problems = outcome(job_file(), [override])
    for one in problems:
        assert one.mark.source.startswith("--set ") or one.mark.line > 0


texts = st.text(max_size=5)

data = st.fixed_dictionaries(
    {"train": st.sampled_from(["a.csv", {"x": "x.npy", "y": "y.npy"}, {"file": "a.csv", "delimiter": ";"}])},
    optional={
        "target": st.lists(st.text(min_size=1, max_size=5), max_size=2),
        "validation": st.floats(0.01, 0.49) | st.just("v.csv"),
        "test": st.floats(0.01, 0.49),
        "categories": st.dictionaries(texts, st.lists(texts | st.integers() | st.booleans(), max_size=3), max_size=2),
    },
)

fit = st.fixed_dictionaries(
    {"epochs": st.integers(1, 10**6)},
    optional={"class_weight": st.dictionaries(texts | st.integers(0, 9), st.floats(0, 10), max_size=3)},
)

right_jobs = st.fixed_dictionaries(
    {"model": st.sampled_from(["m.keras", {"function": "a.py:b", "arguments": {"n": 1}}, "a.b:c"]), "data": data},
    optional={
        "fit": fit,
        "compile": st.fixed_dictionaries({"optimizer": st.dictionaries(texts, finite, max_size=3)}),
        "seed": st.integers(0, 2**32 - 1),
        "timeout_s": st.floats(0.1, 1e6),
    },
)


@settings(quick, max_examples=50)
@given(values=right_jobs)
def test_what_is_read_is_what_was_written_and_its_json_gives_it_back(values, job_file):
    expected = Job.model_validate({**values, "name": "a", "folder": str(job_file().parent)})
    # Escaped: PyYAML writes a next-line character as it is, and reads a line break.
    path = job_file(yaml.safe_dump({"version": 1, "jobs": {"a": values}}, allow_unicode=False))
    job = read(path).file.jobs[0]
    assert job == expected
    assert Job.model_validate_json(job.model_dump_json()) == job
    resolved = job.model_dump(mode="json", exclude={"name", "folder"})
    again = read(job_file(yaml.safe_dump({"version": 1, "jobs": {"a": resolved}}, allow_unicode=False))).file.jobs[0]
    assert again == job
    assert again.content_hash() == job.content_hash()

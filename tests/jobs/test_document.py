"""docs/jobs.md: its examples are right, and no key is left out."""

import pathlib
import re
import types
import typing

import pytest
import yaml

from autofix.jobs import keras_checks
from autofix.jobs.reading import read
from autofix.jobs.schema import Section, Settings

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "jobs.md").read_text(encoding="utf-8")

BLOCKS = re.findall(r"^```yaml( job)?\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
FILES = [text for kind, text in BLOCKS if not kind]
PARTS = [text for kind, text in BLOCKS if kind]

REST = {"model": "m.keras", "data": "d.npz"}


def sections(annotation):
    """The sections that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return [one for part in typing.get_args(annotation) for one in sections(part)]
    return []


def keys_of(section):
    """All keys of a section and of those below it."""
    for name, field in section.model_fields.items():
        yield name
        for inner in sections(field.annotation):
            yield from keys_of(inner)


def keys_in(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from keys_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_in(inner)


@pytest.mark.parametrize("text", FILES)
def test_a_file_of_the_page_is_read(text, job_file):
    assert read(job_file(text)).file.jobs


def test_a_part_of_the_page_is_taken_by_reading_and_by_keras(job_file):
    assert len(PARTS) > 10
    for text in PARTS:
        job = {**REST, **yaml.safe_load(text)}
        if isinstance(job["model"], str):
            job["model"] = "m:f"  # that there is no such file is not what this is about
        reading = read(job_file(yaml.safe_dump({"version": 1, "jobs": {"j": job}})))
        assert keras_checks.check(reading) == [], text


def test_no_key_is_left_out():
    shown = {key for text in FILES + PARTS for key in keys_in(yaml.safe_load(text))}
    assert set(keys_of(Settings)) - shown == {"task"}  # told in a table, with its values
    assert "`task`" in PAGE


def test_the_named_jobs_of_a_matrix_are_those_that_it_makes(job_file):
    text = next(text for text in FILES if "matrix" in text)
    names = [job.name for job in read(job_file(text)).file.jobs]
    assert len(names) == 6
    assert f"`{names[0]}`" in PAGE


def test_what_the_page_says_of_defaults_is_so(job_file):
    houses, flats = read(job_file(FILES[1])).file.jobs
    assert houses.compile.optimizer == {"name": "adam", "learning_rate": 1e-4, "beta_1": 0.8}
    assert flats.compile.optimizer == {"name": "sgd", "momentum": 0.9}
    assert flats.compile.loss == "mse"
    assert flats.fit.batch_size is None

"""Records of jobs: what is written is what is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofix.jobs.record import FAILURES, STATUSES, JobRecord, tally

numbers = st.floats() | st.none()
texts = st.text()

anything = st.builds(
    JobRecord,
    name=texts,
    content_hash=texts,
    status=st.sampled_from(STATUSES),
    failure=st.sampled_from(["", *FAILURES]),
    reason=texts,
    cause=texts | st.none(),
    strategies=st.lists(texts).map(tuple),
    fix=texts,
    departures=st.lists(texts).map(tuple),
    skill=numbers,
    spread=numbers,
    metrics=st.dictionaries(texts | st.sampled_from(["status", "cause", "note"]), st.floats()),
    attempts=st.integers(min_value=1),
    started=texts,
    seconds=st.floats(min_value=0.0),
    host=texts,
)


@given(anything)
def test_any_record_reads_back_as_it_was_written(record):
    # repr, because NaN equals nothing.
    assert repr(JobRecord.from_json(record.to_json())) == repr(record)


@pytest.mark.parametrize(
    ("record", "content_hash", "retry_failed", "is_final"),
    [
        (JobRecord("a", "1", "healthy"), "1", True, True),
        (JobRecord("a", "1", "unlearnable"), "1", True, True),
        (JobRecord("a", "1", "healthy"), "2", False, False),
        (JobRecord("a", "1", "failed", "error"), "1", False, True),
        (JobRecord("a", "1", "failed", "timeout"), "1", False, True),
        (JobRecord("a", "1", "failed", "timeout"), "1", True, False),
        (JobRecord("a", "1", "failed", "crash"), "1", False, False),
    ],
)
def test_what_runs_again(record, content_hash, retry_failed, is_final):
    assert record.is_final(content_hash, retry_failed) is is_final


@given(st.lists(st.sampled_from([*STATUSES, "waiting", "running"])))
def test_the_closing_line_counts_every_job(statuses):
    line = tally(statuses)
    total, _, parts = line.partition(":")
    assert total == f"{len(statuses)} job{'' if len(statuses) == 1 else 's'}"
    assert sum(int(part.split()[0]) for part in parts.split(",") if part.strip()) == len(statuses)

"""Runs in worker processes: what dies, hangs or is stopped costs its own record only."""

import functools
import os
import time

import pytest

from autofix.benchmarks import lines


def task(value, call=dict, **fields):
    arguments = ({"value": value},) if call is dict else (fields.pop("argument"),)
    return lines.Task({"value": value}, call, arguments, **fields)


def test_a_process_that_dies_or_hangs_leaves_an_error_and_the_others_run(tmp_path):
    path = tmp_path / "records.jsonl"
    tasks = [task(1), task(2, os._exit, argument=3), task(3, time.sleep, argument=60, timeout_s=1.0), task(4)]
    records = list(lines.run(tasks, path))
    assert [record["value"] for record in records] == [1, 2, 3, 4]
    assert [record.get("error") for record in records] == [None, "the process died", "not done after 1 s", None]
    assert lines.read(path) == records
    assert lines.done(tasks, lines.finished(path)) == [True, False, False, True]


def test_several_processes_share_the_groups_and_keep_each_together(tmp_path):
    path = tmp_path / "records.jsonl"
    tasks = [task(value, group=f"group {value // 3}") for value in range(9)]
    records = list(lines.run(tasks, path, workers=2))
    values = [record["value"] for record in records]
    assert sorted(values) == list(range(9))
    for group in range(3):
        own = [value for value in values if value // 3 == group]
        assert own == sorted(own)
    assert lines.read(path) == records
    assert list(lines.run(tasks, path, workers=2)) == []


def test_a_fresh_process_takes_over_by_the_weight_of_what_was_run():
    # A call that notes its process: dict() of what is made there.
    number = functools.partial(eval, "{'pid': __import__('os').getpid()}")
    heavy = [lines.Task({}, number, (), group=str(n), weight=weight) for n, weight in enumerate((1, 1, 3, 1))]
    pids = [record["pid"] for record in lines.run(heavy, runs_a_process=2)]
    assert pids[0] == pids[1] != pids[2] != pids[3]


def test_a_process_that_cannot_start_ends_the_benchmark():
    with pytest.raises(ZeroDivisionError):
        list(lines.run([task(1)], warm_up=functools.partial(divmod, 1, 0)))


def double(value):
    return {"value": value, "double": 2 * value}


def test_records_are_appended_and_not_made_again(tmp_path):
    path = tmp_path / "folder" / "records.jsonl"
    lines.append(path, {"value": 1, "double": 2})
    path.write_text(path.read_text() + '{"value": 2, "dou')
    lines.append(path, {"value": 3, "double": 6})
    assert lines.read(path) == [{"value": 1, "double": 2}, {"value": 3, "double": 6}]
    tasks = [lines.Task({"value": value}, double, (value,)) for value in (1, 3)]
    lines.append(path, {"value": 1, "error": "ValueError"})
    assert list(lines.run(tasks, path)) == []
    assert lines.finished(path) == lines.read(path)[:2]
    assert lines.read_all(path.parent) == lines.read(path)
    assert lines.read(tmp_path / "none") == lines.read(None) == []

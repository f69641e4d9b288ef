"""Workers on this machine: what is lost when one of them is."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from autofix.errors import RunError
from autofix.jobs.local import LocalEngine, how_it_died, threads_each
from autofix.jobs.tasks import Failed, Finished, Started, Task
from autofix.jobs.worker import Plan

ROOT = Path(__file__).parents[2]
PLAN = Plan("tests.jobs.plain:act")
PATIENCE_S = 60.0


def task(name, do, value=None, **options):
    return Task(name, {"do": do, "value": value}, **options)


def drain(engine, n_ends):
    """All events until so many tasks have ended."""
    events, deadline = [], time.monotonic() + PATIENCE_S
    while sum(not isinstance(one, Started) for one in events) < n_ends:
        assert time.monotonic() < deadline, events
        events += engine.wait(1.0)
    return events


def run(*tasks, n_workers=1, **options):
    """What became of the tasks, by name."""
    with LocalEngine(PLAN, n_workers, **options) as engine:
        for one in tasks:
            engine.submit(one)
        events = drain(engine, len(tasks))
    return {event.task.name: event for event in events if not isinstance(event, Started)}


def until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_one_worker_runs_all_tasks_in_order():
    with LocalEngine(PLAN, 1) as engine:
        for name in "abc":
            engine.submit(task(name, "pid"))
        events = drain(engine, 3)
    assert [(type(event), event.task.name) for event in events] == [
        (kind, name) for name in "abc" for kind in (Started, Finished)
    ]
    pids = {event.value for event in events if isinstance(event, Finished)}
    assert len(pids) == 1
    assert os.getpid() not in pids
    assert not psutil.pid_exists(pids.pop())


def test_nothing_starts_before_the_caller_hears_of_an_end():
    with LocalEngine(PLAN, 1) as engine:
        engine.submit(task("bad", "raise_error", "x"))
        engine.submit(task("next", "echo", 0))
        events = drain(engine, 1)
    assert [(type(event), event.task.name) for event in events] == [(Started, "bad"), (Failed, "bad")]


def test_every_kind_of_loss_takes_its_own_task_only():
    ends = run(
        task("error", "raise_error", "no such\ncolumn"),
        task("exit", "leave", 3),
        task("vanished", "vanish", 0),
        task("killed", "die", signal.SIGKILL),
        task("segfault", "die", signal.SIGSEGV),
        task("hung", "hang", timeout_s=0.5),
        task("deaf", "hang_deaf", timeout_s=0.5),
        task("last", "echo", 42),
        n_workers=2,
    )
    assert isinstance(ends["last"], Finished)
    assert ends["last"].value == 42
    lost = {name: (end.failure, end.reason) for name, end in ends.items() if isinstance(end, Failed)}
    assert lost["error"] == ("error", "ValueError: no such column")
    assert lost["exit"] == ("error", "SystemExit: 3")
    assert lost["vanished"] == ("crash", "ended on its own with exit code 0")
    assert lost["killed"][0] == lost["segfault"][0] == "crash"
    assert "SIGKILL" in lost["killed"][1]
    assert "out of memory" in lost["killed"][1]
    assert lost["segfault"][1] == "was ended by signal 11 (SIGSEGV)"
    assert lost["hung"] == lost["deaf"] == ("timeout", "it took longer than its timeout_s of 0.5 s")


def test_time_begins_when_the_task_does():
    ends = run(task("first", "hang", 0.4, timeout_s=30.0), task("second", "hang", 0.1, timeout_s=0.3))
    assert all(isinstance(end, Finished) for end in ends.values())


def test_workers_share_the_cores():
    assert threads_each(1) >= threads_each(2) >= 1
    assert threads_each(10_000) == 1
    with LocalEngine(Plan("tests.jobs.plain:act", threads=3), 1) as engine:
        engine.submit(task("threads", "threads"))
        assert drain(engine, 1)[-1].value == "3"


def test_a_worker_that_grew_is_replaced():
    small, large = 1, 64 << 20
    ends = run(
        *(task(name, "grow", small) for name in "ab"),
        task("c", "grow", large),
        task("d", "grow", small),
        recycled_after=large // 2,
    )
    assert ends["a"].value == ends["b"].value == ends["c"].value
    assert ends["d"].value != ends["c"].value


def test_workers_that_do_not_start_end_the_run(tmp_path):
    log = tmp_path / "workers.log"
    plan = Plan("tests.jobs.plain:act", warm_up="tests.jobs.plain:fail_to_warm_up", log=str(log))
    with LocalEngine(plan, 1) as engine:
        engine.submit(task("any", "pid"))
        with pytest.raises(RunError, match=r"Workers do not start.*3 in a row.*workers\.log"):
            drain(engine, 1)
    assert "no such library" in log.read_text()


def test_a_task_outlives_the_death_of_an_idle_worker():
    with LocalEngine(PLAN, 1) as engine:
        engine.submit(task("a", "pid"))
        first = drain(engine, 1)[-1].value
        os.kill(first, signal.SIGKILL)
        until(lambda: not runs(first))
        engine.submit(task("b", "pid"))
        second = drain(engine, 1)[-1]
    assert isinstance(second, Finished)
    assert second.value != first


def test_a_task_that_a_dying_worker_was_given_goes_to_another():
    with LocalEngine(PLAN, 1) as engine:
        engine.submit(task("a", "pid"))
        first = drain(engine, 1)[-1].value
        os.kill(first, signal.SIGSTOP)  # it is given the task, but never takes it
        engine.submit(task("b", "pid"))
        assert not engine.wait(0.1)
        os.kill(first, signal.SIGKILL)
        events = drain(engine, 1)
    assert [type(event) for event in events] == [Started, Finished]
    assert events[-1].value != first


def test_closing_ends_workers_and_what_they_started(tmp_path):
    note = tmp_path / "child"
    with LocalEngine(PLAN, 1) as engine:
        engine.submit(task("parent", "with_child", str(note)))
        until(lambda: engine.wait(0.05) is not None and note.exists() and note.read_text())
        assert psutil.pid_exists(int(note.read_text()))
    until(lambda: not runs(int(note.read_text())))


def runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


PARENT = """
    import sys
    from autofix.jobs.local import LocalEngine
    from autofix.jobs.tasks import Task
    from autofix.jobs.worker import Plan

    if __name__ == "__main__":
        engine = LocalEngine(Plan("tests.jobs.plain:act"), 1)
        engine.submit(Task("a", {"do": "with_child", "value": sys.argv[1], "touch": sys.argv[2]}))
        while True:
            engine.wait(1.0)
"""


def test_workers_die_with_a_parent_that_is_killed(tmp_path):
    script, child, worker = tmp_path / "parent.py", tmp_path / "child", tmp_path / "worker"
    script.write_text(textwrap.dedent(PARENT))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, script, child, worker], env=environment)
    try:
        until(lambda: child.exists() and child.read_text())
        pids = [int(path.read_text()) for path in (child, worker)]
        assert all(runs(pid) for pid in pids)
    finally:
        parent.kill()
        parent.wait()
    until(lambda: not any(runs(pid) for pid in pids))


def test_an_unknown_signal_is_told_by_its_number():
    assert how_it_died(-200) == "was ended by signal 200"

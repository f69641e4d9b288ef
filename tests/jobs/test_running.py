"""Runs: which jobs run, how often, and what a run leaves. Workers run plain functions in the place of trainings."""

import contextlib
import json
import os
import signal
import socket
import threading
import time

import pytest

from autofix.errors import RunError
from autofix.jobs import running
from autofix.jobs.folder import RunFolder
from autofix.jobs.lock import Holder, RunLock, Shard
from autofix.jobs.processes import Process
from autofix.jobs.running import Listener, Options
from autofix.jobs.schema import Job, JobFile
from autofix.jobs.tasks import Failed, Task
from tests.jobs import kills


@pytest.fixture(autouse=True)
def plain_jobs(monkeypatch):
    monkeypatch.setattr(running, "FUNCTION", "tests.jobs.plain:job")
    monkeypatch.setattr(running, "WARM_UP", "")


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "runs" / "jobs")


def file_of(tmp_path, **arguments):
    """A job file with jobs of these names, which do what their arguments say."""
    data = {"train": {"x": "x.npy", "y": "y.npy"}}
    jobs = [
        Job(
            name=name,
            folder=str(tmp_path),
            model={"function": "m:f", "arguments": {"do": "echo", "value": 0, **does}},
            data=data,
            timeout_s=does.get("timeout_s"),
            retries=does.get("job_retries"),
        )
        for name, does in arguments.items()
    ]
    return JobFile(name="jobs", path=str(tmp_path / "jobs.yaml"), jobs=jobs)


class Notes(Listener):
    """What happened, in order."""

    def __init__(self, on_started=None):
        self.all = []
        self._on_started = on_started

    def begun(self, n_jobs, ended):
        self.all.append(("begun", n_jobs, [record.name for record in ended]))

    def started(self, name):
        self.all.append(("started", name))
        if self._on_started:
            self._on_started(name)

    def retried(self, name, reason):
        self.all.append(("retried", name))

    def ended(self, record):
        self.all.append(("ended", record.name))

    def unwritten(self, what, error):
        self.all.append(("unwritten", what))

    def of(self, kind):
        return [note[1] for note in self.all if note[0] == kind]


def completions(folder, name):
    path = folder.job(name).path / "completions"
    return path.read_text().split() if path.exists() else []


def statuses(outcome):
    return {record.name: record.failure or record.status for record in outcome.records}


def until(condition):
    deadline = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


LOSSES = {
    "first": {},
    "raises": {"do": "raise_error", "value": "bad column"},
    "crashes": {"do": "die", "value": 9},
    "hangs": {"do": "hang", "timeout_s": 0.5},
    "last": {"status": "repaired"},
}


def test_a_lost_job_loses_no_other_and_says_why(tmp_path, folder):
    file = file_of(tmp_path, **LOSSES)
    outcome = running.run(file, folder, Options(n_workers=2))
    assert statuses(outcome) == {
        "first": "healthy",
        "raises": "error",
        "crashes": "crash",
        "hangs": "timeout",
        "last": "repaired",
    }
    assert [record.name for record in outcome.records] == list(LOSSES)
    assert not outcome.is_good
    reasons = {record.name: record.reason for record in outcome.records}
    assert reasons["raises"] == "ValueError: bad column"
    assert "its process was ended by signal 9 (SIGKILL), probably because the machine" in reasons["crashes"]
    assert reasons["hangs"] == "it took longer than its timeout_s of 0.5 s"
    for record in outcome.records:
        assert folder.job(record.name).record() == record


def test_the_same_run_again_skips_what_ended(tmp_path, folder):
    running.run(file_of(tmp_path, **LOSSES), folder, Options())
    notes = Notes()
    outcome = running.run(file_of(tmp_path, **LOSSES), folder, Options(), notes)
    # A process that died is no result: nothing says that it would die again.
    assert notes.of("started") == ["crashes"]
    assert len(outcome.records) == 5
    assert completions(folder, "first") == ["1"]

    notes = Notes()
    running.run(file_of(tmp_path, **LOSSES), folder, Options(retry_failed=True), notes)
    assert sorted(notes.of("started")) == ["crashes", "hangs", "raises"]


def test_a_job_that_changed_runs_anew_and_nothing_old_is_left(tmp_path, folder):
    running.run(file_of(tmp_path, a={}, b={}), folder, Options())
    kept = folder.job("a").path / "mine.txt"
    kept.write_text("somebody's notes")
    folder.job("a").trials.mkdir()
    folder.job("a").model.write_text("old")
    outcome = running.run(file_of(tmp_path, a={"value": 1}, b={}), folder, Options(), notes := Notes())
    assert notes.of("started") == ["a"]
    assert outcome.records[0].attempts == 1
    assert not folder.job("a").trials.exists()
    assert not folder.job("a").model.exists()
    assert folder.job("a").log.read_text() == "attempt 1\n"
    assert kept.exists()


def test_a_data_file_that_changed_is_another_job(tmp_path, folder):
    for content in ("1", "1", "2"):
        (tmp_path / "x.npy").write_text(content)
        running.run(file_of(tmp_path, a={}), folder, Options(), notes := Notes())
    assert notes.of("started") == ["a"]
    assert len(completions(folder, "a")) == 2


def test_crashes_are_retried_as_often_as_asked(tmp_path, folder):
    jobs = {
        "twice": {"do": "die", "value": 9, "times": 2},
        "own": {"do": "die", "value": 9, "times": 1, "job_retries": 0},
    }
    outcome = running.run(file_of(tmp_path, **jobs), folder, Options(retries=2), notes := Notes())
    assert statuses(outcome) == {"twice": "healthy", "own": "crash"}
    assert notes.of("retried") == ["twice", "twice"]
    assert outcome.records[0].attempts == 3
    errors = file_of(tmp_path, error={"do": "raise_error", "value": "x"}, slow={"do": "hang", "timeout_s": 0.2})
    running.run(errors, folder, Options(retries=2), notes := Notes())
    assert notes.of("retried") == []


def test_fail_fast_ends_the_run_with_the_first_failure(tmp_path, folder):
    jobs = {"bad": {"do": "raise_error", "value": "x"}, "later": {}}
    outcome = running.run(file_of(tmp_path, **jobs), folder, Options(fail_fast=True))
    assert statuses(outcome) == {"bad": "error"}
    assert not outcome.is_good
    assert not outcome.is_interrupted
    assert statuses(running.run(file_of(tmp_path, **jobs), folder, Options())) == {"bad": "error", "later": "healthy"}


def test_shards_share_the_jobs_out_and_run_beside_each_other(tmp_path, folder):
    names = ["a", "b", "c", "d", "e"]
    file = file_of(tmp_path, **{name: {} for name in names})
    shards = [Shard(index, 3) for index in (1, 2, 3)]
    outcomes = []
    threads = [
        threading.Thread(target=lambda shard=shard: outcomes.append(running.run(file, folder, Options(shard=shard))))
        for shard in shards
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(record.name for outcome in outcomes for record in outcome.records) == names
    assert all(completions(folder, name) == ["1"] for name in names)
    assert all(outcome.is_good for outcome in outcomes)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_in_good_order(tmp_path, folder, number):
    jobs = {"quick": {}, "slow": {"do": "hang", "times": 1}, "waiting": {}}

    def stop(name):
        if name == "slow":
            until(lambda: folder.job(name).worker())
            os.kill(os.getpid(), number)

    notes = Notes(stop)
    before = signal.getsignal(number)
    outcome = running.run(file_of(tmp_path, **jobs), folder, Options(), notes)
    assert outcome.is_interrupted
    assert statuses(outcome) == {"quick": "healthy"}
    assert signal.getsignal(number) is before
    assert [entry.status for entry in folder.entries()][2] == "waiting"
    assert not list(folder.locks.glob("*.json"))
    assert folder.job("slow").record() is None

    outcome = running.run(file_of(tmp_path, **jobs), folder, Options(), notes := Notes())
    assert notes.all[0] == ("begun", 3, ["quick"])
    assert outcome.is_good


def test_a_folder_in_use_is_refused(tmp_path, folder):
    file = file_of(tmp_path, a={})
    with RunLock(folder.locks), pytest.raises(RunError, match=rf"process={os.getpid()} on this machine.*kill"):
        running.run(file, folder, Options())
    with RunLock(folder.locks, Shard(1, 2)), pytest.raises(RunError):
        running.run(file, folder, Options())
    with RunLock(folder.locks, Shard(1, 2)), pytest.raises(RunError):
        running.run(file, folder, Options(shard=Shard(1, 3)))
    assert running.run(file, folder, Options()).is_good


def plant_lock(folder, process):
    folder.locks.mkdir(parents=True)
    path = folder.locks / "1-of-1.json"
    path.write_text(Holder(process, Shard(), "2026-01-01T00:00:00+00:00", "token").to_json())
    return path


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path, folder):
    mine = Process.current()
    # The process id is in use, by a process that started later.
    plant_lock(folder, Process(mine.host, mine.pid, mine.started - 3600.0))
    assert running.run(file_of(tmp_path, a={}), folder, Options()).is_good
    assert not list(folder.locks.glob("*.json"))


def test_the_lock_of_another_machine_stays_and_the_error_says_what_to_do(tmp_path, folder):
    path = plant_lock(folder, Process("elsewhere", 1, 0.0))
    with pytest.raises(RunError, match=r"on 'elsewhere'.*delete .*1-of-1\.json"):
        running.run(file_of(tmp_path, a={}), folder, Options())
    assert path.exists()


def test_a_process_that_outlived_its_run_is_ended_first(tmp_path, folder):
    import subprocess
    import sys

    import psutil

    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    file = file_of(tmp_path, a={})
    running.run(file, folder, Options())
    folder.job("a").record_file.unlink()
    process = Process(socket.gethostname(), orphan.pid, psutil.Process(orphan.pid).create_time())
    folder.job("a").running_file.write_text(json.dumps({"process": process.to_dict()}))
    threading.Timer(0.1, orphan.wait).start()
    assert running.run(file, folder, Options()).is_good
    assert orphan.poll() is not None


def test_status_shows_what_runs_what_ended_and_what_waits(tmp_path, folder):
    jobs = {"done": {}, "slow": {"do": "hang"}, "waiting": {}}
    seen = []

    def look(name):
        if name == "slow":
            until(lambda: folder.job(name).worker())
            seen.extend((entry.name, entry.status) for entry in folder.entries())
            os.kill(os.getpid(), signal.SIGINT)

    running.run(file_of(tmp_path, **jobs), folder, Options(), Notes(look))
    assert seen == [("done", "healthy"), ("slow", "running"), ("waiting", "waiting")]
    assert [entry.status for entry in folder.entries()] == ["healthy", "interrupted", "waiting"]


def test_a_record_that_cannot_be_written_is_told_and_the_job_runs_again(tmp_path, folder, monkeypatch):
    from autofix.jobs.folder import JobFolder

    def full(self, record):
        raise OSError(28, "No space left on device")

    file = file_of(tmp_path, a={"do": "die", "value": 9})
    with monkeypatch.context() as patch:
        patch.setattr(JobFolder, "end", full)
        outcome = running.run(file, folder, Options(), notes := Notes())
    assert notes.of("unwritten") == ["The record of a"]
    assert statuses(outcome) == {"a": "crash"}
    assert not folder.job("a").record_file.exists()


def test_a_full_disk_is_told_and_nothing_is_half_written(tmp_path, folder):
    file = file_of(tmp_path, a={"do": "fill_the_disk", "times": 1})
    outcome = running.run(file, folder, Options())
    assert statuses(outcome) == {"a": "error"}
    assert "File too large" in outcome.records[0].reason
    kills.check_files(folder)
    assert kills.leftovers(folder) == []
    assert running.run(file, folder, Options(retry_failed=True)).is_good


def todo_of(file, folder, **options):
    hashes = {job.name: job.content_hash() for job in file.jobs}
    return running._Todo(list(file.jobs), hashes, folder, Options(**options))


def test_a_job_whose_worker_died_behind_its_record_has_ended(tmp_path, folder):
    file = file_of(tmp_path, a={})
    todo = todo_of(file, folder, retries=1)
    running.run(file, folder, Options())
    assert todo.written("a").status == "healthy"
    assert not todo.tries_again(Failed(Task("a", {}), "crash", "was ended"))


def test_a_job_whose_worker_died_before_it_began_does_not_keep_its_former_record(tmp_path, folder):
    file = file_of(tmp_path, a={"do": "raise_error", "value": "x"})
    running.run(file, folder, Options())
    todo = todo_of(file, folder, retry_failed=True)
    assert todo.written("a") is None
    record = todo.lost(Failed(Task("a", {}), "crash", "was ended"))
    assert (record.failure, record.reason) == ("crash", "its process was ended")


def test_no_job_gets_out_of_the_run_folder(tmp_path, folder):
    for name in ("..", ".", "a/b", "/tmp/x", "run.json", ".run", "", "a/../../b"):
        with pytest.raises(RunError, match="cannot have this name"):
            folder.job(name)
    folder.path.mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder.path / "link").symlink_to(outside)
    with pytest.raises(RunError, match="cannot have this name"):
        folder.job("link")


def test_a_folder_that_cannot_be_written_is_an_error_before_any_job(tmp_path, folder):
    (tmp_path / "runs").write_text("a file where the folder should be")
    with contextlib.ExitStack() as stack:
        stack.enter_context(pytest.raises(OSError, match="runs"))
        running.run(file_of(tmp_path, a={}), folder, Options())

"""Jobs as Ray tasks: the same events and the same files as on this machine."""

import signal
import zipfile

import pytest

from autofix.errors import RunError
from autofix.jobs import running
from autofix.jobs.folder import RunFolder
from autofix.jobs.ray_engine import RayEngine, pack, unpack
from autofix.jobs.tasks import Failed, Finished, Started, Task
from autofix.jobs.worker import Plan
from tests.jobs import kills
from tests.jobs.test_kills import command, same, twelve_jobs, write_jobs
from tests.jobs.test_running import completions, file_of, statuses


def ended_task(event):
    return None if isinstance(event, Started) else event.task.name


def test_a_folder_goes_there_and_back(tmp_path):
    home, there = tmp_path / "home", tmp_path / "there"
    (home / "trials" / "trial_0").mkdir(parents=True)
    (home / "trials" / "trial_0" / "trial.json").write_text("{}")
    (home / "record.json").write_text("[]")
    (home / ".unfinished-1-model.keras").write_text("half")
    unpack(pack(home), there)
    assert sorted(path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()) == [
        "record.json",
        "trials/trial_0/trial.json",
    ]


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "a/../../outside", "c:outside", "a\\..\\outside"])
def test_nothing_comes_back_to_outside_of_the_folder(tmp_path, name):
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(name, "x")
    with pytest.raises(RunError, match="does not belong"):
        unpack(archive.read_bytes(), tmp_path / "job")


@pytest.mark.sweep
@pytest.mark.filterwarnings("ignore")  # Ray leaves sockets open
@pytest.mark.parametrize("sees_disk", [None, False])
def test_ray_tells_what_happens_as_the_local_engine_does(tmp_path, sees_disk):
    def task(name, do, value=None, **options):
        return Task(name, {"do": do, "value": value, "folder": str(tmp_path / name)}, **options)

    tasks = [
        task("fine", "echo", 42),
        task("error", "raise_error", "no such column"),
        task("killed", "die", signal.SIGKILL),
        task("hung", "hang", timeout_s=0.5),
        task("last", "echo", 43),
    ]
    events = []
    with RayEngine(Plan("tests.jobs.plain:act"), sees_disk=sees_disk) as engine:
        for one in tasks:
            engine.submit(one)
        kills.until(lambda: events.extend(engine.wait(1.0)) or len({*map(ended_task, events)} - {None}) == 5, 120.0)
    ends = {event.task.name: event for event in events if not isinstance(event, Started)}
    assert {event.task.name for event in events if isinstance(event, Started)} == set(ends)
    assert [ends[name].value for name in ("fine", "last")] == [42, 43]
    assert all(isinstance(ends[name], Finished) for name in ("fine", "last"))
    lost = {name: (end.failure, end.reason) for name, end in ends.items() if isinstance(end, Failed)}
    assert lost["error"] == ("error", "ValueError: no such column")
    assert lost["hung"] == ("timeout", "it took longer than its timeout_s of 0.5 s")
    assert lost["killed"][0] == "crash"
    assert "SIGKILL" in lost["killed"][1]


@pytest.mark.sweep
@pytest.mark.filterwarnings("ignore")  # Ray leaves sockets open
def test_results_come_back_from_a_machine_that_does_not_see_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "FUNCTION", "tests.jobs.plain:job")
    monkeypatch.setattr(running, "WARM_UP", "")
    monkeypatch.setattr(running, "open_engine", lambda *_: RayEngine(Plan("tests.jobs.plain:job"), sees_disk=False))
    folder = RunFolder(tmp_path / "runs" / "jobs")
    jobs = {"fine": {}, "bad": {"do": "raise_error", "value": "x"}}
    outcome = running.run(file_of(tmp_path, **jobs), folder, running.Options())
    assert statuses(outcome) == {"fine": "healthy", "bad": "error"}
    assert folder.job("fine").log.read_text() == "attempt 1\n"
    assert folder.job("bad").log.read_text() == "attempt 1\n"
    assert completions(folder, "fine") == ["1"]
    assert folder.job("fine").record().status == "healthy"
    assert kills.leftovers(folder) == []
    assert not list(folder.path.rglob(".witness"))


@pytest.mark.sweep
def test_ray_and_this_machine_come_to_the_same_results(tmp_path):
    path = write_jobs(tmp_path / "home", *twelve_jobs())
    log = tmp_path / "log"
    records = {}
    for engine in ("local", "ray"):
        run = [*command(path, tmp_path / engine, 2), "--engine", engine]
        assert kills.start(run, log).wait(timeout=900) == 1, log.read_text()  # one has nothing to learn
        records[engine] = {entry.name: entry.record for entry in RunFolder(tmp_path / engine / "jobs").entries()}
    for name, record in records["local"].items():
        same(records["ray"][name], record)

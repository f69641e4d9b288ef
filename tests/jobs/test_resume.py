"""Whatever happens to the jobs and to the run, the same run again and again comes to an end, and runs nothing twice."""

import collections
import pathlib
import tempfile

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autofix.jobs import running
from autofix.jobs.folder import JobFolder, RunFolder
from autofix.jobs.record import JobRecord
from autofix.jobs.running import Options
from autofix.jobs.schema import JobFile
from autofix.jobs.tasks import Engine, Failed, Finished, Started

FATES = ("ends", "raises", "dies", "dies after its record", "takes the run along", "takes the run along at its record")


class Killed(BaseException):
    """The run is no more."""


class Fated(Engine):
    """Runs jobs in this process, one at a time; each attempt ends as the next fate says, and well without one."""

    def __init__(self, fates, completions):
        self._fates, self._completions, self._tasks = fates, completions, collections.deque()

    def submit(self, task):
        self._tasks.append(task)

    def close(self):
        self._tasks.clear()

    def wait(self, timeout_s):
        if not self._tasks:
            return []
        task = self._tasks.popleft()
        fate = self._fates.popleft() if self._fates else "ends"
        folder = JobFolder(pathlib.Path(task.payload["folder"]))
        content_hash = task.payload["content_hash"]
        attempt = folder.begin(content_hash, task.payload["job"])
        if fate == "dies":
            return [Started(task), Failed(task, "crash", "died")]
        if fate == "takes the run along":
            raise Killed
        failure = "error" if fate == "raises" else ""
        status = "failed" if failure else "healthy"
        folder.end(JobRecord(task.name, content_hash, status, failure, attempts=attempt))
        self._completions[task.name] += 1
        if fate == "takes the run along at its record":
            raise Killed
        if fate == "dies after its record":
            return [Started(task), Failed(task, "crash", "died")]
        return [Started(task), Finished(task, folder.record_file.read_text())]


def jobs(home, n_jobs):
    model, data = {"function": "m:f"}, {"train": {"x": "x.npy", "y": "y.npy"}}
    each = [{"name": f"job-{one}", "folder": str(home), "model": model, "data": data} for one in range(n_jobs)]
    return JobFile.model_validate({"name": "jobs", "path": str(home / "jobs.yaml"), "jobs": each})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(n_jobs=st.integers(1, 4), fates=st.lists(st.sampled_from(FATES), max_size=8), retries=st.integers(0, 2))
def test_every_job_ends_once_whatever_dies_when(n_jobs, fates, retries):
    with tempfile.TemporaryDirectory() as name:
        home = pathlib.Path(name)
        file, folder = jobs(home, n_jobs), RunFolder(home / "run")
        remaining, completions = collections.deque(fates), collections.Counter()
        former, running.open_engine = running.open_engine, lambda *_: Fated(remaining, completions)
        try:
            for _ in range(len(fates) + 2):
                try:
                    outcome = running.run(file, folder, Options(retries=retries))
                except Killed:
                    continue
                if all(record.failure != "crash" for record in outcome.records):
                    break
        finally:
            running.open_engine = former
        assert [record.name for record in outcome.records] == [job.name for job in file.jobs]
        assert completions == {job.name: 1 for job in file.jobs}
        assert [folder.job(job.name).record() for job in file.jobs] == list(outcome.records)
        assert sum(record.attempts for record in outcome.records) <= n_jobs + len(fates)
        assert not list(folder.path.rglob("running.json"))

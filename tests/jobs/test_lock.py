"""The lock of a run folder: one run at a time, whoever comes first, and none for the dead."""

import threading

import pytest

from autofix.errors import RunError
from autofix.jobs.lock import Holder, RunLock, Shard, holders
from autofix.jobs.processes import Process


def plant(folder, process, token="theirs"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "1-of-1.json"
    path.write_text(Holder(process, Shard(), "2026-01-01T00:00:00+00:00", token).to_json())
    return path


def dead():
    here = Process.current()
    return Process(here.host, here.pid, here.started - 3600.0)  # another process had this id before


def test_of_many_that_find_a_stale_lock_one_gets_it(tmp_path):
    for _ in range(20):
        plant(tmp_path, dead())
        start, held = threading.Barrier(8), []
        leave = threading.Event()

        def take(start=start, held=held, leave=leave):
            start.wait()
            try:
                with RunLock(tmp_path):
                    held.append(True)
                    leave.wait(30.0)
            except RunError:
                held.append(False)
            if len(held) == 8:
                leave.set()

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        deadline = threading.Timer(30.0, leave.set)
        deadline.start()
        while len(held) < 8 and not leave.is_set():
            leave.wait(0.01)
        leave.set()
        for thread in threads:
            thread.join()
        deadline.cancel()
        assert sorted(held) == [False] * 7 + [True]
        assert holders(tmp_path) == []


def test_a_lock_that_was_taken_over_is_not_deleted_by_its_former_holder(tmp_path):
    with RunLock(tmp_path):
        path = plant(tmp_path, Process("elsewhere", 1, 0.0))
    assert path.exists()


def test_a_lock_that_cannot_be_read_says_what_to_do(tmp_path):
    (tmp_path / "1-of-1.json").write_text("{")
    with pytest.raises(RunError, match=r"1-of-1\.json.*delete the file"), RunLock(tmp_path):
        pass


@pytest.mark.parametrize("n_shards", [1, 2, 3, 7])
def test_shards_have_every_job_once(n_shards):
    jobs = list(range(20))
    shards = [Shard(index, n_shards) for index in range(1, n_shards + 1)]
    assert sorted(one for shard in shards for one in shard.of(jobs)) == jobs
    sizes = {len(shard.of(jobs)) for shard in shards}
    assert max(sizes) - min(sizes) <= 1

"""A run of plain functions, for tests to kill: `python -m tests.jobs.plain_run FOLDER N_JOBS`."""

import sys
from pathlib import Path

from autofix.jobs import running
from autofix.jobs.folder import RunFolder
from autofix.jobs.schema import JobFile

SECONDS_EACH = 0.1


def job_file(folder: Path, n_jobs: int) -> JobFile:
    jobs = [
        {
            "name": f"job-{index}",
            "folder": str(folder),
            "model": {"function": "m:f", "arguments": {"do": "hang", "value": SECONDS_EACH}},
            "data": {"train": {"x": "x.npy", "y": "y.npy"}},
            "seed": index,
        }
        for index in range(n_jobs)
    ]
    return JobFile.model_validate({"name": "jobs", "path": str(folder / "jobs.yaml"), "jobs": jobs})


if __name__ == "__main__":
    running.FUNCTION, running.WARM_UP = "tests.jobs.plain:job", ""
    home = Path(sys.argv[1])
    outcome = running.run(job_file(home, int(sys.argv[2])), RunFolder(home / "run"), running.Options(n_workers=2))
    sys.exit(0 if outcome.is_good else 1)

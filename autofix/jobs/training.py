"""One job, in a worker: from the resolved job to its files and its record."""

import contextlib
import json
import os
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autofix import atomic_files
from autofix.jobs.folder import JobFolder, now
from autofix.jobs.record import JobRecord
from autofix.jobs.schema import Job
from autofix.jobs.worker import describe

if TYPE_CHECKING:
    import keras

    from autofix.report import Report
    from autofix.scoring.assess import Assessment

LINE_AN_EPOCH = 2
"""Keras' `verbose` for what is no terminal."""


def warm_up() -> None:
    """Imports what every job needs, which takes seconds."""
    import tensorflow as tf

    threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    import autofix.fitting  # noqa: F401


def run(payload: dict[str, Any]) -> str:
    """Trains one job and leaves everything in its folder.

    Args:
        payload: JSON values: `job`, its `content_hash`, the path of its `folder`, and whether to `allow_code`.

    Returns:
        The record as JSON, as it stands in the folder. An error of the job is part of it.

    Raises:
        OSError: The folder cannot be written to.
    """
    job = Job.model_validate(payload["job"])
    folder = JobFolder(Path(payload["folder"]))
    attempt = folder.begin(payload["content_hash"], payload["job"])
    started, clock = now(), time.perf_counter()
    with _printing_to(folder.log):
        sys.stderr.write(f"--- {started}: attempt {attempt} at {job.name!r} on {socket.gethostname()}\n")
        try:
            found = _train(job, folder, payload["allow_code"])
        except Exception as error:  # noqa: BLE001 - whatever a job raises is its result
            traceback.print_exc()
            found = {"status": "failed", "failure": "error", "reason": describe(error)}
        sys.stderr.write(f"--- {now()}: {found['status']}\n")
    record = JobRecord(
        job.name,
        payload["content_hash"],
        **found,
        attempts=attempt,
        started=started,
        seconds=time.perf_counter() - clock,
        host=socket.gethostname(),
    )
    folder.end(record)
    return record.to_json()


def _train(job: Job, folder: JobFolder, allow_code: bool) -> dict[str, Any]:
    """Fields of the record of a job that trained."""
    import autofix
    from autofix.jobs import data, models

    _forget_other_jobs(job.seed)
    rows = data.load(job, allow_code)
    atomic_files.write(folder.data, json.dumps(rows.to_dict(), indent=2, ensure_ascii=False))
    model = models.load(job, rows, allow_code)
    folder.trials.mkdir(exist_ok=True)
    arguments = models.fit_arguments(job, rows, model)
    history = autofix.fit(model, verbose=LINE_AN_EPOCH, directory=folder.trials, **arguments)
    metrics = {name: float(values[-1]) for name, values in history.history.items() if len(values)}
    if rows.test is not None:
        x, y = rows.test
        scores = model.evaluate(x, models.targets_for(model, rows, y), verbose=0, return_dict=True)
        metrics |= {f"test_{name}": float(value) for name, value in scores.items()}
    _keep(job, folder, model, history)
    return {**_told(history.report), "metrics": metrics}


def _forget_other_jobs(seed: int) -> None:
    """A job comes to the same result in a worker that ran others before, as in a new one."""
    import keras

    keras.backend.clear_session()  # or layers would be numbered on
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.utils.set_random_seed(seed)


def _keep(job: Job, folder: JobFolder, model: "keras.Model", history: "keras.callbacks.History") -> None:
    """Writes the files that the job wants kept."""
    report: Report = history.report
    if job.output.model:
        with atomic_files.replacing(folder.model) as temporary:
            model.save(temporary)
    if job.output.history:
        atomic_files.write(folder.history, _as_csv(history, job.fit.validation_freq))
    atomic_files.write(folder.report, report.to_json())
    if job.output.html:
        report.save(folder.page)


def _as_csv(history: "keras.callbacks.History", validation_freq: int) -> str:
    """One line an epoch; those without validation have nothing there."""
    columns = {}
    for name, values in history.history.items():
        every = validation_freq if name.startswith("val_") else 1
        columns[name] = {every * (place + 1): repr(float(value)) for place, value in enumerate(values)}
    lines = [["epoch", *columns]]
    for row, epoch in enumerate(history.epoch, start=1):
        lines.append([str(epoch + 1), *(column.get(row, "") for column in columns.values())])
    return "".join(",".join(line) + "\n" for line in lines)


def _told(report: "Report") -> dict[str, Any]:
    """What the report says that summaries show."""
    seen = _last_look(report)
    return {
        "status": report.verdict,
        "reason": report.headline,
        "cause": None if report.verdict == "healthy" else report.cause,
        "strategies": report.recipe.strategies,
        "fix": report.fix,
        "departures": report.departures,
        "skill": sum(one.skill for one in seen) / len(seen) if seen else None,
        "spread": max(one.spread for one in seen) if seen else None,
    }


def _last_look(report: "Report") -> Sequence["Assessment"]:
    """What was seen of the model at the end; of a suspicion that was false, `before` is what raised it."""
    if report.after:
        return report.after
    looks = report.record.own.looks
    return looks[-1].heads if looks else report.before


@contextlib.contextmanager
def _printing_to(path: Path) -> Iterator[None]:
    """Appends all that is printed meanwhile to a file, also what C++ code and child processes print."""
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(path.open("a", buffering=1, encoding="utf-8", errors="backslashreplace"))
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for descriptor in (1, 2):
            former = os.dup(descriptor)
            stack.callback(os.close, former)
            stack.callback(os.dup2, former, descriptor)
            os.dup2(log.fileno(), descriptor)
        stack.enter_context(contextlib.redirect_stdout(log))
        stack.enter_context(contextlib.redirect_stderr(log))
        # Python shows a warning once a process, where each job should have its own.
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("default", UserWarning)
        yield

"""What Keras alone can tell of a job before it is trained: whether it takes `compile`, callbacks and model files."""

from collections.abc import Iterator
from pathlib import Path

from autofix.errors import AutofixError
from autofix.jobs import models
from autofix.jobs.checking import Complaint
from autofix.jobs.problems import Problem
from autofix.jobs.reading import Reading
from autofix.jobs.schema import Job
from autofix.jobs.tables import column_names, feature_columns, is_table


def check(reading: Reading, allow_code: bool = False) -> list[Problem]:
    """The problems that Keras finds. Model files are loaded in safe mode; functions are not called.

    Args:
        reading: Jobs without problems of other kinds: their files are there.
        allow_code: As for `autofix.jobs.models.load_keras_file`.

    Returns:
        The problems, in the order of the file; empty when there are none.
    """
    loaded: dict[Path, models.FileFacts | AutofixError] = {}
    problems = [
        reading.problem(job.name, keys, message)
        for job in reading.file.jobs
        for keys, message in _complaints(job, loaded, allow_code)
    ]
    return sorted(dict.fromkeys(problems))


def _complaints(job: Job, loaded: dict[Path, models.FileFacts | AutofixError], allow_code: bool) -> Iterator[Complaint]:
    if job.compile is not None:
        yield from _of_compile(job)
    for index, config in enumerate(job.fit.callbacks):
        try:
            models.built("callback", config)
        except AutofixError as error:
            yield ("fit", "callbacks", str(index)), str(error)
    if job.model.file is None:
        return
    path = Path(job.folder) / job.model.file
    if path not in loaded:
        try:
            loaded[path] = models.file_facts(path, allow_code)
        except AutofixError as error:
            loaded[path] = error
    facts = loaded[path]
    if isinstance(facts, AutofixError):
        yield ("model", "file"), str(facts)
        return
    if job.compile is None and not facts.is_compiled:
        yield (), f"{path.name} is not compiled. Write compile: {{optimizer: adam, loss: …}} in the job."
    n_features = _n_features(job)
    if None not in (n_features, facts.n_features) and n_features != facts.n_features:
        yield ("data",), f"These are {n_features} inputs, and {path.name} takes {facts.n_features}. Select that many."


def _of_compile(job: Job) -> Iterator[Complaint]:
    assert job.compile is not None
    for key, value in job.compile.model_dump(exclude_none=True).items():
        try:
            models.compile_argument(key, value)
        except AutofixError as error:
            yield ("compile", key), str(error)


def _n_features(job: Job) -> int | None:
    """How many inputs a table gives; None where that is not known without reading it."""
    source = job.data.train
    if not is_table(source.file):
        return None
    assert source.file is not None
    names = feature_columns(column_names(Path(job.folder) / source.file, source.delimiter), job.data)
    return sum(len(job.data.categories.get(name, ("",))) for name in names)

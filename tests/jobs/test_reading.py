"""From the text of a job file to resolved jobs, or to all that is wrong with it."""

import json

import jsonschema
import pytest
import yaml

from autofix.errors import JobFileError
from autofix.jobs import reading
from autofix.jobs.editor_schema import editor_schema
from autofix.jobs.reading import job_of, read
from autofix.jobs.schema import Job, JobFile
from tests.jobs.files import TEXT

JOB = "model: m.keras, data: {train: a.csv, target: t}"


def jobs(text, *overrides, job_file):
    return read(job_file(text), overrides).file.jobs


def problems(path, *overrides):
    with pytest.raises(JobFileError) as caught:
        read(path, overrides)
    return [str(one).removeprefix(f"{path.parent}/") for one in caught.value.problems]


def one(body, job_file, *overrides):
    """The problems of a file with one job."""
    return problems(job_file(f"version: 1\njobs:\n  a:\n    {body}\n"), *overrides)


def test_a_job_has_the_defaults_below_its_own_settings(job_file):
    text = TEXT + "    fit: {epochs: 5}\n    compile: {loss: mae}\n"
    job = jobs(text, job_file=job_file)[0]
    assert (job.fit.epochs, job.fit.batch_size) == (5, 32)
    assert (job.compile.loss, job.compile.optimizer) == ("mae", {"name": "adam", "learning_rate": 0.001})


def test_null_takes_a_default_back(job_file):
    job = jobs(TEXT + "    compile:\n    fit: {batch_size: null}\n", job_file=job_file)[0]
    assert job.compile is None
    assert (job.fit.epochs, job.fit.batch_size) == (10, None)


@pytest.mark.parametrize(
    ("below", "above", "merged"),
    [
        ("{name: adam, beta_1: 0.5}", "{name: sgd}", {"name": "sgd"}),
        ("{name: adam, beta_1: 0.5}", "{name: adam, beta_2: 0.9}", {"name": "adam", "beta_1": 0.5, "beta_2": 0.9}),
        ("{name: adam, beta_1: 0.5}", "{beta_1: 0.6}", {"name": "adam", "beta_1": 0.6}),
        ("{name: adam, beta_1: 0.5}", "sgd", "sgd"),
    ],
)
def test_a_config_of_another_class_takes_nothing_from_the_default(below, above, merged, job_file):
    defaults = f"{{compile: {{optimizer: {below}}}}}"
    text = f"version: 1\ndefaults: {defaults}\njobs: {{a: {{{JOB}, compile: {{optimizer: {above}}}}}}}"
    assert jobs(text, job_file=job_file)[0].compile.optimizer == merged


def test_another_source_of_rows_takes_nothing_from_the_default_but_another_file_does(job_file):
    text = (
        "version: 1\n"
        "defaults: {model: m.keras, data: {target: t, train: {file: a.csv, delimiter: ';'}, "
        "validation: {split: 0.2}}}\n"
        "jobs:\n  a: {data: {train: {file: b.csv}}}\n  b: {data: {validation: {file: v.csv}}}\n"
        "  c: {data: {validation: v.csv}}\n"
    )
    a, b, c = jobs(text, job_file=job_file)
    assert (a.data.train.file, a.data.train.delimiter) == ("b.csv", ";")
    assert (b.data.validation.split, b.data.validation.file) == (None, "v.csv")
    assert c.data.validation == b.data.validation


def test_shorthands_mean_what_is_written_out(job_file):
    text = (
        "version: 1\njobs:\n"
        "  short: {model: 'train.py:build', data: {train: a.csv, target: t, "
        "features: [x], validation: 0.2, test: t.csv}}\n"
        "  long: {model: {function: 'train.py:build'}, data: {train: {file: a.csv}, target: [t], "
        "features: {include: [x]}, validation: {split: 0.2}, test: {file: t.csv}}}\n"
    )
    short, long = jobs(text, job_file=job_file)
    assert short.model_copy(update={"name": "long"}) == long


def test_a_matrix_stands_for_the_product_of_its_values_and_names_tell_them(job_file):
    text = TEXT + "    matrix: {fit.epochs: [5, 10], compile.optimizer.learning_rate: [0.1, 1e-2], seed: [3]}\n"
    found = jobs(text, job_file=job_file)
    assert [job.name for job in found] == [
        "churn-epochs=5-learning_rate=0.1-seed=3",
        "churn-epochs=5-learning_rate=0.01-seed=3",
        "churn-epochs=10-learning_rate=0.1-seed=3",
        "churn-epochs=10-learning_rate=0.01-seed=3",
    ]
    assert found[3].fit.epochs == 10
    assert found[3].compile.optimizer == {"name": "adam", "learning_rate": 0.01}


def test_values_that_no_name_can_hold_are_counted(job_file):
    text = TEXT + "    matrix: {data.train: [../a.csv, b.csv], compile.metrics: [[mae], null], fit.shuffle: [true]}\n"
    names = [job.name for job in jobs(text, job_file=job_file)]
    assert names[0] == "churn-train=#0-metrics=#0-shuffle=true"
    assert names[3] == "churn-train=b.csv-metrics=null-shuffle=true"


def test_a_matrix_among_the_defaults_is_that_of_every_job(job_file):
    text = f"version: 1\ndefaults: {{matrix: {{seed: [0, 1]}}}}\njobs: {{a: {{{JOB}}}, b: {{{JOB}, matrix: null}}}}"
    assert [job.name for job in jobs(text, job_file=job_file)] == ["a-seed=0", "a-seed=1", "b"]


def test_overrides_win_and_are_read_as_yaml(job_file):
    overrides = ("jobs.churn.fit.epochs=5", "defaults.fit.batch_size=8", "jobs.churn.data.features=[a, b]")
    job = jobs(TEXT, *overrides, job_file=job_file)[0]
    assert (job.fit.epochs, job.fit.batch_size, job.data.features.include) == (5, 8, ("a", "b"))


def test_an_override_finds_keys_with_dots(job_file):
    text = f"version: 1\njobs: {{v1.2: {{{JOB}, matrix: {{fit.epochs: [1, 2]}}}}}}"
    found = jobs(text, "jobs.v1.2.matrix.fit.epochs=[3]", "jobs.v1.2.seed=7", job_file=job_file)
    assert [(job.fit.epochs, job.seed) for job in found] == [(3, 7)]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("jobs.chrn.fit.epochs=5", "Did you mean 'churn'?"),
        ("churn.fit.epochs=5", "Expected jobs.NAME.SETTING=VALUE"),
        ("jobs.churn.fit.epochs", "Expected jobs.NAME.SETTING=VALUE"),
        ("jobs.churn.fit.epochs=0", "Expected a number of at least 1. Received: 0."),
        ("jobs.churn.fit.epochs=[", "no YAML"),
        ("jobs.churn.fit.epoch=1", "Did you mean 'epochs'?"),
        ("jobs.churn.data.train.delimiter=;", "{file: churn.csv, …}"),
    ],
)
def test_a_wrong_override_is_told_as_it_was_typed(override, said, job_file):
    found = problems(job_file(), override)
    assert len(found) == 1
    assert found[0].startswith(f"--set {override}: ")
    assert said in found[0]


def test_an_override_of_what_the_matrix_sets_is_an_error(job_file):
    path = job_file(TEXT + "    matrix: {fit.epochs: [5, 10]}\n")
    assert "Set matrix.fit.epochs instead" in problems(path, "jobs.churn.fit.epochs=3")[0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{model: 3, data: d.npz}", "4:13: jobs.a.model: Expected a mapping"),
        ("{model: m.keras, data: {train: d.npz, validation: 2}}", "jobs.a.data.validation: Expected a number below 1"),
        ("{data: d.npz}", "`model` is missing, and the defaults have none"),
        (f"{{{JOB}, fit: {{epoch: 3}}}}", "jobs.a.fit.epoch: There is no such key. Did you mean 'epochs'?"),
        (f"{{{JOB}, fit: {{epochs: '3'}}}}", "jobs.a.fit.epochs: Expected a whole number. Received: '3'."),
        (f"{{{JOB}, fit: {{epochs: true}}}}", "jobs.a.fit.epochs: Expected a whole number. Received: true."),
        (f"{{{JOB}, fit: {{validation_split: 0.1}}}}", "a share in `data.validation`"),
        (f"{{{JOB}, autofix: {{order: laddr}}}}", "Did you mean 'ladder'?"),
        (f"{{{JOB}, autofix: {{accept: 0}}}}", "Expected a number above 0. Received: 0."),
        (f"{{{JOB}, compile: {{loss: 3}}}}", "jobs.a.compile.loss: Expected a text"),
        (
            f"{{{JOB}, compile: {{loss: [mse, 3]}}}}",
            "jobs.a.compile.loss.1: Expected a text or a mapping. Received: 3.",
        ),
        (f"{{{JOB}, name: b}}", "the key of the job names it"),
        (f"{{{JOB}, model: m.keras}}", "This key is there twice"),
        ("{model: {file: a, function: 'b:c'}, data: d.npz}", "Expected either `file` or `function`"),
        ("{model: {function: 'not a function'}, data: d.npz}", "Expected `train.py:function`"),
        ("{model: {file: a, arguments: {b: 1}}, data: d.npz}", "there is none"),
        ("{model: m.keras, data: {train: d.npz, validation: 0.6, test: 0.5}}", "leave no rows"),
        ("{model: m.keras, data: {train: {x: x.npy}}}", "Expected `y` beside `x`"),
        ("{model: m.keras, data: {train: {}}}", "two .npy files"),
        ("{matrix: {fit.epochs: 3}}", "Expected a list of values"),
        ("{matrix: {fit.epochs: []}}", "with at least one"),
        ("{matrix: 3}", "Expected a mapping of settings to lists"),
        (
            f"{{{JOB}, matrix: {{seed: [{', '.join(map(str, range(101)))}], fit.epochs: [{', '.join(['1'] * 100)}]}}}}",
            "10,100 jobs",
        ),
        ("3", "jobs.a: Expected a mapping. Received: 3."),
    ],
)
def test_a_mistake_is_told_with_its_place_and_a_way_out(body, said, job_file):
    found = one(body, job_file)
    assert any(said in line for line in found), found
    assert all(line.startswith("jobs.yaml:") for line in found)


def test_all_mistakes_come_at_once_in_the_order_of_the_file(job_file):
    text = "version: 2\ndefault: {}\njobs:\n  a: {model: 3}\n  b/c: {}\n  d: {data: [1], fit: {epochs: 0}}\n"
    found = problems(job_file(text))
    lines = [int(line.split(":")[1]) for line in found]
    assert lines == sorted(lines)
    assert set(lines) == {1, 2, 4, 5, 6}


def test_a_mistake_of_the_defaults_is_told_once_and_where_it_was_written(job_file):
    text = f"version: 1\ndefaults: {{fit: {{epochs: 0}}}}\njobs: {{a: {{{JOB}}}, b: {{{JOB}}}, c: {{{JOB}}}}}"
    assert problems(job_file(text)) == [
        "jobs.yaml:2:26: defaults.fit.epochs: Expected a number of at least 1. Received: 0."
    ]


@pytest.mark.parametrize(
    "name", ["../up", "a/b", "a\\b", ".hidden", "", "a\x1b[31m", "-rf", "a.", "x" * 201, "a:b", " a"]
)
def test_a_name_that_could_leave_its_folder_or_steer_a_terminal_is_refused(name, job_file):
    path = job_file(f"version: 1\njobs: {{{json.dumps(name)}: {{{JOB}}}}}")
    found = problems(path)
    assert "cannot name a job" in found[0]
    assert "\x1b" not in found[0]


def test_names_that_would_share_a_folder_are_refused(job_file):
    assert "one folder" in problems(job_file(f"version: 1\njobs: {{Churn: {{{JOB}}}, churn: {{{JOB}}}}}"))[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Expected a mapping"),
        (b"[1]", "Expected a mapping"),
        (b"version: 1", "Expected `jobs`"),
        (b"version: 1\njobs: {}", "Expected `jobs`"),
        (b"jobs: {a: {}}", "`version` is missing"),
        (b"version: true\njobs: {a: {}}", "Expected 1. Received: true."),
        (b"a: 1\nb: \xff", "jobs.yaml:2:4: The job file is not UTF-8"),
        (b"\x89PNG\r\n\x1a\n", "UTF-8"),
        (b"# " + b"x" * 1_000_000, "too large"),
    ],
)
def test_what_is_no_job_file_is_told_so(content, said, job_file):
    assert any(said in line for line in problems(job_file(content)))


def test_a_file_that_cannot_be_read_is_told_so(tmp_path):
    assert "No such file" in problems(tmp_path / "nope.yaml")[0]
    assert "directory" in problems(tmp_path)[0]


def test_top_level_keys_for_anchors_are_let_be(job_file):
    text = f"version: 1\nx-base: &base {{{JOB}}}\njobs: {{a: {{<<: *base, seed: 3}}}}"
    assert jobs(text, job_file=job_file)[0].seed == 3


def test_a_file_of_more_jobs_than_are_taken_is_refused(job_file, monkeypatch):
    monkeypatch.setattr(reading, "MOST_JOBS", 3)
    text = "version: 1\njobs:\n" + "".join(f"  j{i}: {{{JOB}}}\n" for i in range(4))
    assert "more than 3 jobs" in problems(job_file(text))[0]


def test_resolved_jobs_go_through_json(job_file):
    text = TEXT + "    fit: {class_weight: {0: 1, 1: 2.5}, callbacks: [{name: EarlyStopping, patience: 3}]}\n"
    file = read(job_file(text)).file
    assert JobFile.model_validate_json(file.model_dump_json()) == file
    assert Job.model_validate(json.loads(file.jobs[0].model_dump_json())) == file.jobs[0]


def test_a_job_of_the_command_line_has_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = job_of({"model": "m.keras", "data": {"train": "a.csv"}}, ["data.target=t", "compile.loss=mse"]).file.jobs[0]
    assert (job.folder, job.data.target, job.compile.loss) == (str(tmp_path), ("t",), "mse")
    with pytest.raises(JobFileError, match=r"^--set compile.lss=3: compile.lss: There is no such key"):
        job_of({"model": "m.keras", "data": "a.npz"}, ["compile.lss=3"])


def test_the_schema_for_editors_takes_what_is_read_and_marks_what_is_not(job_file):
    schema = editor_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    right = TEXT + "    fit:\n    matrix: {seed: [1, 2]}\n    autofix: {strategies: [reshuffle]}\n"
    assert list(validator.iter_errors(yaml.safe_load(right))) == []
    wrong = ["    fit: {epoch: 3}\n", "    modle: m\n", "    fit: {epochs: 0}\n", "    autofix: {order: laddr}\n"]
    for line in wrong:
        assert list(validator.iter_errors(yaml.safe_load(TEXT + line))), line

"""The content hash of a job: it changes with what the result depends on, and with nothing else."""

import pytest

from autofix.jobs.schema import Job


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "m.keras").write_text("weights")
    (tmp_path / "a.csv").write_text("x,t\n1,2\n")
    (tmp_path / "code.py").write_text("def rows(): ...\n")
    return tmp_path


def hash_of(folder, **settings):
    data = {"train": "a.csv", "target": "t", "test": {"function": "code.py:rows"}}
    return Job.model_validate(
        {"name": "j", "folder": str(folder), "model": "m.keras", "data": data, **settings}
    ).content_hash()


@pytest.mark.parametrize("settings", [{"timeout_s": 5.0}, {"retries": 3}, {"resources": {"gpus": 1}}])
def test_the_hash_stays_where_the_result_does(settings, folder):
    assert hash_of(folder, **settings) == hash_of(folder)


def test_the_hash_is_that_of_the_content_wherever_it_lies(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    for path in folder.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    assert hash_of(other) == hash_of(folder)


@pytest.mark.parametrize("settings", [{"seed": 1}, {"fit": {"epochs": 2}}, {"autofix": {"order": "ladder"}}])
def test_the_hash_changes_with_the_settings(settings, folder):
    assert hash_of(folder, **settings) != hash_of(folder)


@pytest.mark.parametrize("name", ["m.keras", "a.csv", "code.py"])
def test_the_hash_changes_with_each_file_and_comes_back_with_it(name, folder):
    before, content = hash_of(folder), (folder / name).read_text()
    (folder / name).write_text(content + "#")
    changed = hash_of(folder)
    (folder / name).unlink()
    missing = hash_of(folder)
    (folder / name).write_text(content)
    assert len({before, changed, missing}) == 3
    assert hash_of(folder) == before

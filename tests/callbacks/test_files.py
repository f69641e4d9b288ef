"""The files of Keras' callbacks are put back, and no other file is touched."""

import os

import keras
import pytest

from autofix.callbacks import files as callback_files
from autofix.callbacks.files import FileStates


def files_in(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


def write(path, text="new"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def checkpoint(path):
    return keras.callbacks.ModelCheckpoint(path, save_weights_only=True)


EVENTS = f"events.out.tfevents.1.host.{os.getpid()}.0.v2"

CASES = {
    "log": (lambda folder: keras.callbacks.CSVLogger(folder / "a.csv"), {"a.csv"}, {"b.csv"}),
    "log that is appended to": (
        lambda folder: keras.callbacks.CSVLogger(folder / "a.csv", append=True),
        {"a.csv"},
        {"b"},
    ),
    "checkpoint": (lambda folder: checkpoint(folder / "a.weights.h5"), {"a.weights.h5"}, {"b.weights.h5"}),
    "checkpoint with braces": (
        lambda folder: checkpoint(folder / "{{a}}.weights.h5"),
        {"{a}.weights.h5"},
        {"1.weights.h5"},
    ),
    "checkpoint of every epoch": (
        lambda folder: checkpoint(folder / "in" / "{epoch:02d}-{loss:.2e}-{mae:.1%}.weights.h5"),
        {"in/01-1.00e-03-5.0%.weights.h5", "in/02-nan--inf%.weights.h5"},
        {"in/final.weights.h5", "in/1-2-3.weights.h5.old", "01-1-1.weights.h5", "in/deep/01-1-1.weights.h5"},
    ),
    "folder of every epoch": (
        lambda folder: checkpoint(folder / "run {epoch}" / "a {loss}.weights.h5"),
        {"run 1/a 0.5.weights.h5", "run 2/a 0.25.weights.h5"},
        {"run x/a 0.5.weights.h5", "run 1/b 0.5.weights.h5", "run 3/readme"},
    ),
    "backup": (
        lambda folder: keras.callbacks.BackupAndRestore(folder / "backup"),
        {"backup/latest.weights.h5", "backup/training_metadata.json"},
        {"other/latest.weights.h5"},
    ),
    "events": (
        lambda folder: keras.callbacks.TensorBoard(folder / "logs"),
        {f"logs/train/{EVENTS}", f"logs/validation/{EVENTS}", "logs/train/plugins/profile/2026_01_01/host.xplane.pb"},
        {"logs/train/events.out.tfevents.1.host.1.0.v2", f"logs/mine/{EVENTS}", "logs/train/notes.txt"},
    ),
}
"""A callback, files that it writes, and files of others that lie beside them."""


@pytest.mark.parametrize("case", CASES)
def test_new_files_and_folders_go(tmp_path, case):
    make, written, _ = CASES[case]
    callback = make(tmp_path / "runs")
    states = FileStates([callback])
    for _ in range(2):
        for name in written:
            write(tmp_path / "runs" / name)
        assert states.restore() == []
        assert files_in(tmp_path) == {}


@pytest.mark.parametrize("case", CASES)
def test_files_that_were_there_are_put_back(tmp_path, case):
    make, written, _ = CASES[case]
    for name in written:
        write(tmp_path / name, "old")
    before = files_in(tmp_path)
    times = {name: os.stat(tmp_path / name).st_mtime_ns for name in written}
    states = FileStates([make(tmp_path)])
    for _ in range(2):
        for name in written:
            write(tmp_path / name, "old, and new")
        assert states.restore() == []
        assert files_in(tmp_path) == before
        assert {name: os.stat(tmp_path / name).st_mtime_ns for name in written} == times


@pytest.mark.parametrize("case", [case for case in CASES if case not in ("events", "log that is appended to")])
def test_files_that_were_removed_are_there_again(tmp_path, case):
    make, written, _ = CASES[case]
    for name in written:
        write(tmp_path / name, "old")
    before = files_in(tmp_path)
    states = FileStates([make(tmp_path)])
    for path in sorted(tmp_path.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert states.restore() == []
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("case", CASES)
def test_files_of_others_stay(tmp_path, case):
    make, written, foreign = CASES[case]
    states = FileStates([make(tmp_path)])
    for name in foreign:
        write(tmp_path / name)
    before = files_in(tmp_path)
    for name in written:
        write(tmp_path / name)
    assert states.restore() == []
    assert files_in(tmp_path) == before


def test_an_empty_folder_that_was_there_is_there_again(tmp_path):
    (tmp_path / "backup").mkdir()
    states = FileStates([keras.callbacks.BackupAndRestore(tmp_path / "backup")])
    (tmp_path / "backup").rmdir()
    states.restore()
    assert (tmp_path / "backup").is_dir()


def test_a_backup_is_there_again_unless_it_must_not_be_gone_on_from(tmp_path):
    log, backup = tmp_path / "a.csv", tmp_path / "backup" / "latest.weights.h5"
    for path in (log, backup):
        write(path, "old")
    states = FileStates([keras.callbacks.BackupAndRestore(backup.parent), keras.callbacks.CSVLogger(log)])
    write(log, "new")
    write(backup, "new")
    states.restore(resume=False)
    assert files_in(tmp_path) == {"a.csv": b"old", "backup": None}
    states.restore()
    assert files_in(tmp_path) == {"a.csv": b"old", "backup": None, "backup/latest.weights.h5": b"old"}


def test_paths_are_those_of_the_folder_that_the_training_began_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    states = FileStates([keras.callbacks.CSVLogger("a.csv"), checkpoint("{epoch}.weights.h5")])
    write(tmp_path / "a.csv")
    write(tmp_path / "1.weights.h5")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    states.restore()
    assert files_in(tmp_path) == {"elsewhere": None}


def test_of_large_files_only_logs_are_put_back(tmp_path, monkeypatch):
    monkeypatch.setattr(callback_files, "MAX_BYTES", 10)
    names = ["a.weights.h5", "b.weights.h5", "c.csv"]
    for name, size in zip(names, (8, 4, 100), strict=True):
        write(tmp_path / name, "o" * size)
    made = [checkpoint(tmp_path / name) for name in names[:2]]
    states = FileStates([*made, keras.callbacks.CSVLogger(tmp_path / "c.csv", append=True)])
    for name in names:
        write(tmp_path / name, "o" * 100 + "new")
    notes = states.restore()
    assert len(notes) == 1
    assert "a.weights.h5 was overwritten" in notes[0]
    assert [(tmp_path / name).stat().st_size for name in names] == [103, 4, 100]


def test_a_folder_with_too_many_files_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(callback_files, "MAX_ENTRIES", 3)
    for epoch in range(4):
        write(tmp_path / f"{epoch}.weights.h5", "old")
    states = FileStates([checkpoint(tmp_path / "{epoch}.weights.h5")])
    write(tmp_path / "5.weights.h5")
    assert "too many files" in states.restore()[0]
    assert len(files_in(tmp_path)) == 5


def test_a_folder_that_has_filled_up_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(callback_files, "MAX_ENTRIES", 3)
    states = FileStates([checkpoint(tmp_path / "{epoch}.weights.h5")])
    for epoch in range(4):
        write(tmp_path / f"{epoch}.weights.h5")
    assert "too many files" in states.restore()[0]
    assert len(files_in(tmp_path)) == 4


class Described(keras.callbacks.ModelCheckpoint):
    """One of the user's."""


def test_classes_derived_from_those_of_keras_count(tmp_path):
    states = FileStates([Described(tmp_path / "a.keras")])
    write(tmp_path / "a.keras")
    states.restore()
    assert files_in(tmp_path) == {}


@pytest.mark.parametrize(
    "make",
    [lambda: keras.callbacks.RemoteMonitor(), lambda: keras.callbacks.CSVLogger("gs://bucket/a.csv")],
)
def test_what_has_left_the_machine_is_reported(make):
    states = FileStates([make(), keras.callbacks.EarlyStopping(), object()])
    assert len(states.restore()) == 1

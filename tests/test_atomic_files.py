"""Files are there whole or not at all, whatever goes wrong while they are written."""

import os
import resource
import subprocess
import sys
import textwrap

import pytest

from autofix import atomic_files
from tests.jobs import kills


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_the_place_of_the_former(tmp_path):
    for content in ("one", b"two"):
        atomic_files.write(tmp_path / "file.txt", content)
    assert (tmp_path / "file.txt").read_bytes() == b"two"
    assert names(tmp_path) == ["file.txt"]


def write_half(path):
    with atomic_files.replacing(path) as temporary:
        assert temporary.suffix == path.suffix
        temporary.write_text("half of it")
        raise RuntimeError("half")


def write_to_full_device(path):
    with atomic_files.replacing(path) as temporary:
        temporary.symlink_to("/dev/full")
        temporary.write_text("x")


def test_an_error_leaves_the_former_file_and_nothing_else(tmp_path):
    path = tmp_path / "model.keras"
    atomic_files.write(path, "former")
    with pytest.raises(RuntimeError, match="half"):
        write_half(path)
    assert path.read_text() == "former"
    assert names(tmp_path) == ["model.keras"]


def test_what_does_not_fit_leaves_the_former_file(tmp_path):
    """The largest size of a file stands in for the room on a disk: the system refuses the rest of it all the same."""
    path = tmp_path / "record.json"
    atomic_files.write(path, "former")
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, kept[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            atomic_files.write(path, "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    assert path.read_text() == "former"
    assert names(tmp_path) == ["record.json"]


def test_a_full_device_is_an_error_and_not_half_a_file(tmp_path):
    with pytest.raises(OSError, match="No space left"):
        write_to_full_device(tmp_path / "record.json")
    assert names(tmp_path) == []


def test_a_kill_leaves_the_former_file_and_what_is_cleared_later(tmp_path):
    path = tmp_path / "record.json"
    atomic_files.write(path, "former")
    program = """
        import os, pathlib, sys
        from autofix import atomic_files
        with atomic_files.replacing(pathlib.Path(sys.argv[1])) as temporary:
            temporary.write_text("half of it")
            os.kill(os.getpid(), 9)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program), path], env=kills.ENVIRONMENT, check=False)
    assert path.read_text() == "former"
    assert len(names(tmp_path)) == 2
    atomic_files.clear_unfinished(tmp_path, older_than_s=3600.0)
    assert len(names(tmp_path)) == 2
    atomic_files.clear_unfinished(tmp_path)
    assert names(tmp_path) == ["record.json"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_an_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        atomic_files.write(tmp_path / "file.txt", "x")

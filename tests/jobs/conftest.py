"""What the tests of job files share."""

import pytest

from tests.jobs.files import TEXT


@pytest.fixture
def job_file(tmp_path):
    """Writes a job file and returns its path: `job_file(text)`, or the file that is right."""

    def write(text=TEXT, name="jobs.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write

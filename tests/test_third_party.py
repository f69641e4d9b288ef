"""A strategy of another distribution, installed as its users install it."""

import os
import pathlib
import shutil
import subprocess
import sys

EXAMPLE = pathlib.Path(__file__).parents[1] / "examples" / "strategy"


def test_the_example_installs_keeps_the_contract_and_repairs_by_its_name(tmp_path):
    # A copy: the build writes into its folder.
    source, site = shutil.copytree(EXAMPLE, tmp_path / "source"), tmp_path / "site"
    install = ["install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", site, source]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True)
    assert (site / "tiny_batches.py").is_file()
    tests = shutil.copy(source / "test_tiny_batches.py", tmp_path)
    path = os.pathsep.join([str(site), *(entry for entry in sys.path if entry)])
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tests],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    n_contract = sum(name.startswith("test_") for name in dir(_contract()))
    assert f"{n_contract + 1} passed" in run.stdout, run.stdout


def _contract():
    from autofix.testing import StrategyTests

    return StrategyTests

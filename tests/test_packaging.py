"""What pyproject.toml promises about packages and entry points, compared with the source tree."""

import importlib
import pathlib
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REMAPPED = {"strategies": "autofix.strategies", "benchmarks": "autofix.benchmarks"}
"""Top-level folders, and the packages that they are imported as."""


def packages_in(folder: str) -> set[str]:
    """Import names of the folder and of every folder below it that holds Python files."""
    names = set()
    for directory in {path.parent for path in (ROOT / folder).rglob("*.py")}:
        top, *below = directory.relative_to(ROOT).parts
        names.add(".".join([REMAPPED.get(top, top), *below]))
    return names


def test_every_package_of_the_tree_is_in_the_wheel():
    in_tree = packages_in("autofix") | packages_in("strategies") | packages_in("benchmarks")
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == in_tree


def test_every_package_of_the_tree_has_an_init():
    folders = {path.parent for name in ("autofix", *REMAPPED) for path in (ROOT / name).rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_folders_beside_autofix_are_remapped_into_it():
    package_dir = PYPROJECT["tool"]["setuptools"]["package-dir"]
    assert package_dir == {package: folder for folder, package in REMAPPED.items()}


def test_every_strategy_file_has_its_entry_point_and_the_reverse():
    modules = {path.stem for path in (ROOT / "strategies").glob("*.py")} - {"__init__"}
    entry_points = PYPROJECT["project"]["entry-points"]["autofix.strategies"]
    expected = {
        name: f"autofix.strategies.{name}:{''.join(word.capitalize() for word in name.split('_'))}" for name in modules
    }
    assert entry_points == expected


@pytest.mark.parametrize("folder", REMAPPED)
def test_the_bare_folder_name_cannot_be_imported(folder, monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    with pytest.raises(ImportError, match=rf"import {REMAPPED[folder]}`"):
        importlib.import_module(folder)


def test_the_package_is_marked_as_typed():
    assert "py.typed" in PYPROJECT["tool"]["setuptools"]["package-data"]["autofix"]
    assert (ROOT / "autofix" / "py.typed").is_file()


def test_every_file_beside_the_modules_is_in_the_wheel():
    declared = PYPROJECT["tool"]["setuptools"]["package-data"]
    expected = {
        path
        for package, patterns in declared.items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    found = {path for path in (ROOT / "autofix").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert found == expected

"""Dependencies point one way: who may import whom, read from the source without importing it."""

import ast
import dataclasses
import graphlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]

LAYERS = (
    {"errors", "state", "feeding", "evidence", "strict_json", "atomic_files", "default_network", "callbacks"},
    {"remedy", "heads", "scoring"},
    {"remedies"},
    {"recipe", "data"},
    {"report"},
    {"surgery"},
    {"measuring"},
    {"causes", "monitoring", "trackers"},
    {"strategy"},
    {"settings", "sample_programs"},
    {"search", "testing", "gathering"},
    {"watch"},
    {"fitting", "diagnosing"},
    {"estimators"},
    {"__init__"},
    {"jobs"},
    {"cli"},
    {"__main__"},
)
"""The packages and single modules of `autofix`, from the ground up. One may import those of its own layer and below."""

LEVELS = {name: level for level, names in enumerate(LAYERS) for name in names}

DEFERRED = {
    ("recipe", "surgery.architecture"): "Recipe.apply loads Keras when it is called; recipes are read without it",
    ("recipe", "surgery.transfer"): "as above",
    ("trackers.tracker", "trackers.tensorboard"): "a tracker is loaded where it is used",
    ("trackers.tracker", "trackers.mlflow"): "as above",
}
"""Imports inside a function that may point upwards, each with its reason."""

CONFINED = {
    # In the benchmark it is an opponent.
    "keras_tuner": ("autofix/search/escalate.py", "autofix/search/search_space.py", "benchmarks/searches.py"),
    "autokeras": ("benchmarks/autokeras_search.py",),
    # References are its learners, and the estimators are built on its base classes.
    "sklearn": ("autofix/measuring/references.py", "autofix/estimators.py", "benchmarks/"),
    "matplotlib": ("autofix/report/plots.py", "benchmarks/"),
    "jinja2": ("autofix/report/html.py",),
    "click": ("autofix/cli/", "benchmarks/bench"),
    "pydantic": ("autofix/jobs/schema.py", "autofix/jobs/complaints.py", "autofix/jobs/reading.py"),
    "pyarrow": ("autofix/jobs/tables.py",),
    "yaml": ("autofix/jobs/yaml_tree.py",),
    "rich": ("autofix/monitoring/display.py", "autofix/cli/", "benchmarks/"),
    "psutil": ("autofix/jobs/processes.py", "benchmarks/usage.py"),
    "ray": ("autofix/jobs/ray_engine.py",),
}
"""Libraries that are used in one place, so that each can be replaced there."""

CONFINED_TYPES = {
    "keras_tuner": ("autofix/strategy.py", "strategies/"),
    "matplotlib": ("autofix/report/report.py",),
}
"""Further places that may import them under `if TYPE_CHECKING:`."""


@dataclasses.dataclass(frozen=True)
class Import:
    """One import: the file it stands in, what it imports, and whether only type checkers see it."""

    path: str
    line: int
    target: str
    for_types: bool

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.target}"


def is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def targets(node: ast.stmt, package: list[str]) -> list[str]:
    """Dotted names of what an import statement brings in: `a.b` for `from a import b`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        above = package[: len(package) - node.level + 1] if node.level else []
        source = ".".join([*above, *([node.module] if node.module else [])])
        return [f"{source}.{alias.name}" for alias in node.names]
    return []


def imports_of(path: pathlib.Path) -> list[Import]:
    """All imports of a file, those inside functions included."""
    name = path.relative_to(ROOT).as_posix()
    package = list(path.relative_to(ROOT).parent.parts)
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=name)
    type_nodes = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and is_type_checking(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    return [
        Import(name, node.lineno, target, node in type_nodes)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt)
        for target in targets(node, package)
    ]


def module_of(path: str) -> str:
    """`autofix/report/text.py` as `report.text`, `autofix/report/__init__.py` as `report`."""
    parts = pathlib.PurePosixPath(path).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


ENGINE = [found for path in sorted((ROOT / "autofix").rglob("*.py")) for found in imports_of(path)]
EVERYTHING = ENGINE + [
    found
    for folder in ("strategies", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
    for found in imports_of(path)
]
MODULES = {module_of(path.relative_to(ROOT).as_posix()) for path in (ROOT / "autofix").rglob("*.py")}


def imported_module(target: str) -> str | None:
    """The module of `autofix` that holds `target`: `errors` for `autofix.errors.DataError`; None outside."""
    package, *parts = target.split(".")
    if package != "autofix":
        return None
    while parts and ".".join(parts) not in MODULES:
        parts.pop()
    return ".".join(parts) or "__init__"


def edges() -> list[tuple[str, str, Import]]:
    """Imports between modules of `autofix`: importer, imported, where. Those in `DEFERRED` are left out."""
    found = [(module_of(one.path), imported_module(one.target), one) for one in ENGINE]
    return [
        (importer, imported, one)
        for importer, imported, one in found
        if imported is not None and (importer, imported) not in DEFERRED
    ]


def part_of(module: str) -> str:
    """What has a layer: `report` for `report.text`, `errors` for itself."""
    return module.split(".")[0]


def test_everything_has_its_layer():
    parts = {part_of(module) for module in MODULES}
    unplaced, gone = parts - LEVELS.keys(), LEVELS.keys() - parts
    assert not unplaced, f"Place {sorted(unplaced)} in LAYERS of {pathlib.Path(__file__).name}."
    assert not gone, f"Remove {sorted(gone)} from LAYERS of {pathlib.Path(__file__).name}."


def test_imports_never_point_upwards():
    levels = [
        (LEVELS.get(part_of(importer)), LEVELS.get(part_of(imported)), where) for importer, imported, where in edges()
    ]
    upwards = [
        f"{where} (level {own} imports level {other})"
        for own, other, where in levels
        if own is not None and other is not None and other > own
    ]
    assert not upwards, "\n".join(upwards)


@pytest.mark.parametrize("whole", [str, part_of], ids=["modules", "packages"])
def test_imports_never_run_in_a_circle(whole):
    graph: dict[str, set[str]] = {}
    for importer, imported, _ in edges():
        if whole(importer) != whole(imported):
            graph.setdefault(whole(importer), set()).add(whole(imported))
    order = list(graphlib.TopologicalSorter(graph).static_order())  # CycleError names those of a circle
    assert set(graph) <= set(order)


def test_the_engine_names_no_strategy_and_no_benchmark():
    outside = ("strategies", "benchmarks", "autofix.strategies", "autofix.benchmarks")
    named = [str(one) for one in ENGINE if one.target.startswith(outside)]
    assert not named, "\n".join(named)


@pytest.mark.parametrize("library", CONFINED)
def test_a_library_is_imported_in_its_one_place(library):
    astray = [
        str(one)
        for one in EVERYTHING
        if one.target.split(".")[0] == library
        and not one.path.startswith(CONFINED[library])
        and not (one.for_types and one.path.startswith(CONFINED_TYPES.get(library, ())))
    ]
    assert not astray, "\n".join(astray)

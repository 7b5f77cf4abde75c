"""The direction of imports, what the definitions cost to load, and the versions that are installed and locked.

Read from the source with `ast`, so that an import inside a function counts as well.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from itertools import permutations
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "pipelines"
PARTS = ("sources", "interviews", "privacy", "measures", "identity", "release", "site", "sample")
SIDES = [part for part in PARTS if (SOURCE / part).is_dir()]
BUILT_ON = {("site", "release")}  # a part that is made from the results of another
LOCKS = ("requirements.lock", "requirements-dev.lock")


@dataclass(frozen=True)
class Import:
    """One import: the module it stands in, what it names, and whether it runs when the module is loaded."""

    module: str
    target: str
    runs_on_load: bool
    types_only: bool

    def is_of(self, name: str) -> bool:
        """Whether the import names a package or anything inside it."""
        return self.target == name or self.target.startswith(f"{name}.")


def module_name(path: Path) -> str:
    """The dotted name of a source file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> list[Import]:
    """Every import of a file; `from a import b` names `a.b`, since `b` may be a module."""
    found: list[Import] = []
    _visit(ast.parse(path.read_text(encoding="utf-8")), module_name(path), found, on_load=True, types_only=False)
    return found


def _visit(node: ast.AST, module: str, found: list[Import], *, on_load: bool, types_only: bool) -> None:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            found += [Import(module, name.name, on_load, types_only) for name in child.names]
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{module}: write imports in full, not relative to the file"
            found += [Import(module, f"{child.module}.{name.name}", on_load, types_only) for name in child.names]
        elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            _visit(child, module, found, on_load=False, types_only=True)
        else:
            in_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            _visit(child, module, found, on_load=on_load and not in_function, types_only=types_only)


@cache
def all_imports() -> tuple[Import, ...]:
    return tuple(found for path in sorted(SOURCE.rglob("*.py")) for found in imports_of(path))


def modules_importing(name: str, *, on_load: bool | None = None) -> set[str]:
    """The modules that import a package; only on load or only later where `on_load` says so."""
    return {i.module for i in all_imports() if i.is_of(name) and on_load in (None, i.runs_on_load)}


# --- who may import what ------------------------------------------------------------------------------------


def test_imports_inside_functions_and_for_types_are_told_apart(tmp_path: Path) -> None:
    text = (
        "import a\nfrom b import c\nif TYPE_CHECKING:\n    import d\n"
        "def f():\n    import e\n    if x:\n        import g\nclass K:\n    import h\n"
        "if typing.TYPE_CHECKING:\n    from i import j\ntry:\n    import k\nexcept ImportError:\n    pass\n"
    )
    found: list[Import] = []
    _visit(ast.parse(text), "m", found, on_load=True, types_only=False)
    assert {i.target for i in found if i.runs_on_load} == {"a", "b.c", "h", "k"}
    assert {i.target for i in found if i.types_only} == {"d", "i.j"}
    assert {i.target for i in found if not i.runs_on_load and not i.types_only} == {"e", "g"}


def test_only_the_dagster_files_import_dagster() -> None:
    entry = {f"pipelines.{name}" for name in ("definitions", "assets", "interview_assets", "schedules")}
    assert modules_importing("dagster", on_load=True) == entry
    assert modules_importing("dagster", on_load=False) <= {"pipelines.run"}


def test_nothing_below_the_assets_imports_them_on_load() -> None:
    names = ("assets", "interview_assets", "schedules", "definitions")
    for name in names:
        below = modules_importing(f"pipelines.{name}", on_load=True)
        assert below <= {f"pipelines.{other}" for other in names}, name


@pytest.mark.parametrize(("part", "other"), sorted(set(permutations(SIDES, 2)) - BUILT_ON), ids=str)
def test_parts_that_stand_side_by_side_do_not_import_each_other(part: str, other: str) -> None:
    across = [
        i
        for i in all_imports()
        if i.is_of(f"pipelines.{other}") and f"{i.module}.".startswith(f"pipelines.{part}.")
    ]
    assert across == []


def test_targets_know_a_release_from_its_files_only() -> None:
    """A push judges what lies in the public folder, as any reader does, and not how it was made."""
    allowed = (
        "pipelines.targets",
        "pipelines.settings",
        "pipelines.release.manifest",
        "pipelines.release.verify",
        "pipelines.release.versions.standing",
        "pipelines.snapshots.write_atomically",
    )
    ours = [i for i in all_imports() if f"{i.module}.".startswith("pipelines.targets.") and i.is_of("pipelines")]
    assert ours
    assert [i for i in ours if not any(i.is_of(name) for name in allowed)] == []
    assert modules_importing("pipelines.targets") <= {"pipelines.cli", *(i.module for i in ours)}
    assert {name.rpartition(".")[0] for name in modules_importing("obstore")} == {"pipelines.targets"}


@pytest.mark.parametrize("name", ["contract", "lineage", "settings"])
def test_the_pure_modules_import_nothing_of_ours(name: str) -> None:
    assert [i for i in all_imports() if i.module == f"pipelines.{name}" and i.is_of("pipelines")] == []


def test_great_expectations_is_imported_in_checks_only_and_late() -> None:
    assert modules_importing("great_expectations", on_load=False) == {"pipelines.checks"}
    assert modules_importing("great_expectations", on_load=True) == set()


def test_duckdb_is_imported_only_where_data_is_handled() -> None:
    allowed = {
        "pipelines.assets",
        "pipelines.checks",
        "pipelines.cli",
        "pipelines.interview_assets",
        "pipelines.observations",
        "pipelines.refresh",
        "pipelines.restricted",
        "pipelines.site.released",
        "pipelines.warehouse",
    }
    found = {name for name in modules_importing("duckdb") if not name.startswith("pipelines.release.")}
    assert found <= allowed
    assert "pipelines.cli" not in modules_importing("duckdb", on_load=True)


@pytest.mark.parametrize("name", ["tests", "frictionless", "polars", "hypothesis", "pytest", "respx"])
def test_no_module_imports_what_only_tests_need(name: str) -> None:
    assert modules_importing(name) == set()


def test_every_package_that_is_imported_is_declared() -> None:
    """What arrives only because another package brings it may be gone with that package's next version."""
    ours = {"pipelines", *sys.stdlib_module_names}
    imported = {i.target.split(".")[0] for i in all_imports()} - ours
    provided = metadata.packages_distributions()
    declared = {canonicalize_name(requirement.name) for requirement in declared_requirements()}
    brought = {
        name
        for name in imported
        if not {canonicalize_name(distribution) for distribution in provided.get(name, [name])} & declared
    }
    assert brought <= {"markupsafe"}, "jinja2 returns it: the two are one"


# --- what loading costs -------------------------------------------------------------------------------------


def modules_after(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after a statement."""
    code = f"import sys\n{statement}\nprint(' '.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_loading_the_definitions_imports_no_judge_and_no_second_engine() -> None:
    loaded = modules_after("import pipelines.definitions")
    assert "dagster" in loaded
    assert not loaded & {"great_expectations", "frictionless", "polars", "pandas", "duckdb_sqlalchemy"}


def test_asking_for_help_imports_neither_dagster_nor_an_engine() -> None:
    loaded = modules_after("import pipelines.cli")
    assert not loaded & {"dagster", "duckdb", "pyarrow", "pandas", "great_expectations", "jinja2"}


# --- versions -----------------------------------------------------------------------------------------------


@cache
def declared_requirements() -> tuple[Requirement, ...]:
    """What the project itself needs to run."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return tuple(Requirement(text) for text in project["dependencies"])


@pytest.mark.parametrize("requirement", declared_requirements(), ids=lambda requirement: requirement.name)
def test_the_installed_version_is_in_the_declared_range(requirement: Requirement) -> None:
    assert requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)


def test_every_requirement_has_a_lower_and_an_upper_bound() -> None:
    """Except the time-zone data, whose versions are dates."""
    unbounded = {
        requirement.name
        for requirement in declared_requirements()
        if not {">=", "<"} <= {specifier.operator for specifier in requirement.specifier}
    }
    assert unbounded == {"pytz"}


def test_the_duckdb_release_with_wrong_results_is_not_installed() -> None:
    assert metadata.version("duckdb") != "2.0.0"
    (requirement,) = (r for r in declared_requirements() if r.name == "duckdb")
    assert not requirement.specifier.contains("2.0.0")


def locked(name: str) -> dict[str, list[str]]:
    """The pinned versions of every distribution in a lock file; some have one for each Python version."""
    pins: dict[str, list[str]] = {}
    text = (ROOT / name).read_text(encoding="utf-8")
    pin = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z0-9,-]+\])?==([^\s;\\]+)", re.MULTILINE)
    for distribution, version in pin.findall(text):
        pins.setdefault(canonicalize_name(distribution), []).append(version)
    return pins


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_requirement_has_a_version_and_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index-url" not in text
    entries = re.split(r"^(?=[^\s#])", text, flags=re.MULTILINE)[1:]
    assert len(entries) == sum(len(versions) for versions in locked(name).values()) > 50
    careless = [entry.split()[0] for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}(\s|$)", entry)]
    assert careless == []


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_file_satisfies_the_declared_ranges(name: str) -> None:
    pins = locked(name)
    for requirement in declared_requirements():
        for version in pins[canonicalize_name(requirement.name)]:
            assert requirement.specifier.contains(version), requirement


def test_both_lock_files_pin_the_same_versions() -> None:
    core, dev = (locked(name) for name in LOCKS)
    assert {name: dev.get(name) for name in core} == core

"""What `make package` builds: the same bytes everywhere, pure Python, compiled, small, and importable by themselves."""

from __future__ import annotations

import ast
import base64
import hashlib
import importlib.util
import json
import marshal
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts import libraries, package
from scripts.closure import closures, files
from scripts.project import Failure

PROJECT = Path(__file__).parents[2]
BUNDLES = json.loads((PROJECT / "functions/ai_jobs/contract/limits.json").read_text())["bundles"]
NAMES = [bundle.name for bundle in package.BUNDLES]
UNUSED = ("ai_jobs.cli", "ai_jobs.client", "ai_jobs.operate")
needs_runtime = pytest.mark.skipif(
    sys.version_info[:2] != package.RUNTIME_VERSION, reason="the zips hold bytecode of the functions' Python"
)


@dataclass
class Clone:
    """A copy of what the build reads, in a folder of its own."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Clone:
        folder.mkdir()
        for name in ("pyproject.toml", "uv.lock", ".python-version"):
            shutil.copy(PROJECT / name, folder / name)
        for name in ("scripts", "functions"):
            shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        return cls(folder)

    def build(self, umask: int = 0o022, program: str = "pass", **variables: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", f"{program}; from scripts import package; package.main()"],
            cwd=self.folder,
            env=os.environ | variables,
            umask=umask,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads((self.folder / "dist" / "manifest.json").read_text())
        return manifest

    def zip(self, name: str) -> Path:
        return self.folder / "dist" / f"{name}.zip"


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clone, Clone]:
    """Two builds that differ in all that must not matter: folder, umask, time zone, hash seed, what is imported."""
    folder = tmp_path_factory.mktemp("clones")
    one, two = Clone.make(folder / "one"), Clone.make(folder / "the other one")
    with ThreadPoolExecutor() as pool:
        builds = [
            pool.submit(one.build, 0o022, TZ="UTC", PYTHONHASHSEED="1"),
            pool.submit(two.build, 0o077, "import botocore.session", TZ="Asia/Tokyo", LC_ALL="C", PYTHONOPTIMIZE="1"),
        ]
        for build in builds:
            build.result()
    return one, two


@needs_runtime
@pytest.mark.parametrize("name", NAMES)
def test_two_clones_build_the_same_bytes(clones: tuple[Clone, Clone], name: str) -> None:  # R-P1
    one, two = clones
    assert one.zip(name).read_bytes() == two.zip(name).read_bytes()


@needs_runtime
@pytest.mark.parametrize("file", ["manifest.json", "sbom.cdx.json", "SHA256SUMS"])
def test_what_describes_the_zips_is_the_same_on_every_machine(
    clones: tuple[Clone, Clone], file: str
) -> None:  # R-P5 R-P8
    one, two = ((clone.folder / "dist" / file).read_bytes() for clone in clones)
    assert one == two


@needs_runtime
def test_the_manifest_is_of_the_release_that_pyproject_names(clones: tuple[Clone, Clone]) -> None:  # R-P5
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    manifest = clones[0].manifest
    assert manifest["release"] == project["version"]
    assert manifest["schema_version"] == BUNDLES["manifest_schema_version"]
    assert manifest["interface"] == BUNDLES["interface"]["max"]
    assert sorted(manifest["functions"]) == sorted(NAMES)


@needs_runtime
def test_sha256sum_verifies_the_release(clones: tuple[Clone, Clone]) -> None:  # R-P8
    folder = clones[0].folder / "dist"
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == sorted(path.name for path in folder.iterdir() if path.suffix)
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


@needs_runtime
def test_the_bill_of_materials_has_what_is_in_each_zip(clones: tuple[Clone, Clone]) -> None:  # R-P8
    text = (clones[0].folder / "dist/sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bom = json.loads(text)
    assert "timestamp" not in bom["metadata"]
    components = {component["bom-ref"]: component for component in bom["components"]}
    inside = {one["ref"]: one.get("dependsOn", []) for one in bom["dependencies"]}
    assert inside["ai-jobs"] == sorted(f"{name}.zip" for name in NAMES)
    for function in clones[0].manifest["functions"].values():
        assert components[function["file"]]["hashes"] == [{"alg": "SHA-256", "content": function["sha256"]}]
        libraries = {f"pkg:pypi/{name}@{version}" for name, version in function["dependencies"].items()}
        assert set(inside[function["file"]]) == libraries
        assert all(components[library]["licenses"] for library in libraries)


@needs_runtime
@pytest.mark.parametrize("name", NAMES)
def test_the_manifest_describes_the_zip(clones: tuple[Clone, Clone], name: str) -> None:  # R-P1
    data = clones[0].zip(name).read_bytes()
    described = clones[0].manifest["functions"][name]
    digest = hashlib.sha256(data)
    assert described["sha256"] == digest.hexdigest()
    assert described["base64sha256"] == base64.b64encode(digest.digest()).decode()
    assert described["bytes"] == len(data)
    assert described["key"] == f"{name}-{digest.hexdigest()}.zip"
    assert described["handler"] == f"{name}.handler.handler"
    assert described["runtime"] == "python3.13"
    assert described["dependencies"]["boto3"] == described["dependencies"]["botocore"]
    assert ("jinja2" in described["dependencies"]) is (name in ("processor", "jobs_api"))
    assert "click" not in described["dependencies"]


@needs_runtime
@pytest.mark.parametrize("name", NAMES)
def test_a_zip_is_small_pure_python_and_compiled(clones: tuple[Clone, Clone], name: str) -> None:  # R-P1
    archive = zipfile.ZipFile(clones[0].zip(name))
    names = set(archive.namelist())
    assert clones[0].zip(name).stat().st_size <= 4_000_000
    assert not [found for found in names if PurePosixPath(found).suffix in libraries.NATIVE_SUFFIXES]
    for source in (PurePosixPath(found) for found in names if found.endswith(".py")):
        bytecode = archive.read(str(source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"))
        # PEP 552: 1 is a hash that is not checked against the source, so neither times nor the source matter.
        assert bytecode[:8] == importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little")
        assert marshal.loads(bytecode[16:]).co_filename == f"/var/task/{source}"  # noqa: S302 - our own build
    assert not [found for found in names if found.startswith(("ai_jobs/cli/", "ai_jobs/client/"))]
    assert all(entry.date_time == package.FIXED_TIME for entry in archive.infolist())
    assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}, "Lambda's user can read it"


@needs_runtime
@pytest.mark.parametrize("name", NAMES)
def test_a_handler_can_be_imported_from_its_zip_alone(clones: tuple[Clone, Clone], name: str, tmp_path: Path) -> None:
    zipfile.ZipFile(clones[0].zip(name)).extractall(tmp_path)
    # And each of our modules beside it, whoever needs it, and when.
    ours = sorted(module_of(path) for path in own_sources(clones[0].zip(name)))
    imports_all = f"for module in {ours!r}: importlib.import_module(module)"
    run_from(tmp_path, f"import importlib\nfrom {name}.handler import handler\n{imports_all}")


def run_from(folder: Path, program: str) -> str:
    """What a program prints that has only the unpacked zip in this folder, and a function's environment."""
    variables = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1", "POWERTOOLS_SERVICE_NAME": "service"}
    numbers = ("CONFIG_MAX_AGE_SECONDS", "VISIBILITY_TIMEOUT_SECONDS", "MAX_RECEIVE_COUNT", "DEFAULT_DEADLINE_SECONDS")
    variables |= {
        f"AI_JOB_{number}": "60"
        for number in (*numbers, "MAX_BACKOFF_SECONDS", "RETENTION_DAYS", "MODEL_ACCESS_WAIT_SECONDS")
    }
    texts = ("TABLE_NAME", "BUCKET", "CONFIG_APPLICATION", "CONFIG_ENVIRONMENT", "CONFIG_PROFILE")
    queues = ("REQUEST_QUEUE_URL", "REQUEST_DLQ_URL", "RESPONSE_QUEUE_URL", "RESPONSE_DLQ_URL", "FAILURE_QUEUE_URL")
    variables |= {"AI_JOB_AUTHORIZATION": "AWS_IAM", "AI_JOB_MAX_WAIT_SECONDS": "25"}
    variables |= {"AI_JOB_EVENT_BUS_ARN": "x", "AI_JOB_TABLE_ARN": "x", "AI_JOB_EVENTS_INCLUDE_RESULT": "false"}
    variables |= {f"AI_JOB_{text}": "x" for text in texts} | {f"AI_JOB_{queue}": "https://x/q" for queue in queues}
    # Without site-packages: what the zip lacks must not be found in the environment of the tests.
    python = getattr(sys, "_base_executable", sys.executable)
    start = f"import sys; sys.path.insert(0, {str(folder)!r}); sys.dont_write_bytecode = True\n"
    done = subprocess.run(
        [python, "-I", "-S", "-c", start + program], env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# All that a cold start imports: packages of the standard library by their first name, libraries by the first two.
IMPORTED = """
import json
names = [name for name in sys.modules if "." in name or hasattr(sys.modules[name], "__path__")]
standard = {name.partition(".")[0] for name in names if name.partition(".")[0] in sys.stdlib_module_names}
libraries = {".".join(name.split(".")[:2]) for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
print(json.dumps(sorted(standard | libraries)))
"""
BUDGET = Path(__file__).with_name("import_budget.json")
RENEW = "RENEW_IMPORT_BUDGET"


@needs_runtime
@pytest.mark.parametrize("name", NAMES)
def test_a_cold_start_imports_nothing_beyond_its_budget(
    clones: tuple[Clone, Clone], name: str, tmp_path: Path
) -> None:  # R-B4
    zipfile.ZipFile(clones[0].zip(name)).extractall(tmp_path)
    imported = json.loads(run_from(tmp_path, f"from {name}.handler import handler\n{IMPORTED}"))
    budget = json.loads(BUDGET.read_text())
    if RENEW in os.environ:
        BUDGET.write_text(json.dumps(budget | {name: imported}, indent=2, sort_keys=True) + "\n")
        return
    extra = sorted(set(imported) - set(budget[name]))
    assert not extra, (
        f"The cold start of {name} imports {extra}, which its budget in {BUDGET.name} does not have. A cold start "
        "takes longer with each module: avoid the import, or import it where it is first needed. If it must be, renew "
        f"the budget: {RENEW}=1 python -m pytest -p no:terraform -k budget {Path(__file__).name}"
    )


def own_sources(archive: Path) -> list[PurePosixPath]:
    """Our own modules in a zip."""
    names = map(PurePosixPath, zipfile.ZipFile(archive).namelist())
    return [name for name in names if name.suffix == ".py" and name.parts[0] in ("ai_jobs", *NAMES)]


def module_of(path: PurePosixPath) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


@needs_runtime
@pytest.mark.parametrize("name", NAMES)
def test_a_zip_has_the_modules_that_its_handler_imports_and_no_others(clones: tuple[Clone, Clone], name: str) -> None:
    modules = {module_of(path) for path in own_sources(clones[0].zip(name))}
    assert modules == closures([f"{name}.handler"], PROJECT / "functions")[f"{name}.handler"].modules
    assert not [module for module in modules if module.startswith(UNUSED)]
    assert not [module for module in modules if module.split(".")[0] not in ("ai_jobs", name)]
    assert ("ai_jobs.service.job_types" in modules) is (name in ("processor", "jobs_api"))
    assert ("ai_jobs.aws.objects" in modules) is (name in ("processor", "jobs_api"))


def services_by_client() -> dict[str, str]:
    """The service that each function of ai_jobs.aws.clients makes a client for."""
    tree = ast.parse((PROJECT / "functions/ai_jobs/aws/clients.py").read_text())
    return {
        function.name: ast.literal_eval(call.args[0])
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "_client"
    }


@needs_runtime
@pytest.mark.parametrize("bundle", package.BUNDLES, ids=lambda bundle: bundle.name)
def test_a_zip_has_the_data_of_the_services_that_its_modules_call(
    clones: tuple[Clone, Clone], bundle: package.Bundle
) -> None:
    services, archive = services_by_client(), zipfile.ZipFile(clones[0].zip(bundle.name))
    assert len(services) > len(bundle.services)
    sources = [path for path in own_sources(clones[0].zip(bundle.name)) if path.name != "clients.py"]
    named = {name for path in sources for name in re.findall(r"\bget_\w+_client\b", archive.read(str(path)).decode())}
    assert {services[name] for name in named} == bundle.services


@needs_runtime
def test_no_change_builds_nothing_and_a_change_builds_again(clones: tuple[Clone, Clone]) -> None:
    clone = clones[1]
    before = clone.manifest
    assert "nothing changed" in clone.build()
    clone.zip("processor").write_bytes(b"damaged")
    source = clone.folder / "functions" / "jobs_api" / "handler.py"
    source.write_text(f"{source.read_text()}\n# changed\n")
    assert "nothing changed" not in clone.build()
    after = clone.manifest["functions"]
    assert after["jobs_api"]["sha256"] != before["functions"]["jobs_api"]["sha256"]
    assert after["processor"] == before["functions"]["processor"]
    assert hashlib.sha256(clone.zip("processor").read_bytes()).hexdigest() == after["processor"]["sha256"]


def test_a_closure_has_what_a_module_imports_and_what_python_then_runs(tmp_path: Path) -> None:
    for path, source in {
        "function/__init__.py": "",
        "function/handler.py": "import json\nfrom library.used import data\ndef handler():\n import library.late",
        "function/other.py": "import unused_elsewhere",
        "library/__init__.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n from library import unused",
        "library/used/__init__.py": "import library.on_the_way",
        "library/used/data.py": "import urllib3.exceptions",
        "library/used/limits.json": "{}",
        "library/late.py": "",
        "library/on_the_way.py": "",
        "library/unused.py": "",
        "library/other/__init__.py": "",
        "library/other/limits.json": "{}",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(source)
    closure = closures(["function.handler"], tmp_path)["function.handler"]
    assert closure.libraries == {"urllib3"}
    assert closure.library_modules == frozenset()
    assert [path.relative_to(tmp_path).as_posix() for path in files(closure.modules, tmp_path)] == [
        "function/__init__.py",
        "function/handler.py",
        "library/__init__.py",
        "library/late.py",
        "library/on_the_way.py",
        "library/used/__init__.py",
        "library/used/data.py",
        "library/used/limits.json",
    ]


def test_of_a_followed_library_only_what_is_imported_is_known(tmp_path: Path) -> None:
    for path, source in {
        "functions/function/__init__.py": "",
        "functions/function/handler.py": "from utilities.logs import Logger",
        "site/utilities/__init__.py": "from utilities import base",
        "site/utilities/base.py": "",
        "site/utilities/logs/__init__.py": "from .logger import Logger",
        "site/utilities/logs/logger.py": "def log():\n import optional_library\n from utilities import late",
        "site/utilities/late.py": "",
        "site/utilities/unused.py": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(source)
    found = closures(["function.handler"], tmp_path / "functions", tmp_path / "site", {"utilities"})["function.handler"]
    assert found.libraries == {"utilities"}, "what it needs in turn, its metadata says"
    names = ("utilities", "utilities.base", "utilities.late", "utilities.logs", "utilities.logs.logger")
    assert found.library_modules == set(names)


@needs_runtime
@pytest.mark.parametrize("name", NAMES)
def test_a_zip_has_of_powertools_only_what_its_handler_imports(clones: tuple[Clone, Clone], name: str) -> None:
    paths = map(PurePosixPath, zipfile.ZipFile(clones[0].zip(name)).namelist())
    modules = {module_of(path) for path in paths if path.parts[0] in libraries.FOLLOWED and path.suffix == ".py"}
    assert "aws_lambda_powertools.logging.logger" in modules
    assert not [module for module in modules if ".event_handler" in module or ".idempotency" in module]
    assert ("aws_lambda_powertools.utilities.parameters.appconfig" in modules) is (name in ("processor", "jobs_api"))


@pytest.mark.parametrize(
    ("path", "imported"),
    [
        ("aws_lambda_powertools/logging/logger.py", True),
        ("aws_lambda_powertools/logging/__init__.py", True),
        ("aws_lambda_powertools/tracing/__init__.py", False),
        ("aws_lambda_powertools/event_handler/openapi/swagger_ui/swagger-ui.min.css", False),
        ("botocore/client.py", True),
    ],
)
def test_of_a_followed_library_only_modules_that_are_imported_are_bundled(path: str, imported: bool) -> None:
    modules = {"aws_lambda_powertools.logging", "aws_lambda_powertools.logging.logger"}
    assert libraries.is_imported(PurePosixPath(path), modules) is imported


def test_the_distributions_are_those_of_the_imports_and_what_these_require(tmp_path: Path) -> None:
    for name, file, requires in (
        ("One.Library", "one.py", ["two_library>=1", "three-library; extra == 'more'", "four; sys_platform == 'x'"]),
        ("two-library", "two/__init__.py", []),
        ("three-library", "three.py", []),
    ):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        lines = [f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {text}" for text in requires)]
        (folder / "METADATA").write_text("\n".join(lines) + "\n")
        (folder / "RECORD").write_text(f"{file},,\n")
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert [found.name for found in libraries.distributions({"one"}, tmp_path)] == ["One.Library", "two-library"]
    assert [found.name for found in libraries.distributions({"two", "three"}, tmp_path)] == [
        "three-library",
        "two-library",
    ]
    with pytest.raises(Failure, match="a function imports four, which its zip would lack"):
        libraries.distributions({"four"}, tmp_path)


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("botocore/data/sqs/2012-11-05/service-2.json.gz", True),
        ("botocore/data/sqs/2012-11-05/examples-1.json.gz", False),
        ("botocore/data/ec2/2016-11-15/service-2.json.gz", False),
        ("botocore/data/endpoints.json", True),
        ("botocore/data/_retry.json", True),
        ("botocore/client.py", True),
        ("boto3/data/sqs/2012-11-05/resources-1.json", False),
        ("boto3/docs/docstring.py", True),
        ("markupsafe/_speedups.cpython-313-aarch64-linux-gnu.so", False),
        ("some/tests/test_x.py", False),
        ("../../bin/jp.py", False),
        ("jinja2-3.1.6.dist-info/METADATA", True),
        ("jinja2-3.1.6.dist-info/licenses/LICENSE.txt", True),
        ("jinja2-3.1.6.dist-info/RECORD", False),
    ],
)
def test_only_what_the_functions_use_is_bundled(path: str, needed: bool) -> None:
    assert libraries.is_needed(PurePosixPath(path), {"sqs"}) is needed


def test_a_compiled_library_is_refused(tmp_path: Path) -> None:
    (tmp_path / "markupsafe").mkdir()
    (tmp_path / "markupsafe" / "_speedups.cpython-313-aarch64-linux-gnu.so").touch()
    libraries.reject_native_code(tmp_path)
    (tmp_path / "fast").mkdir()
    (tmp_path / "fast" / "_core.abi3.so").touch()
    with pytest.raises(Failure, match=r"fast/_core\.abi3\.so is native code"):
        libraries.reject_native_code(tmp_path)


def test_another_python_than_the_runtimes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "RUNTIME_VERSION", (3, 99))
    with pytest.raises(Failure, match="the zips contain bytecode"):
        package.build()

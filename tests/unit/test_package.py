"""What `make package` builds: the same bytes everywhere, pure Python, compiled, small, and importable by themselves."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import marshal
import os
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from scripts import package

PROJECT = Path(__file__).parents[2]
NAMES = [bundle.name for bundle in package.BUNDLES]
needs_runtime = pytest.mark.skipif(
    sys.version_info[:2] != package.RUNTIME_VERSION, reason="the zips hold byte code of the functions' Python"
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
@pytest.mark.parametrize("name", NAMES)
def test_the_manifest_describes_the_zip(clones: tuple[Clone, Clone], name: str) -> None:  # R-P1
    data = clones[0].zip(name).read_bytes()
    described = clones[0].manifest["functions"][name]
    digest = hashlib.sha256(data)
    assert described["sha256"] == digest.hexdigest()
    assert described["base64sha256"] == base64.b64encode(digest.digest()).decode()
    assert described["bytes"] == len(data)
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
    assert clones[0].zip(name).stat().st_size < 5_000_000
    assert not [found for found in names if PurePosixPath(found).suffix in package.COMPILED_SUFFIXES]
    for source in (PurePosixPath(found) for found in names if found.endswith(".py")):
        byte_code = archive.read(str(source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"))
        # PEP 552: 1 is a hash that is not checked against the source, so neither times nor the source matter.
        assert byte_code[:8] == importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little")
        assert marshal.loads(byte_code[16:]).co_filename == f"/var/task/{source}"  # noqa: S302 - our own build
    assert not [found for found in names if found.startswith(("ai_jobs/cli/", "ai_jobs/client/"))]
    assert all(entry.date_time == package.FIXED_TIME for entry in archive.infolist())
    assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}, "Lambda's user can read it"


@needs_runtime
@pytest.mark.parametrize("name", NAMES)
def test_a_handler_can_be_imported_from_its_zip_alone(clones: tuple[Clone, Clone], name: str, tmp_path: Path) -> None:
    zipfile.ZipFile(clones[0].zip(name)).extractall(tmp_path)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.dont_write_bytecode = True\n"
        f"from {name}.handler import handler\n"
    )
    variables = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1", "POWERTOOLS_SERVICE_NAME": name}
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
    done = subprocess.run(
        [python, "-I", "-S", "-c", program], env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


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
    assert package.is_needed(PurePosixPath(path), {"sqs"}) is needed


def test_a_compiled_library_is_refused(tmp_path: Path) -> None:
    (tmp_path / "markupsafe").mkdir()
    (tmp_path / "markupsafe" / "_speedups.cpython-313-aarch64-linux-gnu.so").touch()
    package._refuse_compiled_modules(tmp_path)
    (tmp_path / "fast").mkdir()
    (tmp_path / "fast" / "_core.abi3.so").touch()
    with pytest.raises(package.Failure, match=r"fast/_core\.abi3\.so is compiled"):
        package._refuse_compiled_modules(tmp_path)


def test_another_python_than_the_runtimes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "RUNTIME_VERSION", (3, 99))
    with pytest.raises(package.Failure, match="the zips hold byte code"):
        package.build()

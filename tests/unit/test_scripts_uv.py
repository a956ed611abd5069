"""scripts/uv: which uv it runs and in which environment, on machines made of stand-ins."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SYSTEM = "/usr/bin:/bin"
UV = """#!/bin/sh
case $1 in
  --version) echo "uv {version} (stand-in)" ;;
  cache) echo "${{UV_CACHE_DIR:-$HOME/.cache/uv}}" ;;
  python) [ {python_found} = 0 ] || echo "error: No interpreter found" >&2; exit {python_found} ;;
  *) echo "ran $*"; env | grep -E '^(UV_|VIRTUAL_ENV)' ;;
esac
"""
# Like a pyenv shim, it fails in the project's folder because of .python-version. `-m venv` makes an environment whose
# pip "installs" a uv.
PYTHON = """#!/bin/sh
[ "$PWD" = / ] || { echo "pyenv: version 3.13 is not installed" >&2; exit 1; }
case $2 in
  venv)
    mkdir -p "$3/bin"
    cp "$0" "$3/bin/python"
    ;;
  pip)
    [ -z "$PIP_TARGET$PIP_USER" ] || exit 1
    cp "$(dirname "$0")/../../../bin/uv-to-install" "$(dirname "$0")/uv"
    ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in a folder with a space, and a folder bin/ that is first on PATH."""
    project = tmp_path / "the project"
    (project / "scripts").mkdir(parents=True)
    (project / "bin").mkdir()
    shutil.copy(PROJECT / "scripts" / "uv", project / "scripts" / "uv")
    shutil.copy(PROJECT / ".python-version", project / ".python-version")
    return project


def install(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def install_uv(path: Path, version: str = "0.13.9", python_found: bool = True) -> None:
    install(path, UV.format(version=version, python_found=0 if python_found else 2))


def run(project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(project / "scripts" / "uv"), *arguments],
        cwd=project,
        env={"PATH": f"{project / 'bin'}:{SYSTEM}", "HOME": str(project.parent)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_uv_on_path_is_used(project: Path) -> None:
    install_uv(project / "bin" / "uv")
    done = run(project, "sync", "--frozen")
    assert done.returncode == 0
    assert "ran sync --frozen" in done.stdout
    assert not (project / ".uv").exists()


def test_the_environment_is_the_projects_own(project: Path) -> None:
    install_uv(project / "bin" / "uv")
    done = run(project, "sync", VIRTUAL_ENV="/somewhere/else", UV_PROJECT_ENVIRONMENT="/elsewhere")
    assert f"UV_PROJECT_ENVIRONMENT={project / '.venv'}" in done.stdout
    assert "VIRTUAL_ENV=" not in done.stdout.replace("UV_PROJECT_ENVIRONMENT", "")


def test_no_interpreter_is_downloaded_unasked(project: Path) -> None:
    install_uv(project / "bin" / "uv")
    assert "UV_PYTHON_DOWNLOADS=never" in run(project, "sync").stdout
    allowed = run(project, "sync", UV_PYTHON_DOWNLOADS="automatic")
    assert "UV_PYTHON_DOWNLOADS=automatic" in allowed.stdout


def test_certificates_that_the_caller_names_are_left_alone(project: Path) -> None:
    install_uv(project / "bin" / "uv")
    assert "UV_SYSTEM_CERTS" not in run(project, "sync", SSL_CERT_FILE="/some/ca.pem").stdout


def test_a_missing_interpreter_gets_a_message_with_ways_out(project: Path) -> None:
    install_uv(project / "bin" / "uv", python_found=False)
    done = run(project, "sync")
    assert done.returncode == 1
    assert "Python 3.13 was not found" in done.stderr
    assert "uv says: error: No interpreter found" in done.stderr
    assert "pyenv install 3.13" in done.stderr
    assert "UV_PYTHON_DOWNLOADS=automatic" in done.stderr
    assert "ran sync" in run(project, "sync", UV_PYTHON_DOWNLOADS="automatic").stdout


@pytest.mark.parametrize("too_old", [True, False])
def test_a_uv_is_installed_where_none_fits(project: Path, too_old: bool) -> None:
    if too_old:
        install_uv(project / "bin" / "uv", version="0.10.9")
    install(project / "bin" / "python3.13", PYTHON)
    install_uv(project / "bin" / "uv-to-install")
    done = run(project, "sync", PIP_TARGET="/elsewhere", PIP_USER="1")
    assert done.returncode == 0, done.stderr
    assert "installing uv 0.13.9 into .uv/" in done.stderr
    assert "ran sync" in done.stdout
    assert "installing" not in run(project, "sync").stderr, "it is installed once"


def test_a_failed_installation_says_what_to_do_and_leaves_nothing_behind(project: Path) -> None:
    install(project / "bin" / "python3.13", PYTHON)  # its pip finds no uv to install
    done = run(project, "sync")
    assert done.returncode == 1
    assert "Install uv yourself: https://docs.astral.sh/uv/" in done.stderr
    assert not list((project / ".uv").iterdir())


@pytest.mark.parametrize("home", ["/proc/nonexistent", "a file"])
def test_a_home_that_can_not_be_written_to_does_not_matter(project: Path, home: str) -> None:
    """R-L1. Not a folder without the permission to write: root has that everywhere."""
    install_uv(project / "bin" / "uv")
    (project / "a file").touch()
    done = run(project, "sync", HOME=home if home.startswith("/") else str(project / home))
    assert done.returncode == 0, done.stderr
    assert f"UV_CACHE_DIR={project / '.uv' / 'cache'}" in done.stdout


def test_a_cache_that_works_or_that_the_caller_names_is_left_alone(project: Path) -> None:
    install_uv(project / "bin" / "uv")
    assert "UV_CACHE_DIR" not in run(project, "sync").stdout
    assert "UV_CACHE_DIR=/somewhere\n" in run(project, "sync", UV_CACHE_DIR="/somewhere").stdout

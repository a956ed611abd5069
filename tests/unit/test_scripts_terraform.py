"""scripts/terraform: the command that it runs, told by a stand-in for terraform that prints what it was given."""

from __future__ import annotations

import os
import platform
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

WRAPPER = Path(__file__).parents[2] / "scripts" / "terraform"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
PLATFORM = f"{platform.system().lower()}_{ARCHITECTURE}"
STAND_IN = """#!/bin/sh
echo "arguments: $*"
echo "config: ${TF_CLI_CONFIG_FILE-unset}"
echo "init: ${TF_CLI_ARGS_init-unset}"
"""


@dataclass
class Machine:
    """A machine with a home, a system prefix and a root module, all empty at first."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def prefix(self) -> Path:
        return self.folder / "prefix"

    @property
    def root_module(self) -> Path:
        return self.folder / "root"

    def mirror(self, folder: Path, version: str = "5.100.0", packed: bool = False) -> Path:
        provider = folder / "registry.terraform.io" / "hashicorp" / "aws"
        if packed:
            provider.mkdir(parents=True)
            (provider / f"terraform-provider-aws_{version}_{PLATFORM}.zip").touch()
        else:
            (provider / version / PLATFORM).mkdir(parents=True)
        return folder

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "HOME": str(self.home),
            "AI_JOBS_TF_PREFIXES": str(self.prefix),
        }
        return subprocess.run(
            [str(WRAPPER), *arguments],
            cwd=self.root_module,
            env=environment | self.variables,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    for folder in (machine.home, machine.prefix, machine.root_module, tmp_path / "bin"):
        folder.mkdir()
    terraform = tmp_path / "bin" / "terraform"
    terraform.write_text(STAND_IN)
    terraform.chmod(terraform.stat().st_mode | stat.S_IXUSR)
    return machine


def plugin_folder(done: subprocess.CompletedProcess[str]) -> str | None:
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("init: "))
    return line.split("-plugin-dir=")[1].rstrip('"') if "-plugin-dir=" in line else None


def test_a_config_file_that_does_not_exist_is_dropped(machine: Machine) -> None:
    machine.variables["TF_CLI_CONFIG_FILE"] = str(machine.folder / "nowhere")
    assert "config: unset" in machine.run("plan").stdout


def test_a_config_file_that_exists_is_kept(machine: Machine) -> None:
    config = machine.folder / "config.tfrc"
    config.touch()
    machine.variables["TF_CLI_CONFIG_FILE"] = str(config)
    assert f"config: {config}" in machine.run("plan").stdout


def test_arguments_are_passed_on_as_they_are(machine: Machine) -> None:
    assert "arguments: plan -var a b" in machine.run("plan", "-var", "a b").stdout


def test_without_a_mirror_init_goes_to_the_registry(machine: Machine) -> None:
    assert plugin_folder(machine.run("init")) is None


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("below", ["", "plugins", "with space"])
def test_init_uses_a_mirror_below_a_system_prefix(machine: Machine, below: str, packed: bool) -> None:
    mirror = machine.mirror(machine.prefix / below, packed=packed)
    assert plugin_folder(machine.run("init")) == str(mirror)


def test_only_init_is_changed(machine: Machine) -> None:
    machine.mirror(machine.prefix / "plugins")
    assert plugin_folder(machine.run("plan")) is None


def test_a_mirror_for_another_platform_is_no_mirror(machine: Machine) -> None:
    (machine.prefix / "registry.terraform.io/hashicorp/aws/5.100.0/plan9_mips").mkdir(parents=True)
    assert plugin_folder(machine.run("init")) is None


@pytest.mark.parametrize(("locked", "used"), [("5.100.0", True), ("6.1.0", False)])
def test_a_system_mirror_must_hold_the_locked_version(machine: Machine, locked: str, used: bool) -> None:
    machine.mirror(machine.prefix / "plugins", version="5.100.0")
    (machine.root_module / ".terraform.lock.hcl").write_text(
        'provider "registry.terraform.io/hashicorp/archive" {\n  version = "2.7.0"\n}\n'
        f'provider "registry.terraform.io/hashicorp/aws" {{\n  version     = "{locked}"\n}}\n'
    )
    assert (plugin_folder(machine.run("init")) is not None) is used


def test_the_lock_file_is_looked_up_in_the_folder_of_chdir(machine: Machine) -> None:
    machine.mirror(machine.prefix / "plugins", version="5.100.0")
    other = machine.folder / "other root"
    other.mkdir()
    (other / ".terraform.lock.hcl").write_text(
        'provider "registry.terraform.io/hashicorp/aws" {\n  version = "6.1.0"\n}\n'
    )
    assert plugin_folder(machine.run(f"-chdir={other}", "init")) is None


def test_the_mirror_of_the_variable_wins(machine: Machine) -> None:
    machine.mirror(machine.prefix / "plugins")
    own = machine.mirror(machine.folder / "own mirror", packed=True)
    machine.variables["AI_JOBS_TF_MIRROR"] = "../own mirror"
    assert plugin_folder(machine.run("init", "-input=false")) == str(own)


def test_a_variable_that_names_no_mirror_is_an_error(machine: Machine) -> None:
    machine.variables["AI_JOBS_TF_MIRROR"] = str(machine.home)
    done = machine.run("init")
    assert done.returncode == 1
    assert f'AI_JOBS_TF_MIRROR is "{machine.home}"' in done.stderr
    assert PLATFORM in done.stderr
    assert "arguments:" not in done.stdout


@pytest.mark.parametrize("named_by_variable", [True, False])
def test_the_users_own_provider_installation_is_left_alone(machine: Machine, named_by_variable: bool) -> None:
    machine.mirror(machine.prefix / "plugins")
    config = machine.home / ("some.tfrc" if named_by_variable else ".terraformrc")
    config.write_text("provider_installation {\n  direct {}\n}\n")
    if named_by_variable:
        machine.variables["TF_CLI_CONFIG_FILE"] = str(config)
    assert plugin_folder(machine.run("init")) is None


def test_a_config_file_without_provider_installation_changes_nothing(machine: Machine) -> None:
    mirror = machine.mirror(machine.prefix / "plugins")
    (machine.home / ".terraformrc").write_text("# provider_installation {}\ndisable_checkpoint = true\n")
    assert plugin_folder(machine.run("init")) == str(mirror)


def test_terraforms_implied_mirrors_are_left_to_terraform(machine: Machine) -> None:
    machine.mirror(machine.prefix / "plugins")
    machine.mirror(machine.home / ".terraform.d" / "plugins")
    assert plugin_folder(machine.run("init")) is None


def test_a_plugin_folder_that_the_caller_gives_is_the_only_one(machine: Machine) -> None:
    machine.mirror(machine.prefix / "plugins")
    assert plugin_folder(machine.run("init", "-plugin-dir=/mine")) is None


def test_a_missing_terraform_is_named(machine: Machine) -> None:
    (machine.folder / "bin" / "terraform").unlink()
    done = machine.run("plan")
    assert done.returncode == 1
    assert "terraform (1.11 or newer) is not on PATH" in done.stderr

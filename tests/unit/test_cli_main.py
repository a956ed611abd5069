"""`ai-jobs` itself: its help is fast, and the extra `cli` brings everything that it needs."""

from __future__ import annotations

import subprocess
import sys

from ai_jobs.cli.main import COMMANDS
from ai_jobs.cli.types.group import TYPES_COMMANDS


def _run(program):
    path = "import sys; sys.path.insert(0, 'functions')\n"
    return subprocess.run([sys.executable, "-c", path + program], capture_output=True, text=True, check=True).stdout


def test_the_list_of_commands_imports_none_of_them():
    listed, _, imported = (
        _run(
            "from ai_jobs.cli.main import COMMANDS, main\n"
            "try: main(['--help'])\nexcept SystemExit: pass\n"
            "print({home.partition(':')[0] for home, _ in COMMANDS.values()} & set(sys.modules))"
        )
        .strip()
        .rpartition("\n")
    )
    assert imported == "set()"
    words = " ".join(listed.split())
    assert all(f"{name} {text}" in words for name, (_, text) in COMMANDS.items())


def test_help_needs_no_boto3():
    """Not even botocore's exceptions: they take longer to import than everything else."""
    printed = _run(
        "import click\nfrom ai_jobs.cli.main import main\n"
        "def show(command, *words):\n"
        "    try: main([*words, '--help'])\n    except SystemExit: pass\n"
        "    for name in command.list_commands(None) if isinstance(command, click.Group) else ():\n"
        "        show(command.get_command(None, name), *words, name)\n"
        "show(main)\nprint({'boto3', 'botocore'} & set(sys.modules))"
    )
    assert printed.endswith("\nset()\n")
    types_commands = [f"types {name}" for name in TYPES_COMMANDS]
    for command in (*COMMANDS, "dlq list", "dlq show", "dlq retry", "dlq purge", *types_commands):
        assert f" {command} [OPTIONS]" in printed, command


def test_the_extra_cli_is_enough():
    """The functions' own library, which writes metrics and logs, does not come with it."""
    _run(
        "sys.modules['aws_lambda_powertools'] = None\n"
        "import importlib, pkgutil\nimport ai_jobs.cli, ai_jobs.operate\n"
        "for package in (ai_jobs.cli, ai_jobs.operate):\n"
        "    for module in pkgutil.walk_packages(package.__path__, f'{package.__name__}.'):\n"
        "        importlib.import_module(module.name)"
    )

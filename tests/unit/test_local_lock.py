"""One command at a time changes a local stack, and jobs can be sent while an apply changes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ai_jobs.local import instances, lock, stack
from ai_jobs.local.failure import Failure
from ai_jobs.local.instances import Instance
from ai_jobs.local.processes import Server
from ai_jobs.local.root import Root

INSTANCE = Instance(1, "process 1", 4566, Server(2, "model", 4999))
OUTPUTS = {"table_name": "jobs"}

HOLD = """
import sys, time
from pathlib import Path
from ai_jobs.local import lock
from ai_jobs.local.root import Root
with lock.exclusive(Root(Path(sys.argv[1]), "up", "down")):
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    """A root whose local AWS runs."""
    (tmp_path / "main.tf").write_text("")
    root = Root(tmp_path, "ai-jobs local up", "ai-jobs local down")
    root.prepare()
    monkeypatch.setattr(instances, "status", lambda folder: INSTANCE)
    monkeypatch.setattr(stack.terraform, "require_version", lambda: None)
    return root


@pytest.fixture
def another(root: Root) -> Iterator[subprocess.Popen[str]]:
    """Another command that is working on the root's stack."""
    command = [sys.executable, "-c", HOLD, str(root.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


@pytest.mark.parametrize(
    "command",
    [
        lambda root: stack.up(root, stack.Options(), lambda _: None),
        lambda root: stack.plan(root, stack.Options()),
        stack.start,
        stack.down,
    ],
    ids=["up", "plan", "start", "down"],
)
def test_a_second_command_is_refused_with_the_process_of_the_first(
    root: Root, another: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch, command: Callable[[Root], object]
) -> None:
    touched: list[Path] = []
    monkeypatch.setattr(instances, "start", touched.append)
    monkeypatch.setattr(instances, "stop", touched.append)
    with pytest.raises(Failure, match=rf"process {another.pid} is working on the local stack of {root.path} .* Wait"):
        command(root)
    assert touched == []


def test_the_lock_goes_with_the_process(root: Root, another: subprocess.Popen[str]) -> None:
    assert lock.holder(root) == str(another.pid)
    another.kill()
    another.wait()
    assert lock.holder(root) is None
    with lock.exclusive(root):
        assert lock.holder(root) == str(os.getpid())
    assert lock.holder(root) is None


def test_where_nothing_was_started_nothing_is_locked(tmp_path: Path) -> None:
    untouched = Root(tmp_path, "up", "down")
    with lock.exclusive(untouched):
        assert lock.holder(untouched) is None
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def applying(root: Root) -> Root:
    """An apply has begun, or did not finish, on a stack that was up before."""
    root.applied.write_text(json.dumps({"instance": INSTANCE.identity, "inputs": None}))
    root.outputs.write_text(json.dumps({name: {"value": value} for name, value in OUTPUTS.items()}))
    return root


def test_the_last_outputs_count_while_an_apply_runs(applying: Root, another: subprocess.Popen[str]) -> None:
    assert stack.outputs(applying) == OUTPUTS
    assert stack.reached(applying, OUTPUTS)[1]["endpoint_url"] == INSTANCE.endpoint_url
    assert f"Process {another.pid} is changing the stack" in stack.what_is_left(applying)
    assert not stack.is_up(applying)


def test_they_do_not_count_after_an_apply_that_did_not_finish(applying: Root) -> None:
    with pytest.raises(Failure, match=r"its last apply did not finish\. Run: ai-jobs local up"):
        stack.outputs(applying)


def test_the_first_apply_is_waited_for(applying: Root, another: subprocess.Popen[str]) -> None:
    applying.outputs.unlink()
    with pytest.raises(Failure, match=rf"is not up yet: process {another.pid} is working on it\. Wait"):
        stack.outputs(applying)


def test_outputs_of_another_instance_never_count(applying: Root, another: subprocess.Popen[str]) -> None:
    applying.applied.write_text(json.dumps({"instance": "process 0", "inputs": None}))
    with pytest.raises(Failure, match="is not up yet"):
        stack.outputs(applying)

"""Starting and stopping the local AWS."""

from __future__ import annotations

import json
import os
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_jobs.local import instances, processes
from ai_jobs.local.failure import Failure
from ai_jobs.local.processes import HOST

HEALTH = "/_ministack/health"


def health(instance: instances.Instance) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(instance.endpoint_url + HEALTH, timeout=5) as response:
        return int(response.status)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        yield other.getsockname()[1]


def test_an_instance_runs_until_the_context_ends(tmp_path: Path) -> None:
    with instances.running(tmp_path) as instance:
        assert health(instance) == 200
        assert instances.status(tmp_path) == instance
        assert (tmp_path / "tmp").is_dir()
    assert instances.status(tmp_path) is None
    assert not (tmp_path / "tmp").exists()
    with pytest.raises(OSError, match="refused"):
        health(instance)


@pytest.fixture
def free_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """The port of what is started by default."""
    port = processes.free_port()
    monkeypatch.setattr(instances, "DEFAULT_PORT", port)
    return port


def test_the_local_environment_has_a_model(tmp_path: Path, free_port: int) -> None:
    try:
        instance = instances.start(tmp_path)
        assert instance.port == free_port
        assert instances.start(tmp_path) == instances.status(tmp_path) == instance, "what runs is reused"
        assert instances.start(tmp_path, instance.port) == instance
        refused = rf"AI_JOBS_LOCAL_PORT is 4999, .*already runs at .*{instance.port}, .*ai-jobs local down"
        with pytest.raises(Failure, match=refused):
            instances.start(tmp_path, 4999)
        assert health(instance) == 200, "another port does not throw away what runs"
        assert instance.model is not None
        environment = Path(f"/proc/{instance.pid}/environ")
        if environment.exists():
            named = f"AWS_ENDPOINT_URL_BEDROCK_RUNTIME={instance.model.endpoint_url}"
            assert named in environment.read_text().split("\0"), "the workers inherit it"
        assert instances.stop(tmp_path)
        assert not processes.is_listening(instance.port)
        assert not processes.is_listening(instance.model.port)
    finally:
        instances.stop(tmp_path)


@pytest.mark.parametrize(
    ("found", "is_running"),
    [
        ("123 python -m x", True),
        ("123 ", True),  # it exits: it has no command any more, but may still have its port
        ("124 ", False),
        ("123 another", False),
        (None, False),
    ],
)
def test_a_server_runs_until_its_process_is_gone(
    monkeypatch: pytest.MonkeyPatch, found: str | None, is_running: bool
) -> None:
    monkeypatch.setattr(processes, "identity_of", lambda _: found)
    assert processes.Server(1, "123 python -m x", 4566).is_running() is is_running


@pytest.mark.parametrize("gone", ["MiniStack", "the model"])
def test_without_its_other_half_nothing_runs(tmp_path: Path, free_port: int, gone: str) -> None:
    try:
        instance = instances.start(tmp_path)
        assert instance.model is not None
        assert (instance if gone == "MiniStack" else instance.model).end()
        assert instances.status(tmp_path) is None
        started = instances.start(tmp_path)
        assert started.is_whole()
        assert not instance.is_running()
        assert not instance.model.is_running(), "what is left is ended, and both are started again"
        assert started.port == free_port
    finally:
        assert instances.stop(tmp_path)


def test_what_runs_without_a_model_is_started_anew(tmp_path: Path, free_port: int) -> None:
    with instances.running(tmp_path) as instance:
        assert instances.start(tmp_path).model is not None
        assert not instance.is_running()


def test_a_taken_port_is_named_with_the_variable_that_changes_it(tmp_path: Path, taken_port: int) -> None:
    with pytest.raises(Failure, match=rf"port {taken_port} .*AI_JOBS_LOCAL_PORT={taken_port + 1}"):
        instances.start(tmp_path, taken_port)


def test_a_state_file_of_a_process_that_is_gone_is_no_instance(tmp_path: Path) -> None:
    state = {"pid": os.getpid(), "identity": "the same id, another process", "port": 4566}
    (tmp_path / "ministack.json").write_text(json.dumps(state))
    assert instances.status(tmp_path) is None
    assert instances.stop(tmp_path) is False, "a process that is not ours is left alone: it is this very one"
    assert not (tmp_path / "ministack.json").exists()


@pytest.mark.parametrize("text", ["", "not json", "{}", '{"pid": 1}', "[]"])
def test_a_broken_state_file_is_no_instance(tmp_path: Path, text: str) -> None:
    (tmp_path / "ministack.json").write_text(text)
    assert instances.status(tmp_path) is None


def test_a_start_that_fails_shows_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "DEFAULT_PORT", 0)
    monkeypatch.setattr(instances.sys, "executable", "/bin/false")
    with pytest.raises(Failure, match="did not start"):
        instances.start(tmp_path)
    assert instances.status(tmp_path) is None


@pytest.mark.parametrize("version", [(3, 12, 1), (3, 14, 0)])
def test_another_python_than_that_of_the_functions_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int]
) -> None:
    monkeypatch.setattr(instances.sys, "version_info", version)
    with pytest.raises(Failure, match=rf"this is Python 3\.{version[1]}, .*they need 3\.13\. Install ai-jobs\[local\]"):
        instances.start(tmp_path)


def test_what_to_install_is_named_if_ministack_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Failure, match=r"pip install 'ai-jobs\[local\]'"):
        instances.start(tmp_path)


@pytest.mark.parametrize(("text", "port"), [("", None), ("4567", 4567)])
def test_the_port_comes_from_the_variable(monkeypatch: pytest.MonkeyPatch, text: str, port: int | None) -> None:
    monkeypatch.setenv("AI_JOBS_LOCAL_PORT", text)
    assert instances.port_from_environment() == port


@pytest.mark.parametrize("text", ["0", "65536", "-1", "http"])
def test_a_port_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("AI_JOBS_LOCAL_PORT", text)
    with pytest.raises(Failure, match=f'AI_JOBS_LOCAL_PORT is "{text}"'):
        instances.port_from_environment()


def test_settings_for_another_ministack_do_not_reach_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MINISTACK_REGION", "LOCALSTACK_HOSTNAME", "PERSIST_STATE", "SERVICES", "PYTHONPATH"):
        monkeypatch.setenv(name, "x")
    environment = instances._environment(4566, tmp_path)
    assert not {"MINISTACK_REGION", "LOCALSTACK_HOSTNAME", "PERSIST_STATE", "SERVICES", "PYTHONPATH"} & set(environment)
    assert environment["AUTH"] == "true"
    assert environment["BIND_HOST"] == "127.0.0.1"

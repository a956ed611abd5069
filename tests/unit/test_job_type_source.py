"""Job types from AppConfig: cached, kept in bad times, fetched anew with a fresh session."""

from __future__ import annotations

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ai_jobs import JobError
from ai_jobs.service import job_type_source, retries
from ai_jobs.service.job_type_source import JobTypeSource


class FakeAppConfig:
    """An AppConfig data client: sessions, tokens used once, and no content when nothing has changed."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.error: Exception | None = None
        self.sessions = self.polls = 0
        self.valid_token = ""
        self.sent = b""

    def start_configuration_session(self, **wanted):
        if self.error:
            raise self.error
        assert wanted == {
            "ApplicationIdentifier": "application",
            "EnvironmentIdentifier": "environment",
            "ConfigurationProfileIdentifier": "profile",
        }
        self.sessions += 1
        self.sent = b""
        self.valid_token = f"session-{self.sessions}"
        return {"InitialConfigurationToken": self.valid_token}

    def get_latest_configuration(self, *, ConfigurationToken):  # noqa: N803  # boto3's own spelling
        if self.error:
            raise self.error
        if ConfigurationToken != self.valid_token:
            raise ClientError({"Error": {"Code": "BadRequestException"}}, "GetLatestConfiguration")
        self.polls += 1
        self.valid_token += "+"
        news, self.sent = (b"" if self.content == self.sent else self.content), self.content
        return {"Configuration": io.BytesIO(news), "NextPollConfigurationToken": self.valid_token}


def document(version: str, type_document) -> bytes:
    return json.dumps({"version": version, "jobTypes": {"greeting": type_document}}).encode()


@pytest.fixture
def appconfig(monkeypatch, type_document):
    fake = FakeAppConfig(document("v1", type_document))
    monkeypatch.setattr(job_type_source, "get_appconfigdata_client", lambda: fake)
    return fake


@pytest.fixture
def clock():
    class Seconds:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    return Seconds()


@pytest.fixture
def source(appconfig, clock):
    return JobTypeSource("application", "environment", "profile", 60, clock)


def test_it_is_read_once_a_minute(source, appconfig, clock, type_document):
    assert source.get().version == "v1"
    appconfig.content = document("v2", type_document)
    clock.now = 59
    assert source.get().version == "v1"
    clock.now = 60
    assert source.get().version == "v2"
    assert (appconfig.sessions, appconfig.polls) == (1, 2)


def test_no_news_keeps_the_old_ones(source, clock):
    source.get()
    clock.now = 60
    assert source.get().version == "v1"


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "ThrottlingException"}}, "GetLatestConfiguration"),
        EndpointConnectionError(endpoint_url="http://x"),
    ],
)
def test_the_last_good_value_outlives_an_outage(source, appconfig, clock, error, type_document):
    source.get()
    appconfig.error = error
    clock.now = 60
    assert source.get().version == "v1"
    appconfig.error, appconfig.content = None, document("v2", type_document)
    clock.now = 120
    assert source.get().version == "v2"


def test_an_expired_token_is_replaced_by_a_new_session_at_once(source, appconfig, clock, type_document):
    source.get()
    appconfig.valid_token = "elsewhere"
    appconfig.content = document("v2", type_document)
    clock.now = 60
    assert source.get().version == "v2"
    assert appconfig.sessions == 2


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b'{"version": "v2", "jobTypes": {}}', b"null"])
def test_a_broken_document_does_not_replace_a_good_one(source, appconfig, clock, content, capsys, caplog):
    source.get()
    appconfig.content = content
    clock.now = 60
    assert source.get().version == "v1"
    # No job fails of it: the alarm on OperatorErrors is what tells somebody.
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["OperatorErrors"] for line in lines if "OperatorErrors" in line] == [[1.0]]
    (told,) = caplog.records
    assert (told.levelname, told.errorCode, told.configVersion) == ("ERROR", "INVALID_CONFIGURATION", "v1")
    assert "The job type configuration" in told.problem


def test_an_outage_is_no_fault_of_an_operator(source, appconfig, clock, capsys):
    source.get()
    appconfig.error = EndpointConnectionError(endpoint_url="http://x")
    clock.now = 60
    source.get()
    assert "OperatorErrors" not in capsys.readouterr().out


def test_a_broken_type_is_logged_with_the_place_and_leaves_the_others(source, appconfig, clock, type_document, caplog):
    source.get()
    broken = type_document | {"inputSchema": {"patternProperties": {r"\p{L}": {}}}}
    types = {"greeting": type_document, "broken": broken}
    appconfig.content = json.dumps({"version": "v2", "jobTypes": types}).encode()
    clock.now = 60
    types = source.get()
    assert types.get("greeting").prepare({"name": "Ada"}).user == "Greet Ada."
    assert list(types.broken) == ["broken"]
    (told,) = caplog.records
    assert told.jobType == "broken"
    assert "inputSchema.patternProperties" in told.problem


def test_what_has_not_changed_is_not_compiled_again(source, clock):
    types = source.get()
    clock.now = 60
    assert source.get() is types


def test_without_any_value_the_jobs_must_wait(source, appconfig):
    appconfig.error = EndpointConnectionError(endpoint_url="http://x")
    with pytest.raises(JobError) as caught:
        source.get()
    assert (caught.value.code, caught.value.error_class) == ("DEPENDENCY_UNAVAILABLE", "throttled")


def test_a_missing_permission_is_an_operators_matter(source, appconfig):
    appconfig.error = ClientError({"Error": {"Code": "AccessDeniedException"}}, "StartConfigurationSession")
    with pytest.raises(JobError, match="AccessDeniedException") as caught:
        source.get()
    assert (caught.value.code, caught.value.error_class) == ("DEPENDENCY_REFUSED", "operator")


def test_nothing_deployed_yet_is_waited_out_too(source, appconfig):
    appconfig.content = b""
    with pytest.raises(JobError) as caught:
        source.get()
    assert caught.value.code == "DEPENDENCY_UNAVAILABLE"


def test_an_early_read_comes_at_once_and_with_a_session_of_its_own(source, appconfig, clock, type_document):
    source.get()
    appconfig.content = document("v2", type_document)
    assert source.get().version == "v1"
    assert source.reread().version == "v2"
    assert source.get().version == "v2"
    assert appconfig.sessions == 2, "AppConfig refuses one that asks again too early"


def test_a_hundred_threads_that_ask_at_once_cost_one_early_read(source, appconfig, clock, type_document):
    source.get()
    appconfig.content = document("v2", type_document)
    together = threading.Barrier(100, timeout=20)

    def ask(_):
        together.wait()
        return source.reread().version

    with ThreadPoolExecutor(100) as pool:
        assert set(pool.map(ask, range(100))) == {"v2"}
    assert (appconfig.sessions, appconfig.polls) == (2, 2)
    appconfig.content = document("v3", type_document)
    clock.now += retries.JOB_TYPES_REREAD_SECONDS - 0.1
    assert source.reread().version == "v2", "a stream of denials reads it every few seconds"
    clock.now += 0.1
    assert source.reread().version == "v3"


def test_an_early_read_counts_as_a_read(source, appconfig, clock):
    source.get()
    clock.now = 59
    source.reread()
    clock.now = 118
    source.get()
    assert appconfig.polls == 2


def test_an_appconfig_that_hangs_holds_up_nobody_twice(source, appconfig, clock, monkeypatch):
    source.get()
    tries = []

    def hang(**_):
        tries.append(clock.now)
        clock.now += 8
        raise EndpointConnectionError(endpoint_url="http://x")

    monkeypatch.setattr(appconfig, "start_configuration_session", hang)
    assert source.reread().version == "v1"
    assert source.reread().version == "v1"
    assert tries == [0]

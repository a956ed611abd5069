"""Where the job types come from: AWS AppConfig, with the last good configuration kept in case of a failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parameters import AppConfigProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from ai_jobs.aws.clients import get_appconfigdata_client
from ai_jobs.aws.errors import CALL_ERRORS, dependency_error
from ai_jobs.contract.errors import ErrorClass, JobError
from ai_jobs.service import metrics
from ai_jobs.service.job_types import JobTypes
from ai_jobs.service.retries import JOB_TYPES_REREAD_SECONDS

logger = Logger()


class JobTypeSource:
    """Reads the job types from AppConfig, at most once per `max_age_seconds`; safe to share between threads.

    Powertools' provider holds the AppConfig session, but it serves nothing if a call fails, and it does not recover
    from an expired session token (a token lasts 24 hours). This class works around both: it retries once with a new
    session, and then serves the last good configuration.
    """

    def __init__(
        self,
        application: str,
        environment: str,
        profile: str,
        max_age_seconds: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._application = application
        self._environment = environment
        self._profile = profile
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._provider: AppConfigProvider | None = None
        self._last_good: JobTypes | None = None
        self._content = b""
        self._fresh_until = float("-inf")
        self._reread_from = float("-inf")
        self._lock = threading.Lock()

    def get(self) -> JobTypes:
        """The current job types. Called once per batch, before its threads start.

        Raises:
            JobError: `DEPENDENCY_UNAVAILABLE` if AppConfig returns nothing and there is no earlier configuration;
                `INVALID_CONFIGURATION` if the first document can't be used.
        """
        with self._lock:
            if self._last_good is None or self._clock() >= self._fresh_until:
                self._last_good = self._read(self._last_good)
            return self._last_good

    def reread(self) -> JobTypes:
        """The job types as they are now, however young the known ones are: those may be what is wrong.

        Whoever asks while they are being read, or within `JOB_TYPES_REREAD_SECONDS` afterward, gets the result of
        that read: a model that denies a whole batch costs one read, and an AppConfig that hangs holds up each thread
        once.

        Raises:
            JobError: as `get` does.
        """
        with self._lock:
            if self._last_good is None or self._clock() >= self._reread_from:
                # AppConfig refuses a session that polls again too early. A new session may poll immediately.
                self._provider = None
                try:
                    self._last_good = self._read(self._last_good)
                finally:
                    self._reread_from = self._clock() + JOB_TYPES_REREAD_SECONDS
            return self._last_good

    def _read(self, last_good: JobTypes | None) -> JobTypes:
        job_types = self._read_or_keep(last_good)
        self._fresh_until = self._clock() + self._max_age_seconds
        return job_types

    def _read_or_keep(self, last_good: JobTypes | None) -> JobTypes:
        try:
            content = self._fetch()
            if last_good is not None and content == self._content:
                return last_good
            job_types = JobTypes.from_document(content)
        except JobError as error:
            if last_good is None:
                raise
            stays = {"errorCode": error.code, "problem": error.message, "configVersion": last_good.version}
            if error.error_class is ErrorClass.OPERATOR:
                # No job fails because of it, so nothing else would notify the operator.
                metrics.count_failure(error.error_class)
                logger.error("new job types can't be used, the last good ones stay", extra=stays)
            else:
                logger.warning("job types could not be refreshed, the last good ones stay", extra=stays)
            return last_good
        for name, problem in job_types.broken.items():
            logger.error("job type is misconfigured", extra={"jobType": name, "problem": problem.message})
        self._content = content
        return job_types

    def _fetch(self) -> bytes:
        if self._provider is not None:
            try:
                return self._fetch_once()
            except (GetParameterError, KeyError):
                self._provider = None
        try:
            return self._fetch_once()
        except (GetParameterError, KeyError) as error:
            # Powertools raises KeyError if AppConfig sends no content, because nothing is deployed yet.
            self._provider = None
            cause = error.__cause__ or error.__context__
            if isinstance(cause, CALL_ERRORS):
                raise dependency_error(cause, "AppConfig") from error
            raise JobError("DEPENDENCY_UNAVAILABLE", "AppConfig has no job types yet.") from error

    def _fetch_once(self) -> bytes:
        if self._provider is None:
            self._provider = AppConfigProvider(
                environment=self._environment,
                application=self._application,
                boto3_client=get_appconfigdata_client(),
            )
        content = self._provider.get(self._profile, force_fetch=True)
        return content if isinstance(content, bytes) else str(content).encode()

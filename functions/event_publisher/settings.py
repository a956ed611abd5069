"""The settings of the event publisher from environment variables, read and checked once, when the function starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ai_jobs.aws.settings import flag, required


@dataclass(frozen=True)
class EventPublisherSettings:
    """The settings of the event publisher.

    Attributes:
        failure_queue_url: the queue for events that EventBridge will never accept.
        include_result: whether events carry results and error messages.
    """

    event_bus_arn: str
    table_arn: str
    failure_queue_url: str
    include_result: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> EventPublisherSettings:
        """Read every variable. Raises ConfigurationError at the first that is missing or wrong."""
        return cls(
            event_bus_arn=required("AI_JOB_EVENT_BUS_ARN", environment),
            table_arn=required("AI_JOB_TABLE_ARN", environment),
            failure_queue_url=required("AI_JOB_FAILURE_QUEUE_URL", environment),
            include_result=flag("AI_JOB_EVENTS_INCLUDE_RESULT", environment),
        )

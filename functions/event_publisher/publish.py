"""One batch of the jobs table's stream.

Nothing is lost: an event that EventBridge does not accept now stays in the stream and is retried, in order. One that it
will never accept goes to the on-failure queue, so that it does not hold up the events after it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aws_lambda_powertools import Logger

from ai_jobs.aws.queues import send_message
from ai_jobs.contract import timestamps
from ai_jobs.contract.body import message_json
from ai_jobs.contract.errors import AWSError
from ai_jobs.service.dead_letters import ERROR_CODE, ERROR_MESSAGE, FAILED_AT
from ai_jobs.service.events import JobEvent, Sent, end_of_image, event_of, has_just_ended, in_calls, put, row_of_image
from ai_jobs.service.safe_logging import describe
from event_publisher.settings import EventPublisherSettings

logger = Logger()

_CHANGES = ("INSERT", "MODIFY")
_REASON_LIMIT = 256


class NothingPublishedError(Exception):
    """Not one event of the batch was published: Lambda then backs off and counts an error, which an alarm watches."""


def publish(records: Sequence[Mapping[str, Any]], settings: EventPublisherSettings) -> list[str]:
    """Publish an event for each job that ended in these records.

    Returns:
        The sequence number of the first record that must be retried; empty when all are done. Lambda retries that
        record and everything after it, so later events of the same call that were already published are sent twice.

    Raises:
        NothingPublishedError: when even the first event could not be published.
    """
    ended = [record for record in records if _has_ended(record)]
    events = [
        event_of(
            row_of_image(record["dynamodb"]["NewImage"]),
            settings.event_bus_arn,
            settings.table_arn,
            include_result=settings.include_result,
        )
        for record in ended
    ]
    settled = 0
    for call in in_calls(events):
        for event, sent in zip(call, put(call), strict=True):
            if not _is_settled(event, sent, settings):
                if not settled:
                    raise NothingPublishedError("EventBridge accepted none of the events. The log says why.")
                return [ended[settled]["dynamodb"]["SequenceNumber"]]
            settled += 1
    return []


def _has_ended(record: Mapping[str, Any]) -> bool:
    change = record["dynamodb"]
    before, after = (end_of_image(change[image]) if image in change else None for image in ("OldImage", "NewImage"))
    return record["eventName"] in _CHANGES and has_just_ended(before, after)


def _is_settled(event: JobEvent, sent: Sent, settings: EventPublisherSettings) -> bool:
    fields = {"jobId": event.job_id, "detailType": event.entry["DetailType"]}
    if sent.event_id:
        logger.info("event published", extra=fields | {"eventId": sent.event_id})
        return True
    fields |= {"errorCode": sent.code, "cause": sent.message}
    if not sent.malformed:
        logger.error("event not published, it will be retried", extra=fields)
        return False
    logger.error("event rejected for good, it goes to the on-failure queue", extra=fields)
    return _give_up(event, sent, settings)


def _give_up(event: JobEvent, sent: Sent, settings: EventPublisherSettings) -> bool:
    entry = event.entry | {"Time": timestamps.to_text(event.entry["Time"]), "Detail": json.loads(event.entry["Detail"])}
    reason = {
        "JobId": event.job_id,
        ERROR_CODE: sent.code,
        ERROR_MESSAGE: sent.message[:_REASON_LIMIT],
        FAILED_AT: timestamps.to_text(timestamps.now()),
    }
    try:
        try:
            send_message(settings.failure_queue_url, message_json(entry), reason)
        except ValueError:  # too large for a message once it is escaped; the row still has the result
            entry["Detail"] = {name: part for name, part in entry["Detail"].items() if name != "result"}
            entry["Detail"]["resultOmitted"] = True
            send_message(settings.failure_queue_url, message_json(entry), reason)
    except AWSError as error:
        logger.error("on-failure queue not reachable", extra={"jobId": event.job_id} | describe(error))
        return False
    return True

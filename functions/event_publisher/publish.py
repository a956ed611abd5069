"""One batch of the jobs table's stream.

Nothing is lost: what EventBridge does not take now stays in the stream and comes again, in order; what it will never
take goes to the on-failure queue, so that it does not hold up what comes after it.
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
from ai_jobs.service.events import JobEvent, Sent, event_of, has_just_ended, in_calls, put, row_of_image
from ai_jobs.service.safe_logging import describe
from ai_jobs.service.settings import EventPublisherSettings

logger = Logger()

_CHANGES = ("INSERT", "MODIFY")
_REASON_LIMIT = 256


class NothingPublishedError(Exception):
    """Not one event of the batch got through: Lambda then backs off, and counts an error that an alarm looks at."""


def publish(records: Sequence[Mapping[str, Any]], settings: EventPublisherSettings) -> list[str]:
    """Publish what ended in these records.

    Returns:
        The sequence number of the first record that must come again, and nothing when all is done. Lambda then goes on
        from that record, those after it included: events that got through in the same call are sent twice.

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
                    raise NothingPublishedError("EventBridge took none of the events; the log says why")
                return [ended[settled]["dynamodb"]["SequenceNumber"]]
            settled += 1
    return []


def _has_ended(record: Mapping[str, Any]) -> bool:
    change = record["dynamodb"]
    before, after = (row_of_image(change[image]) if image in change else None for image in ("OldImage", "NewImage"))
    return record["eventName"] in _CHANGES and has_just_ended(before, after)


def _is_settled(event: JobEvent, sent: Sent, settings: EventPublisherSettings) -> bool:
    fields = {"jobId": event.job_id, "detailType": event.entry["DetailType"]}
    if sent.event_id:
        logger.info("event published", extra=fields | {"eventId": sent.event_id})
        return True
    fields |= {"errorCode": sent.code, "cause": sent.message}
    if not sent.malformed:
        logger.error("event not published, it will be tried again", extra=fields)
        return False
    logger.error("event refused for good, it goes to the on-failure queue", extra=fields)
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
        except ValueError:  # escaped, it is too large for a message; the row still has the result
            entry["Detail"] = {name: part for name, part in entry["Detail"].items() if name != "result"}
            entry["Detail"]["resultOmitted"] = True
            send_message(settings.failure_queue_url, message_json(entry), reason)
    except AWSError as error:
        logger.error("on-failure queue not reached", extra={"jobId": event.job_id} | describe(error))
        return False
    return True

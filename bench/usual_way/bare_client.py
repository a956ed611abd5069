"""The floor: what a function needs at least that makes one call with boto3."""

from __future__ import annotations

from typing import Any

import boto3


def handler(event: dict[str, Any], _context: object) -> None:
    """Send one message."""
    boto3.client("sqs").send_message(QueueUrl=event["queue_url"], MessageBody="{}")

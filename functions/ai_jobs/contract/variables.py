"""The names of the environment variables that more than one module reads; a function's others are in its settings.

Terraform sets them for the functions (modules/ai-jobs/functions.tf). Whoever uses the library or the command sets those
that name queues, the table, and the bucket.
"""

from __future__ import annotations

REQUEST_QUEUE_URL = "AI_JOB_REQUEST_QUEUE_URL"
RESPONSE_QUEUE_URL = "AI_JOB_RESPONSE_QUEUE_URL"
REQUEST_DLQ_URL = "AI_JOB_REQUEST_DLQ_URL"
RESPONSE_DLQ_URL = "AI_JOB_RESPONSE_DLQ_URL"
TABLE_NAME = "AI_JOB_TABLE_NAME"
BUCKET = "AI_JOB_BUCKET"
BUILD = "AI_JOB_BUILD"
VISIBILITY_TIMEOUT_SECONDS = "AI_JOB_VISIBILITY_TIMEOUT_SECONDS"
MAX_RECEIVE_COUNT = "AI_JOB_MAX_RECEIVE_COUNT"
MAX_WAIT_SECONDS = "AI_JOB_MAX_WAIT_SECONDS"
MAX_CONCURRENT_WAITS = "AI_JOB_MAX_CONCURRENT_WAITS"
DAILY_TOKENS_PER_USER = "AI_JOB_DAILY_TOKENS_PER_USER"
DAILY_TOKENS_TOTAL = "AI_JOB_DAILY_TOKENS_TOTAL"

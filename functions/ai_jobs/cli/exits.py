"""How a command fails: one message that says what was wrong and the way out, and an exit code."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ai_jobs.contract.errors import JobError

FAILED = 1
"""Exit code: something failed, or was found wrong."""

TIMED_OUT = 3
"""Exit code: what was waited for did not come in time."""

INTERRUPTED = 130
"""Exit code: ended by Ctrl-C, as shells count it."""

_HINTS = {
    "ExpiredToken": "your credentials have expired: log in again (for instance: aws sso login)",
    "ExpiredTokenException": "your credentials have expired: log in again (for instance: aws sso login)",
    "RequestExpired": "your credentials have expired, or this machine's clock is wrong",
    "InvalidClientTokenId": "AWS does not know these credentials: check AWS_PROFILE or AWS_ACCESS_KEY_ID",
    "UnrecognizedClientException": "AWS does not know these credentials: check AWS_PROFILE or AWS_ACCESS_KEY_ID",
    "AccessDenied": "these credentials may not do this: the message names the permission",
    "AccessDeniedException": "these credentials may not do this: the message names the permission",
    "AWS.SimpleQueueService.NonExistentQueue": "there is no such queue in this account and region: "
    "check the environment, AWS_PROFILE and AWS_REGION",
    "QueueDoesNotExist": "there is no such queue in this account and region: "
    "check the environment, AWS_PROFILE and AWS_REGION",
    "ResourceNotFoundException": "there is no such thing in this account and region: "
    "check the environment, AWS_PROFILE and AWS_REGION",
    "NoCredentialsError": "there are no AWS credentials: set AWS_PROFILE, or log in (for instance: aws sso login)",
    "TokenRetrievalError": "your login has expired: aws sso login",
    "UnauthorizedSSOTokenError": "your login has expired: aws sso login",
    "NoRegionError": "no region is configured: set AWS_REGION, or name an environment with --env or --outputs",
    "EndpointConnectionError": "nothing answers there: check the network, AWS_REGION and AWS_ENDPOINT_URL",
    "ConnectTimeoutError": "nothing answers there: check the network, AWS_REGION and AWS_ENDPOINT_URL",
}


class Problem(click.ClickException):
    """Ends the command with this message and exit code 1."""

    exit_code = FAILED


@contextmanager
def explained() -> Iterator[None]:
    """Turn what the library and botocore raise into a Problem with the way out; a bug keeps its traceback."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        problem = explain(error)
        if problem is None:
            raise
        raise problem from error


def explain(error: Exception) -> Problem | None:
    """The Problem for what the library or botocore raised, with the way out where one is known; None for a bug."""
    # Imported here: the help needs neither boto3 nor its exceptions.
    from botocore.exceptions import BotoCoreError, ClientError

    from ai_jobs.contract.errors import AIJobsError, ConfigurationError, JobError

    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
    elif isinstance(error, BotoCoreError):
        code = type(error).__name__
    elif isinstance(error, ConfigurationError):
        return Problem(f"{error}, or name an environment with --env or --outputs")
    elif isinstance(error, JobError):
        code = _code_of_cause(error) or error.code
    elif isinstance(error, AIJobsError):
        code = error.code
    else:
        return None
    # AWS's own words name the permission or the resource; those of a JobError are for whoever submitted the job.
    words = error.__cause__ if isinstance(error.__cause__, ClientError) and isinstance(error, JobError) else error
    hint = _HINTS.get(code)
    return Problem(f"{words}\n{hint}" if hint else str(words))


def _code_of_cause(error: JobError) -> str | None:
    from botocore.exceptions import ClientError

    cause = error.__cause__
    if isinstance(cause, ClientError):
        return str(cause.response["Error"]["Code"])
    return type(cause).__name__ if cause else None

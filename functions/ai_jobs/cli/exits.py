"""How a command fails: one message that says what was wrong and what to do, and an exit code."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILED = 1
"""Exit code: something failed, or a check found a problem."""

TIMED_OUT = 3
"""Exit code: what the command waited for did not come in time."""

INTERRUPTED = 130
"""Exit code: ended by Ctrl-C, by the convention of shells."""

_EXPIRED = "your credentials have expired: log in again (for example: aws sso login)"
_UNKNOWN_KEY = "AWS does not know these credentials: check AWS_PROFILE or AWS_ACCESS_KEY_ID"
_NOT_ALLOWED = "these credentials do not allow this: the message names the permission"
_WHERE = "in this account and region: check the environment, AWS_PROFILE, and AWS_REGION"
_UNREACHABLE = "nothing responds there: check the network, AWS_REGION, and AWS_ENDPOINT_URL"

_HINTS = {
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "RequestExpired": "your credentials have expired, or this machine's clock is wrong",
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "UnrecognizedClientException": _UNKNOWN_KEY,
    "AccessDenied": _NOT_ALLOWED,
    "AccessDeniedException": _NOT_ALLOWED,
    "AWS.SimpleQueueService.NonExistentQueue": f"there is no such queue {_WHERE}",
    "QueueDoesNotExist": f"there is no such queue {_WHERE}",
    "ResourceNotFoundException": f"it does not exist {_WHERE}",
    "NoCredentialsError": "there are no AWS credentials: set AWS_PROFILE, or log in (for example: aws sso login)",
    "TokenRetrievalError": "your login has expired: aws sso login",
    "UnauthorizedSSOTokenError": "your login has expired: aws sso login",
    "NoRegionError": "no region is configured: set AWS_REGION, or specify an environment with --env or --outputs",
    "EndpointConnectionError": _UNREACHABLE,
    "ConnectTimeoutError": _UNREACHABLE,
}


class Problem(click.ClickException):
    """Ends the command with this message and exit code 1."""

    exit_code = FAILED


@contextmanager
def explained() -> Iterator[None]:
    """Turn what the library and AWS raise into a Problem that says what to do; a bug keeps its traceback."""
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
    """The Problem for what the library or AWS raised, with what to do if that is known; None for a bug."""
    # Imported here: the help needs neither boto3 nor its exceptions.
    from ai_jobs.aws.errors import CALL_ERRORS, code_of, was_refused
    from ai_jobs.contract.errors import AIJobsError, ConfigurationError, JobError
    from ai_jobs.local.failure import Failure

    words: BaseException = error
    cause = error.__cause__
    if isinstance(error, Failure):
        return Problem(str(error))
    if isinstance(error, ConfigurationError):
        return Problem(f"{error}, or specify an environment with --env or --outputs")
    if isinstance(error, CALL_ERRORS):
        code = code_of(error)
    elif isinstance(error, JobError) and cause:
        code = code_of(cause)
        # AWS's own words name the permission or the resource; a JobError's are for whoever submitted the job.
        words = cause if was_refused(cause) else error
    elif isinstance(error, AIJobsError):
        code = error.code
    else:
        return None
    hint = _HINTS.get(code)
    return Problem(f"{words}\n{hint}" if hint else str(words))

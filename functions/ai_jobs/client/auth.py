"""Who the caller is: a signature, a token, or whatever the caller's own function returns.

This is the only module outside `ai_jobs.aws` that uses botocore, for its signer and its search for credentials: the
client imports nothing but `ai_jobs.contract`. botocore is imported with the first signature, because a client with
another `auth` never needs it.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ai_jobs.client import forks
from ai_jobs.client.exceptions import AuthError, InvalidArgumentError
from ai_jobs.contract.errors import AIJobsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.credentials import Credentials

    from ai_jobs.client.wire import Auth, Request

# What http.client and aiohttp can send in a header.
_HEADER_VALUE = re.compile(r"[\t -~\x80-\xff]*")

# https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-call-api.html
_REGION_IN_HOST = re.compile(r"\.execute-api\.([a-z0-9-]+)\.(amazonaws\.com(\.cn)?|vpce\.amazonaws\.com)$")


def authorized_headers(auth: Auth, request: Request) -> dict[str, str]:
    """The request's headers with those of `auth`, for both clients.

    Raises:
        AuthError: if `auth` fails; or the `AIJobsError` that `auth` raised. Both name the job.
    """
    try:
        added = dict(auth(request))
    except AIJobsError as error:
        error.job_id = request.job_id
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        message = f"auth could not authorize {request.method} {request.shown_url}: {reason}"
        raise AuthError(message, "AUTH_FAILED", request.job_id) from error
    for name, value in added.items():
        check_header(name, value, request.job_id)
    return {**request.headers, **added}


def check_header(name: str, value: object, job_id: str | None = None) -> None:
    """Raise InvalidArgumentError for a value that no HTTP library sends. It is a secret, so it is not shown."""
    if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
        raise InvalidArgumentError(
            f"the value of the header {name} is not a single line of Latin-1 text: remove what does not belong there, "
            "such as the line break at the end of a file",
            job_id,
        )


class SigV4Auth:
    """Signs each request with AWS credentials (`AWS_IAM`, the API's default). botocore does the signing.

    Args:
        region: by default, the one in the API's host name, or the AWS configuration's (for a custom domain).
        credentials: by default, those that boto3 would find. They are read for each request, so temporary ones renew.
        service: the service that the signature is for.

    Raises:
        AuthError: if there are no credentials or no region to sign a request with.
    """

    def __init__(
        self, region: str | None = None, credentials: Credentials | None = None, service: str = "execute-api"
    ) -> None:
        self._region = region
        self._given_credentials = credentials
        self._service = service
        forks.start(self)

    def start_afresh(self) -> None:
        """Look up credentials and region again: in a child, a thread of the parent may have locked them to refresh."""
        self._credentials = self._given_credentials
        self._session: Any = None
        self._finding = threading.Lock()

    def __call__(self, request: Request) -> Mapping[str, str]:
        """The headers with the signature, which is valid for this request's URL, body, and headers."""
        from botocore.auth import SigV4Auth as Signer
        from botocore.awsrequest import AWSRequest

        credentials = self._found_credentials().get_frozen_credentials()
        headers = dict(request.headers)
        signed = AWSRequest(method=request.method, url=request.url, data=request.body, headers=headers)
        Signer(credentials, self._service, self._region_for(request)).add_auth(signed)
        return {name: value for name, value in signed.headers.items() if name not in headers}

    def _aws_session(self) -> Any:
        from botocore.session import Session

        self._session = self._session or Session()
        return self._session

    def _found_credentials(self) -> Credentials:
        # botocore's session is not thread-safe; the credentials that it finds are.
        with self._finding:
            self._credentials = self._credentials or self._aws_session().get_credentials()
        if self._credentials is None:
            raise AuthError(
                "there are no AWS credentials to sign with: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or pass SigV4Auth(credentials=...)",
                "NO_CREDENTIALS",
            )
        return self._credentials

    def _region_for(self, request: Request) -> str:
        host = urlsplit(request.url).hostname or ""
        named = _REGION_IN_HOST.search(host)
        with self._finding:
            # boto3 only reads AWS_DEFAULT_REGION; Lambda and many shells set the other one.
            region = self._region or (named[1] if named else _configured_region(self._aws_session()))
        if region is None:
            raise AuthError(
                f"the host {host} does not name the region to sign for: set AWS_REGION, or pass SigV4Auth(region=...)",
                "NO_REGION",
            )
        return region


def _configured_region(session: Any) -> str | None:
    region: str | None = session.get_config_variable("region") or os.environ.get("AWS_REGION")
    return region


class BearerAuth:
    """Sends a token (`COGNITO_USER_POOLS`, or a Lambda authorizer that reads `Authorization`).

    Args:
        token: the token; or a function that returns one, which is called before the first request, and once more after
            a 401.
    """

    def __init__(self, token: str | Callable[[], str]) -> None:
        self._source = token
        self._token: str | None = token if isinstance(token, str) else None
        forks.start(self)

    def start_afresh(self) -> None:
        """Create a new lock; the token is just as valid in a child."""
        self._asking = threading.Lock()

    def __call__(self, _request: Request) -> Mapping[str, str]:
        """The header with the token."""
        with self._asking:
            if self._token is None and not isinstance(self._source, str):
                self._token = self._source()
            return {"Authorization": f"Bearer {self._token}"}

    def renew(self) -> bool:
        """Forget the token; True if there is a function to ask for another one."""
        if isinstance(self._source, str):
            return False
        # Without the lock: its holder may be waiting for a token, and this is called on an event loop.
        self._token = None
        return True

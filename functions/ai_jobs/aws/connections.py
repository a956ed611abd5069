"""Connections that survive the silence of a long call, and that are retried while nothing was sent."""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from botocore.client import BaseClient

CONNECT_SECONDS = 3
"""How long after the first try a connection may be retried."""

_PAUSE_SECONDS = 0.5

# NAT gateways and load balancers drop a connection that is silent for 350 s, as it is while a model thinks. Linux sends
# its first keepalive probe after 7,200 s, and botocore's `tcp_keepalive` only enables that
# (https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html#nat-gateway-troubleshooting-timeout).
# By name, because not every operating system has all of these options.
_PROBES = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 30, "TCP_KEEPCNT": 5}
KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *((socket.IPPROTO_TCP, getattr(socket, name), value) for name, value in _PROBES.items() if hasattr(socket, name)),
]


class _Patient:
    """A connection that is kept alive, and that is retried as long as nothing was sent on it."""

    sock: Any

    def __init__(self, *args: Any, socket_options: Any = None, **kwargs: Any) -> None:
        kwargs["socket_options"] = [*(socket_options or ()), *KEEPALIVE]
        super().__init__(*args, **kwargs)

    def connect(self) -> None:
        retry_until = time.monotonic() + CONNECT_SECONDS
        while True:
            try:
                super().connect()  # type: ignore[misc]  # of the connection that this is mixed into
            except (OSError, HTTPError) as error:
                # Includes the handshake, whose timeout urllib3 reports as if the call itself had timed out.
                if isinstance(error, ssl.SSLCertVerificationError) or time.monotonic() >= retry_until:
                    raise
                if self.sock is not None:
                    self.sock.close()
                    self.sock = None
                time.sleep(_PAUSE_SECONDS)
            else:
                return


# The types of botocore's own classes contradict each other.
class _HTTPConnection(_Patient, AWSHTTPConnection):  # type: ignore[misc]  # botocore has no types here
    pass


class _HTTPSConnection(_Patient, AWSHTTPSConnection):  # type: ignore[misc]  # likewise
    pass


class _HTTPPool(AWSHTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(AWSHTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


def make_patient(client: BaseClient) -> None:
    """Make a client use such connections; botocore has no setting for either property.

    The client's HTTP session takes the pools of all its connections, including those through a proxy, from this table.
    """
    client._endpoint.http_session._pool_classes_by_scheme.update(http=_HTTPPool, https=_HTTPSPool)  # type: ignore[attr-defined]

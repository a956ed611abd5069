"""Connections that outlive the silence of a long call, and are made with patience."""

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
"""How long after its first try a connection may be tried again."""

_PAUSE_SECONDS = 0.5

# NAT gateways and load balancers forget a connection that is silent for 350 s, as one is while a model thinks. Linux
# sends its first sign of life after 7,200 s, and botocore's `tcp_keepalive` only turns that on
# (https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html#nat-gateway-troubleshooting-timeout).
# By name: not every system that the library runs on has each of them.
_SIGNS_OF_LIFE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 30, "TCP_KEEPCNT": 5}
KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in _SIGNS_OF_LIFE.items()
        if hasattr(socket, name)
    ),
]


class _Patient:
    """A connection that is kept alive, and that is tried again as long as nothing was sent on it."""

    sock: Any

    def __init__(self, *args: Any, socket_options: Any = None, **kwargs: Any) -> None:
        kwargs["socket_options"] = [*(socket_options or ()), *KEEPALIVE]
        super().__init__(*args, **kwargs)

    def connect(self) -> None:
        again_until = time.monotonic() + CONNECT_SECONDS
        while True:
            try:
                super().connect()  # type: ignore[misc]  # of the connection that this is mixed into
            except (OSError, HTTPError) as error:
                # With the handshake, which urllib3 reports as if the call itself had taken too long.
                if isinstance(error, ssl.SSLCertVerificationError) or time.monotonic() >= again_until:
                    raise
                if self.sock is not None:
                    self.sock.close()
                    self.sock = None
                time.sleep(_PAUSE_SECONDS)
            else:
                return


# botocore's own classes do not agree with each other in their types.
class _HTTPConnection(_Patient, AWSHTTPConnection):  # type: ignore[misc]  # botocore has no types here
    pass


class _HTTPSConnection(_Patient, AWSHTTPSConnection):  # type: ignore[misc]  # likewise
    pass


class _HTTPPool(AWSHTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(AWSHTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


def make_patient(client: BaseClient) -> None:
    """Let a client make its connections so; botocore has no setting for either.

    Its HTTP session takes the pools of all its connections, those through a proxy included, from this one table.
    """
    client._endpoint.http_session._pool_classes_by_scheme.update(http=_HTTPPool, https=_HTTPSPool)  # type: ignore[attr-defined]

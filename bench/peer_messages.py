"""The messages that a peer sends for its jobs, in the peers' own environment: `python -m bench.peer_messages MODULE`.

For each line on stdin, [[job id, prompt], ...], it prints a line with the arguments of each SendMessage, which is not
sent: that is done by the load client, the same way for everyone.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any
from unittest import mock

from botocore.client import BaseClient


def main() -> None:
    peer = importlib.import_module(sys.argv[1])
    call = vars(BaseClient)["_make_api_call"]
    sent: list[dict[str, Any]] = []

    def record(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        if operation != "SendMessage":
            return call(client, operation, arguments)
        sent.append(arguments)
        return {"MessageId": "", "MD5OfMessageBody": ""}

    with mock.patch.object(BaseClient, "_make_api_call", record):
        for line in sys.stdin:
            for job_id, prompt in json.loads(line):
                peer.submit(job_id, prompt)
            print(json.dumps(sent), flush=True)
            sent.clear()


if __name__ == "__main__":
    main()

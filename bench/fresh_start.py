"""Imports a handler and calls it once: what `bench.cold_start` runs in a fresh Python, as a script.

It has only what the plan on standard input puts on the path. It prints when it begins; whoever receives the first
request knows when that began.
"""

import importlib
import json
import sys
import time


class Context:
    """The context that Lambda passes to a handler."""

    function_name = "acme-ai-jobs-test"
    memory_limit_in_mb = 3008
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:acme-ai-jobs-test"
    aws_request_id = "6b05d9f8-46de-4acf-b954-38bbeff5aaae"

    def get_remaining_time_in_millis(self) -> int:
        """The time that is left, in milliseconds."""
        return 900_000


if __name__ == "__main__":
    plan = json.load(sys.stdin)
    sys.path[:0] = plan["path"]
    print(time.monotonic(), flush=True)
    importlib.import_module(plan["module"]).handler(plan["event"], Context())

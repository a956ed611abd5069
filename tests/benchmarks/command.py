"""How long `ai-jobs --help` takes, and a program that imports the client, from the shell's point of view.

make benchmark
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15

COMMANDS = (
    ("ai-jobs --help", [str(Path(sys.executable).with_name("ai-jobs")), "--help"], 0.3),
    ("from ai_jobs import JobsClient", [sys.executable, "-c", "from ai_jobs import JobsClient, SigV4Auth"], 0.25),
)


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    for name, command, wanted in COMMANDS:
        median = statistics.median(seconds(command) for _ in range(ROUNDS))
        print(f"{name}: median {median:.2f} s of {ROUNDS} (below {wanted} s wanted)")


if __name__ == "__main__":
    main()

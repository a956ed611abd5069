"""How long `ai-jobs --help` takes, from the shell's point of view.

make benchmark
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15


def main() -> None:
    command = [str(Path(sys.executable).with_name("ai-jobs")), "--help"]
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    print(f"ai-jobs --help: median {statistics.median(times):.2f} s of {ROUNDS} (below 0.3 s wanted)")


if __name__ == "__main__":
    main()

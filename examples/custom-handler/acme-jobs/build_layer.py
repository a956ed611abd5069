"""Builds the layer: build_layer.py TARGET (layer.zip beside this file if omitted).

The same files give the same bytes, so that a plan shows a new layer only if its code has changed. Python libraries that
the code needs go into layer/python too, before this runs:

    pip install --target layer/python --platform manylinux2014_aarch64 --python-version 3.13 --only-binary :all: NAME
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The earliest time that a zip can hold.
FIXED_TIME = (1980, 1, 1, 0, 0, 0)


def build(target: Path, source: Path = HERE / "layer") -> None:
    """Write the zip. Lambda unpacks it to /opt, and Python imports from /opt/python."""
    files = sorted(path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    with zipfile.ZipFile(target, "w") as archive:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(source).as_posix(), FIXED_TIME)
            entry.create_system = 3  # Unix, on any system
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "layer.zip")

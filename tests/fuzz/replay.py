"""Make the file of a case again, and load it outside of all limits:  python -m tests.fuzz.replay CASE FOLDER"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import refq
from tests.fuzz import seeds
from tests.fuzz.mutations import damaged


def main(case: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as work:
        whole = seeds.small(Path(work))
        if case.partition("#")[0] not in whole:
            shared = os.environ.get("REFQ_SHARED")
            whole |= seeds.large(Path(shared) if shared else None, Path(work))
    data, done = damaged(whole, case)
    name, _, number = case.partition("#")
    path = folder / f"{number}.{name.rpartition('.')[2]}"
    path.write_bytes(data)
    print(f"{path}: {done}")
    print(refq.load(path))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

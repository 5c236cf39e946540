"""The process that may die: loads cases one after another and writes a line for each.

    python -m tests.fuzz.child SEEDS WORK FIRST LAST

SEEDS holds the seed files, WORK gets the damaged ones. Case number n is the (n % seeds)-th seed's. Standard output is
`START case` before a case and `FAIL json` after one that broke the rule; `DONE` comes last.

The rule: `refq.load` gives a Graph or raises a RefqError of one line that starts with the file's name. A Graph can be
printed, its shapes inferred and its workload built, with a RefqError or HwsimError at worst. No case takes more than
five seconds of processor time, or memory out of proportion to its file.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import refq
from hwsim.errors import HwsimError
from hwsim.workload import from_graph
from refq.errors import RefqError
from refq.interpret import infer_shapes
from tests.fuzz.mutations import damaged

SECONDS = 5
MEMORY = 2 << 30
"""Address space beyond what the loaded libraries take."""
FLOOR, FACTOR = 256 << 20, 64
"""A case may hold FLOOR + FACTOR * (size of its file) bytes at its peak."""


class TooSlowError(BaseException):
    """The processor time of a case is used up; no `except Exception` stops it."""


def _stop(*_: Any) -> None:
    raise TooSlowError(f"more than {SECONDS} s of processor time")


def _status(key: str) -> int:
    """A size from /proc in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:")) << 10


def complaint(path: Path) -> str | None:
    """What is wrong with the way `path` is read, None if nothing."""
    try:
        graph = refq.load(path)
    except RefqError as error:
        return _bad_text(str(error), path) or _hides(error)
    for use in (str, infer_shapes, from_graph):
        try:
            use(graph)
        except (RefqError, HwsimError) as error:
            if _hides(error):
                return f"{use.__name__}: {_hides(error)}"
    return None


def _bad_text(text: str, path: Path) -> str | None:
    if not text.startswith(f"{path}: "):
        return f"the error does not begin with the file: {text[:300]!r}"
    if not text.isprintable():
        return f"the error is not one printable line: {text[:300]!r}"
    return f"the error has {len(text)} characters" if len(text) > 4000 else None


def _hides(error: BaseException | None) -> str | None:
    while error is not None:
        if isinstance(error, MemoryError):
            return f"memory ran out: {error}"
        error = error.__cause__ or error.__context__
    return None


def checked(path: Path) -> str | None:
    """`complaint` within the limits."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to what is in use now
    before = _status("VmRSS")
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        found = complaint(path)
    except (Exception, TooSlowError):
        found = traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    grown = _status("VmHWM") - before
    if found is None and grown > FLOOR + FACTOR * path.stat().st_size:
        return f"took {grown >> 20} MiB for a file of {path.stat().st_size} bytes"
    return found


def cases(names: list[str], first: int, last: int) -> Iterator[str]:
    """The names of the cases of a range."""
    for number in range(first, last):
        yield f"{names[number % len(names)]}#{number}"


def main(seed_folder: Path, work: Path, first: int, last: int) -> None:
    seeds = {path.name: path.read_bytes() for path in sorted(seed_folder.iterdir())}
    warnings.simplefilter("error")
    for name in seeds:  # whole files load; this also imports every reader before the limits are set
        refq.load(seed_folder / name)
    signal.signal(signal.SIGPROF, _stop)
    resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + MEMORY, -1))
    for case in cases(sorted(seeds), first, last):
        print("START", case, flush=True)
        faulthandler.dump_traceback_later(12 * SECONDS, exit=True)  # C code that does not return heeds no signal
        data, done = damaged(seeds, case)
        name, _, number = case.partition("#")
        path = work / f"{number}.{name.rpartition('.')[2]}"
        path.write_bytes(data)
        found = checked(path)
        if found is not None:
            print("FAIL", json.dumps({"case": case, "done": done, "found": found}), flush=True)
        path.unlink()
    faulthandler.cancel_dump_traceback_later()
    print("DONE")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))

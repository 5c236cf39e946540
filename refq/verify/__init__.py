"""Checking hardware against the integer path: vectors, expected transactions, scoreboard, coverage.

golden = Golden(q, "litert"); golden.step(layer, x, order)        what hardware gives, in its order
Scoreboard(expected).observe(value) ... .finish()                 live, in a bench
export_vectors(q, x, folder); verify_dumps(folder, dumps)         through files
coverage(records), vector_coverage(folder)                        which corners the vectors reach
"""

from refq.verify.corners import CornerCase, corner_cases
from refq.verify.coverage import Coverage, coverage
from refq.verify.diagnosis import Diagnosis, Evidence
from refq.verify.export import export_corners, export_vectors, random_codes
from refq.verify.golden import Golden
from refq.verify.layout import Layout
from refq.verify.offline import Verdict, vector_coverage, verify_dumps
from refq.verify.records import LayerRecord, Tensor, Transaction
from refq.verify.scoreboard import Mismatch, MismatchError, Result, Scoreboard
from refq.verify.streams import ArrayOrder
from refq.verify.words import WordFormat, hex_text, parse_hex, read_hex

__all__ = [
    "ArrayOrder",
    "CornerCase",
    "Coverage",
    "Diagnosis",
    "Evidence",
    "Golden",
    "LayerRecord",
    "Layout",
    "Mismatch",
    "MismatchError",
    "Result",
    "Scoreboard",
    "Tensor",
    "Transaction",
    "Verdict",
    "WordFormat",
    "corner_cases",
    "coverage",
    "export_corners",
    "export_vectors",
    "hex_text",
    "parse_hex",
    "random_codes",
    "read_hex",
    "vector_coverage",
    "verify_dumps",
]

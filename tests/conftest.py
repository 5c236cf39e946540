"""Fixtures and profiles shared by all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of foreign truth: $REFQ_SHARED, or ../shared beside the checkout; skips where it is absent."""
    path = Path(os.environ.get("REFQ_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not path.is_dir():
        pytest.skip(f"no shared data at {path}; set REFQ_SHARED")
    return path

"""Fixtures and profiles shared by all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from refq.testing import register_profiles

register_profiles()
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of foreign truth: $REFQ_SHARED, or ../shared beside the checkout; skips where it is absent."""
    path = Path(os.environ.get("REFQ_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not path.is_dir():
        pytest.skip(f"no shared data at {path}; set REFQ_SHARED")
    return path

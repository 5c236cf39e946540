"""Hypothesis profiles: how many examples, and whether a run repeats."""

from __future__ import annotations

from hypothesis import settings


def register_profiles() -> None:
    """Register ci (derandomized, no deadline), dev and nightly; choose one with `settings.load_profile`."""
    settings.register_profile("ci", derandomize=True, deadline=None, max_examples=60)
    settings.register_profile("dev", deadline=None, max_examples=100)
    settings.register_profile("nightly", deadline=None, max_examples=5000)

"""Tests against other software, run live."""

"""Checking hardware against the integer path: vectors, expected transactions, scoreboard, coverage."""

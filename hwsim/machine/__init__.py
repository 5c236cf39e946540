"""Systolic arrays stepped clock by clock on real integers, and the closed forms they must agree with."""

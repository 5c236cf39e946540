"""Devices as data: specification files, their catalog, technology nodes."""

from hwsim.arch.catalog import archs, load_arch, sources
from hwsim.arch.spec import Arch, Quantity

__all__ = ["Arch", "Quantity", "archs", "load_arch", "sources"]

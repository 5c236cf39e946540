"""What execution costs: bytes by memory level, energy, area, and what bounds a layer."""

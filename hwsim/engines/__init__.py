"""How a kind of hardware executes a loop nest: one module a kind, found by its name."""

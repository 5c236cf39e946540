"""Execution plans: the integer path of one graph prepared once, as a list of kernel calls on fixed buffers.

    graph + arithmetic --lower--> steps --bind to a batch size--> calls on buffers --> run, trace

A node whose shape, grids and rule a kernel covers is lowered to that kernel; any other runs `Layer.integer`, which the
kernels equal bit for bit. Nothing here decides what an integer is.
"""

from refq.plan.plan import Plan, compile

__all__ = ["Plan", "compile"]

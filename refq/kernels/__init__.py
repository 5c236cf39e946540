"""The only Numba code of refq: one family of kernels a file, imported by their callers when they are first needed."""

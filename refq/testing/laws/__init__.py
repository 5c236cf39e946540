"""The invariants of quantized arithmetic, one family a file; importing this package registers them all.

Numbers are those of the list: Q quantize, D dequantize, S scale, z zero point, codes [lo, hi]

     1  lo <= Q(x) <= hi; infinities saturate; NaN as declared      14  requantize equals big integers
     2  Q(D(q)) == q                                                15  multipliers in [2**30, 2**31), error <= 2**-31
     3  FQ(FQ(x)) == FQ(x)                                          16  outputs saturate; registers do as declared
     4  monotone, quantizers and requantizers                       17  a bound on K keeps a register from overflow
     5  |x - D(Q(x))| <= S / 2                                      18  products are linear; zero points expand
     6  D(Q(0)) == 0                                                19  any tile order, the same sum
     7  Q(-x) == -Q(x), except half up on ties                      20  pack and unpack
     8  Q(c x; c S) == Q(x; S)                                      21  2 popcount(xnor) - n == dot of signs
     9  z + d shifts codes by d                                     22  8-bit products from nibbles
    10  tie tables of the rounding modes                            23  stochastic rounding is unbiased and seeded
    11  Q(x + S) == Q(x) + 1                                        24  tables equal direct evaluation
    12  parts equal quantizers of their own                         25  observers cover, and merge
    13  shape, memory order and chunks do not matter
"""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

"""Products with weights that are codes into codebooks: tables once a row of x, then additions only.

    table[t, c] = x[t * width : (t + 1) * width] . codebook[t, c],    y[n] = sum_t table[t, code[t, n]]

16 rows of x lie on the lanes of a vector, so that one addition serves 16 * width multiply-accumulates and nothing is
gathered; 8 centroids, then 8 columns, are held in registers at a time. Integers add up in int32, modulo 2**32; reals in
float32, one dimension and one table after the other.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from refq.kernels.compiled import compiled

LANES, HELD = 16, 8

_I16, _I32, _I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)


def _i64(value: int) -> Any:
    return ir.Constant(_I64, value)


def _load(builder: Any, address: Any, kind: Any, align: int) -> Any:
    loaded = builder.load(builder.inttoptr(address, kind.as_pointer()))
    loaded.align = align
    return loaded


def _table_block(context, real, x, width, book, book_row, table):
    """table[0:8][16] = sum_d book[d][0:8] * x[d][16], by address; rows of book lie `book_row` bytes apart.

    real : constant; float32, else int32
    """

    def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
        _, x, width, book, book_row, table = arguments
        element = ir.FloatType() if real.literal_value else _I32
        vector = ir.VectorType(element, LANES)
        undefined, first = ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES)
        totals = [cgutils.alloca_once_value(builder, ir.Constant(vector, [0] * LANES)) for _ in range(HELD)]
        for total in totals:
            builder.store(ir.Constant(vector, [0] * LANES), total)
        with cgutils.for_range(builder, width) as loop:
            values = _load(builder, builder.add(x, builder.mul(loop.index, _i64(4 * LANES))), vector, 4)
            weights = builder.add(book, builder.mul(loop.index, book_row))
            for c, total in enumerate(totals):
                scalar = _load(builder, builder.add(weights, _i64(4 * c)), element, 4)
                lane = builder.insert_element(undefined, scalar, ir.Constant(_I32, 0))
                weight = builder.shuffle_vector(lane, undefined, first)
                product = (builder.fmul if real.literal_value else builder.mul)(weight, values)
                add = builder.fadd if real.literal_value else builder.add
                builder.store(add(builder.load(total), product), total)
        for c, total in enumerate(totals):
            place = builder.inttoptr(builder.add(table, _i64(4 * LANES * c)), vector.as_pointer())
            builder.store(builder.load(total), place).align = 4
        return target.get_dummy_value()

    return types.void(real, *[types.intp] * 5), emit


def _sum_block(context, real, count, tables, table_size, codes, codes_row, columns, y):
    """y[0:columns][16] += sum_t tables[t][codes[t][0:columns]][16], by address; strides in bytes, codes uint16.

    real, count : constants; float32, else int32; whether `columns` is 8 or 1
    """

    def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
        _, _, tables, table_size, codes, codes_row, total_tables, y = arguments
        vector = ir.VectorType(ir.FloatType() if real.literal_value else _I32, LANES)
        places = [builder.add(y, _i64(4 * LANES * n)) for n in range(count.literal_value)]
        totals = [cgutils.alloca_once(builder, vector) for _ in places]
        for place, total in zip(places, totals, strict=True):
            builder.store(_load(builder, place, vector, 4), total)
        with cgutils.for_range(builder, total_tables) as loop:
            table = builder.add(tables, builder.mul(loop.index, table_size))
            row = builder.add(codes, builder.mul(loop.index, codes_row))
            for n, total in enumerate(totals):
                code = builder.zext(_load(builder, builder.add(row, _i64(2 * n)), _I16, 2), _I64)
                entry = _load(builder, builder.add(table, builder.mul(code, _i64(4 * LANES))), vector, 4)
                add = builder.fadd if real.literal_value else builder.add
                builder.store(add(builder.load(total), entry), total)
        for place, total in zip(places, totals, strict=True):
            builder.store(builder.load(total), builder.inttoptr(place, vector.as_pointer())).align = 4
        return target.get_dummy_value()

    return types.void(real, count, *[types.intp] * 6), emit


table_block: Any = intrinsic(prefer_literal=True)(_table_block)
sum_block: Any = intrinsic(prefer_literal=True)(_sum_block)


# By address: x (subspaces * width, 16), books (subspaces or 1, stages, width, centroids), tables (step, centroids, 16)
# to write to, y (columns, 16) to add to, all float32 or all int32; codes (count, columns) uint16; centroids divisible
# by 8.
@compiled
def add_lanes(real, x, width, books, shared, stages, centroids, tables, step, count, codes, columns, y):
    size = centroids * 64
    for first in range(0, count, step):
        some, row = min(step, count - first), codes + first * columns * 2
        for i in range(some):
            subspace, stage = (first + i) // stages, (first + i) % stages
            book = books + ((0 if shared else subspace) * stages + stage) * width * centroids * 4
            for c in range(0, centroids, 8):
                values, table = x + subspace * width * 64, tables + i * size + c * 64
                if real:
                    table_block(True, values, width, book + c * 4, centroids * 4, table)
                else:
                    table_block(False, values, width, book + c * 4, centroids * 4, table)
        for n in range(0, columns // 8 * 8, 8):
            if real:
                sum_block(True, 8, tables, size, row + n * 2, columns * 2, some, y + n * 64)
            else:
                sum_block(False, 8, tables, size, row + n * 2, columns * 2, some, y + n * 64)
        for n in range(columns // 8 * 8, columns):
            if real:
                sum_block(True, 1, tables, size, row + n * 2, columns * 2, some, y + n * 64)
            else:
                sum_block(False, 1, tables, size, row + n * 2, columns * 2, some, y + n * 64)


# x (subspaces * width), books (subspaces or 1, stages, width, centroids), table (centroids) to write to,
# codes (subspaces * stages, columns) uint16, y (columns) to add to: one row of x, and any processor.
@compiled
def add_row(x, books, table, codes, y):
    shared, stages, width = books.shape[0] == 1, books.shape[1], books.shape[2]
    for t in range(codes.shape[0]):
        subspace, stage = t // stages, t % stages
        book = books[0 if shared else subspace, stage]
        table[:] = 0
        for d in range(width):
            value = x[subspace * width + d]
            for c in range(table.shape[0]):
                table[c] += value * book[d, c]
        for n in range(codes.shape[1]):
            y[n] += table[codes[t, n]]

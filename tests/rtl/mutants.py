"""Faults to seed into the reference RTL, one at a time: what is replaced by what, and the causes a diagnosis may name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One fault.

    causes : classes of `refq.verify.faults.CAUSES` that name it rightly
    equivalent : why no vector can tell it from the original, where none can
    """

    name: str
    file: str
    old: str
    new: str
    causes: tuple[str, ...]
    equivalent: str = ""


def _requantize(name: str, old: str, new: str, *causes: str, equivalent: str = "") -> Mutant:
    return Mutant(name=name, file="requantize.v", old=old, new=new, causes=causes, equivalent=equivalent)


def _accelerator(name: str, old: str, new: str, *causes: str) -> Mutant:
    return Mutant(name=name, file="conv_accelerator.v", old=old, new=new, causes=causes)


def _array(name: str, old: str, new: str, *causes: str, equivalent: str = "") -> Mutant:
    return Mutant(name=name, file="systolic_os.v", old=old, new=new, causes=causes, equivalent=equivalent)


_HALF = "places == 8'd0 ? 66'sd0 : one <<< (places - 8'd1)"
_PLACED = "rounded + zero_point"
_CLAMP = "placed < low ? low[OUT_BITS-1:0] : placed > high ? high[OUT_BITS-1:0] : placed[OUT_BITS-1:0]"
_ROUNDED = "(value3 >>> right) + (rest > threshold ? one : 66'sd0)"

MUTANTS: tuple[Mutant, ...] = (
    _requantize("first rounding constant doubled", _HALF, "one <<< places", "rounding"),
    _requantize("first rounding constant left out", _HALF, "66'sd0", "rounding"),
    _requantize("first rounding constant one short", _HALF, "(one <<< (places - 8'd1)) - one", "rounding"),
    _requantize("first rounding constant halved", _HALF, "one <<< (places - 8'd2)", "rounding"),
    _requantize("first rounding half away", ": MODE == 3 ? even : up", ": (product2 < 0 ? -away : away)", "rounding"),
    _requantize("first rounding half to even", ": MODE == 3 ? even : up", ": even", "rounding"),
    _requantize("second rounding half up", _ROUNDED, "(value3 + (right == 0 ? 66'sd0 : one <<< (right - 8'd1))) >>> right", "rounding"),
    _requantize("second rounding left out", _ROUNDED, "value3 >>> right", "rounding"),
    _requantize("second threshold not raised for negatives", "(mask >>> 1) + (value3 < 0 ? one : 66'sd0)", "mask >>> 1", "rounding"),
    _requantize("second threshold raised for positives", "value3 < 0 ? one", "value3 >= 0 ? one", "rounding"),
    _requantize("second rounding compares with >=", "rest > threshold", "rest >= threshold", "rounding"),
    _requantize("single rounding instead of double", "MODE == 0 ? 8'd31 :", "MODE == 0 ? 8'sd31 - shift2 :", "rounding", "shift"),
    _requantize("clamp compares unsigned", "placed < low ?", "$unsigned(placed) < $unsigned({{57{low[8]}}, low}) ?", "clamp"),
    _requantize("upper limit compares unsigned", "placed > high ?", "$unsigned(placed) > $unsigned({{57{high[8]}}, high}) ?", "clamp"),
    _requantize("limits in one unsigned concatenation", "placed < low ?", "placed < {{57{low[8]}}, low} ?", "clamp"),
    _requantize("no clamp", _CLAMP, "placed[OUT_BITS-1:0]", "clamp"),
    _requantize("no lower clamp", "placed < low ? low[OUT_BITS-1:0] : ", "", "clamp"),
    _requantize("no upper clamp", "placed > high ? high[OUT_BITS-1:0] : ", "", "clamp"),
    _requantize("upper limit off by one", "placed > high ?", "placed > high + 1 ?", "clamp"),
    _requantize("limits of the code for those of the activation", "placed < low ? low[OUT_BITS-1:0]", "placed < -128 ? 8'h80", "clamp"),
    _requantize("zero point left out", _PLACED, "rounded", "zero point"),
    _requantize("zero point added twice", _PLACED, "rounded + zero_point + zero_point", "zero point"),
    _requantize("zero point subtracted", _PLACED, "rounded - zero_point", "zero point"),
    _requantize("zero point without its sign", _PLACED, "rounded + $signed({58'd0, zero_point[7:0]})", "zero point", "sign extension"),
    _requantize("left shift left out", "wide << (shift > 0 ? shift : 8'sd0)", "wide", "shift"),
    _requantize("left shift one too far", "wide << (shift > 0 ? shift : 8'sd0)", "wide << (shift > 0 ? shift + 8'sd1 : 8'sd0)", "shift"),
    _requantize("right shift one too far", "shift3 < 0 ? -shift3 : 8'd0", "shift3 < 0 ? -shift3 + 8'sd1 : 8'd0", "shift"),
    _requantize("right shift left out", "MODE == 0 && shift3 < 0 ? -shift3 : 8'd0", "8'd0", "shift"),
    _requantize("right shift one place with none asked", "MODE == 0 && shift3 < 0 ? -shift3 : 8'd0", "MODE == 0 && shift3 <= 0 ? 8'sd1 - shift3 : 8'd0", "shift"),
    _requantize("second shift fills in zeros", "(value3 >>> right) +", "({34'd0, value3[31:0]} >> right) +", "sign extension"),
    _requantize("accumulator without its sign", "{{32{acc[31]}}, acc}", "{32'd0, acc}", "sign extension"),
    _requantize("multiplier read as signed 31 bits", "{1'b0, multiplier1}", "{2'b00, multiplier1[30:1], 1'b0}", "multiplier"),
    _requantize("one stage late", "shift1 <= shift;", "shift1 <= shift2;", "shift", "timing", "multiplier"),
    _requantize(
        "left shift does not wrap", "{{32{raised[31]}}, raised[31:0]}", "raised", "shift", "accumulator width", "clamp"
    ),
    _array("accumulator of 24 bits", "sum <= sum + a_now * b_now", "sum <= $signed(sum[23:0] + a_now * b_now) <<< 8 >>> 8", "accumulator width"),
    _array("accumulator of 16 bits", "sum <= sum + a_now * b_now", "sum <= $signed(sum + a_now * b_now) <<< 16 >>> 16", "accumulator width"),
    _array("sums never cleared", "if (out_valid) sum <= sum_wire[r*COLS+c];", "if (out_valid && r > 0) sum <= sum_wire[r*COLS+c];", "stale accumulator", "order of results", "timing"),
    _array("operand a without its sign", "wire signed [A_BITS-1:0] a_now =", "wire [A_BITS-1:0] a_now =", "sign extension"),
    _array("operand b without its sign", "wire signed [B_BITS-1:0] b_now =", "wire [B_BITS-1:0] b_now =", "sign extension"),
    _array("last term dropped", "count < k_size", "count + 1'b1 < k_size", "dropped terms"),
    _array("rows drained top first in name", "(ROWS - 1) - (count - drain_at)", "count - drain_at", "order of results", "timing", "missing results", "unknown value"),
    _array("weights of the wrong tile", "last_n ? {ADDR_BITS{1'b0}} : b_base +", "last_n ? b_base : b_base +", "operand order", "unknown value"),
    _array("last column tile dropped", "tile_n + 1'b1 == n_tiles", "tile_n + 2'd2 >= n_tiles", "missing results", "unknown value"),
    _accelerator("input zero point left out", "code - x_zero", "code", "zero point"),
    _accelerator("input zero point added", "code - x_zero", "code + x_zero", "zero point"),
    _accelerator("padding with code 0", ": 9'sd0;", ": -x_zero;", "padding"),
    _accelerator("one bit of x - x_zero lost", "inside ? code - x_zero : 9'sd0", "inside ? ((code - x_zero) <<< 1) >>> 1 : 9'sd0", "sign extension"),
    _accelerator("left pad left out", "- $signed({2'b00, pad_left})", "", "operand order", "padding"),
    _accelerator("stride ignored", "$signed({2'b00, oy[r]}) * $signed({2'b00, stride})", "$signed({2'b00, oy[r]})", "operand order", "unknown value"),
    _accelerator("kernel column counts one too far", "fx + 16'd1 == kernel_width", "fx == kernel_width", "operand order", "unknown value"),
    _accelerator("bias left out", "acc_data[n*32 +: 32] + biases[n*32 +: 32]", "acc_data[n*32 +: 32]", "bias"),
    _accelerator("bias added twice", "acc_data[n*32 +: 32] + biases[n*32 +: 32]", "acc_data[n*32 +: 32] + biases[n*32 +: 32] + biases[n*32 +: 32]", "bias"),
    _accelerator("bias of 16 bits", "+ biases[n*32 +: 32]", "+ {{16{biases[n*32 + 15]}}, biases[n*32 +: 16]}", "bias"),
    _accelerator("bias of channel 0", "+ biases[n*32 +: 32]", "+ biases[31:0]", "bias"),
    _accelerator("multiplier of channel 0", "multipliers[n*32 +: 32]", "multipliers[31:0]", "multiplier"),
    _accelerator("shift of channel 0", "shifts[n*8 +: 8]", "shifts[7:0]", "shift"),
    _accelerator("factors of the first tile", "multiplier_mem[tile_n]", "multiplier_mem[0]", "multiplier"),
    _accelerator("lanes swapped", ".y(out_data[n*8 +: 8])", ".y(out_data[(COLS-1-n)*8 +: 8])", "order of results"),
    _accelerator("tag one clock short", "tags[3][31:0]", "tags[2][31:0]", "timing", "order of results", "unknown value", "missing results"),
)

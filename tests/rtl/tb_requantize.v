// Bench of the requantizer: a word of stimulus is shift, multiplier, accumulator; COUNT + 4 clocks.
`timescale 1ns / 1ps
module tb_requantize;
    parameter MODE = 0;
    parameter COUNT = 1;
    parameter ZERO = 0;
    parameter LOW = -128;
    parameter HIGH = 127;
    localparam WIDTH = 72;
    localparam OUT_BITS = 8;
    localparam OUTPUTS = COUNT;
    `include "stream_bench.vh"

    requantize #(.MODE(MODE), .OUT_BITS(OUT_BITS)) dut (
        .clk(clk), .rst_n(rst_n), .in_valid(feeding), .acc(now[31:0]), .multiplier(now[63:32]), .shift(now[71:64]),
        .high(HIGH[8:0]), .low(LOW[8:0]), .zero_point(ZERO[8:0]), .out_valid(valid), .y(value));
endmodule

// Bench of the xnor-popcount unit: a word of stimulus is first and last (a digit each), lanes, a, b; COUNT + 2 clocks.
`timescale 1ns / 1ps
module tb_xnor_popcount;
    parameter WORD = 64;
    parameter COUNT = 1;
    parameter OUTPUTS = 1;
    localparam WIDTH = 2 * WORD + 24;
    localparam OUT_BITS = 16;
    `include "stream_bench.vh"

    xnor_popcount #(.WORD(WORD), .ACC_BITS(OUT_BITS)) dut (
        .clk(clk), .rst_n(rst_n), .in_valid(feeding), .b(now[WORD-1:0]), .a(now[2*WORD-1:WORD]),
        .lanes(now[2*WORD+15:2*WORD]), .last(now[2*WORD+16]), .first(now[2*WORD+20]), .out_valid(valid), .sum(value));
endmodule

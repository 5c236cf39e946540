// Bench of the multiply-accumulate unit: a word of stimulus is clear, int4 (a digit each), a, b; the register after
// every step is expected; COUNT + 2 clocks.
`timescale 1ns / 1ps
module tb_mac;
    parameter ACC_BITS = 32;
    parameter SATURATE = 0;
    parameter COUNT = 1;
    localparam WIDTH = 24;
    localparam OUT_BITS = ACC_BITS;
    localparam OUTPUTS = COUNT;
    `include "stream_bench.vh"

    mac #(.ACC_BITS(ACC_BITS), .SATURATE(SATURATE)) dut (
        .clk(clk), .rst_n(rst_n), .in_valid(feeding), .clear(now[20]), .int4(now[16]), .a(now[15:8]), .b(now[7:0]),
        .out_valid(valid), .sum(value));
endmodule

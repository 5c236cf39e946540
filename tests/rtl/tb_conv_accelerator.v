// Bench of the convolution accelerator on the exported vectors of one layer: run it inside the layer's folder.
//
// Reads parameters.vh, x.hex, b_stream.hex, bias_row.hex, multiplier_row.hex, shift_row.hex; checks every raw sum
// against sums.hex and every code against y.hex; writes the codes it got to dut_y.hex ($writememh).
// Clocks as in tb_systolic: those of the array, and four of the requantizer.
`timescale 1ns / 1ps
module tb_conv_accelerator;
    parameter ROWS = 8;
    parameter COLS = 8;
    `include "parameters.vh"

    localparam PIXELS = OUT_HEIGHT * OUT_WIDTH;
    localparam K = KERNEL_HEIGHT * KERNEL_WIDTH * IN_CHANNELS;
    localparam M_TILES = (PIXELS + ROWS - 1) / ROWS;
    localparam N_TILES = (OUT_CHANNELS + COLS - 1) / COLS;
    localparam X_DEPTH = IN_HEIGHT * IN_WIDTH * IN_CHANNELS;
    localparam CODES = PIXELS * OUT_CHANNELS;
    localparam EVENTS = M_TILES * N_TILES * ROWS;
    localparam LIMIT = M_TILES * N_TILES * (K + 2 * ROWS + COLS) + 1000;

    reg clk = 1'b0;
    reg rst_n = 1'b0;
    always #5 clk = !clk;

    wire out_valid;
    wire out_inside;
    wire [31:0] out_pixel;
    wire [15:0] out_channel;
    wire [COLS*8-1:0] out_data;
    wire acc_valid;
    wire [COLS*32-1:0] acc_data;
    conv_accelerator #(
        .ROWS(ROWS), .COLS(COLS), .MODE(ROUNDING), .X_DEPTH(X_DEPTH), .W_DEPTH(N_TILES * K), .N_DEPTH(N_TILES)
    ) dut (
        .clk(clk), .rst_n(rst_n), .start(1'b1), .load_select(2'd0), .load_valid(1'b0), .load_addr(24'd0),
        .load_data({(COLS*32){1'b0}}), .height(IN_HEIGHT[15:0]), .width(IN_WIDTH[15:0]), .channels(IN_CHANNELS[15:0]),
        .out_height(OUT_HEIGHT[15:0]), .out_width(OUT_WIDTH[15:0]), .kernel_height(KERNEL_HEIGHT[15:0]),
        .kernel_width(KERNEL_WIDTH[15:0]), .stride(STRIDE_HEIGHT[15:0]), .pad_top(PAD_TOP[15:0]),
        .pad_left(PAD_LEFT[15:0]), .k_size(K[15:0]), .m_tiles(M_TILES[15:0]), .n_tiles(N_TILES[15:0]),
        .x_zero(X_ZERO[8:0]), .y_zero(Y_ZERO[8:0]), .low(Y_LOW[8:0]), .high(Y_HIGH[8:0]), .out_valid(out_valid),
        .out_inside(out_inside), .out_pixel(out_pixel), .out_channel(out_channel), .out_data(out_data),
        .acc_valid(acc_valid), .acc_data(acc_data));

    reg [COLS*32-1:0] sums [0:EVENTS-1];
    reg [7:0] expected [0:CODES-1];
    reg [7:0] y [0:CODES-1];
    integer clocks = 0;
    integer last_clock = 0;
    integer events = 0;
    integer wrong_sums = 0;
    integer wrong_codes = 0;
    integer seen = 0;
    integer lane;
    integer place;

    initial begin
        $readmemh("x.hex", dut.x_mem);
        $readmemh("b_stream.hex", dut.w_mem);
        $readmemh("bias_row.hex", dut.bias_mem);
        $readmemh("multiplier_row.hex", dut.multiplier_mem);
        $readmemh("shift_row.hex", dut.shift_mem);
        $readmemh("sums.hex", sums);
        $readmemh("y.hex", expected);
        repeat (3) @(posedge clk);
        #1 rst_n = 1'b1;
    end

    always @(posedge clk) if (rst_n) begin
        clocks = clocks + 1;
        if (acc_valid === 1'b1) begin
            if (events >= EVENTS || acc_data !== sums[events]) wrong_sums = wrong_sums + 1;
            events = events + 1;
        end
        if (out_valid === 1'b1) begin
            last_clock = clocks;
            for (lane = 0; lane < COLS; lane = lane + 1) begin
                place = out_pixel * OUT_CHANNELS + out_channel + lane;
                if (out_inside === 1'b1 && out_channel + lane < OUT_CHANNELS) begin
                    seen = seen + 1;
                    y[place] = out_data[lane*8 +: 8];
                    if (y[place] !== expected[place]) begin
                        wrong_codes = wrong_codes + 1;
                        if (wrong_codes <= 5) $display("pixel %0d, channel %0d: got %h, expected %h", out_pixel,
                                                       out_channel + lane, y[place], expected[place]);
                    end
                end
            end
        end
        if (clocks == LIMIT || (events == EVENTS && clocks == last_clock + 10)) begin
            $display("clocks %0d", last_clock);
            $writememh("dut_y.hex", y);
            if (wrong_sums == 0 && wrong_codes == 0 && seen == CODES && events == EVENTS) $display("PASS");
            else $display("FAIL: %0d wrong words of sums, %0d wrong codes, %0d of %0d codes", wrong_sums, wrong_codes,
                          seen, CODES);
            $finish;
        end
    end
endmodule

// Bench of the systolic arrays: streams A and B from hex files, checks every sum, counts clocks.
//
// DESIGN 0 systolic_os, 1 systolic_os_overlapped, 2 systolic_ws, 3 systolic_ws with prefetch.
// a.hex, b.hex: memory words in the order their addresses run; expected.hex: one word of COLS sums for every time a
// column gives one, in the order the design gives them (partial sums of tiles along K included).
// Counted clocks: rising edges from the first that samples rst_n = 1, which counts as 1, to the one that samples the last
// sum. start is tied high. The last line says PASS, or FAIL and how much; sums go to got.hex as they come.
`timescale 1ns / 1ps
module tb_systolic;
    parameter DESIGN = 0;
    parameter ROWS = 4;
    parameter COLS = 4;
    parameter A_BITS = 8;
    parameter B_BITS = 8;
    parameter ACC_BITS = 32;
    parameter M = 4;
    parameter N = 4;
    parameter K = 4;

    localparam M_TILES = (M + ROWS - 1) / ROWS;
    localparam N_TILES = (N + COLS - 1) / COLS;
    localparam K_TILES = (K + ROWS - 1) / ROWS;
    localparam STATIONARY_A = DESIGN < 2 ? M_TILES * K : K_TILES * M;
    localparam STATIONARY_B = DESIGN < 2 ? N_TILES * K : N_TILES * K_TILES * ROWS;
    localparam EVENTS = DESIGN < 2 ? M_TILES * N_TILES * ROWS : N_TILES * K_TILES * M;
    localparam LIMIT = 4 * (M_TILES + 1) * (N_TILES + 1) * (K_TILES + 1) * (M + K + 2 * ROWS + COLS) + 1000;

    reg clk = 1'b0;
    reg rst_n = 1'b0;
    always #5 clk = !clk;

    reg [ROWS*A_BITS-1:0] a_words [0:STATIONARY_A-1];
    reg [COLS*B_BITS-1:0] b_words [0:STATIONARY_B-1];
    reg [COLS*ACC_BITS-1:0] expected [0:EVENTS-1];
    wire [23:0] a_addr;
    wire [23:0] b_addr;
    wire [COLS-1:0] valid;
    wire [COLS*ACC_BITS-1:0] data;

    generate
        if (DESIGN == 0) begin : g_os
            wire any;
            assign valid = {COLS{any}};
            systolic_os #(.ROWS(ROWS), .COLS(COLS), .A_BITS(A_BITS), .B_BITS(B_BITS), .ACC_BITS(ACC_BITS)) dut (
                .clk(clk), .rst_n(rst_n), .start(1'b1), .k_size(K[15:0]), .m_tiles(M_TILES[15:0]),
                .n_tiles(N_TILES[15:0]), .a_addr(a_addr), .b_addr(b_addr), .a_data(a_words[a_addr]),
                .b_data(b_words[b_addr]), .streaming(), .next_m(), .out_valid(any), .out_row(), .tile_m(), .tile_n(), .out_data(data), .done());
        end else if (DESIGN == 1) begin : g_os_overlapped
            systolic_os_overlapped #(.ROWS(ROWS), .COLS(COLS), .A_BITS(A_BITS), .B_BITS(B_BITS), .ACC_BITS(ACC_BITS)) dut (
                .clk(clk), .rst_n(rst_n), .start(1'b1), .k_size(K[15:0]), .m_tiles(M_TILES[15:0]),
                .n_tiles(N_TILES[15:0]), .a_addr(a_addr), .b_addr(b_addr), .a_data(a_words[a_addr]),
                .b_data(b_words[b_addr]), .out_valid(valid), .out_data(data));
        end else begin : g_ws
            wire [COLS*ACC_BITS-1:0] partial;
            systolic_ws #(.ROWS(ROWS), .COLS(COLS), .A_BITS(A_BITS), .B_BITS(B_BITS), .ACC_BITS(ACC_BITS),
                          .PREFETCH(DESIGN - 2)) dut (
                .clk(clk), .rst_n(rst_n), .start(1'b1), .m_size(M[15:0]), .k_tiles(K_TILES[15:0]),
                .n_tiles(N_TILES[15:0]), .a_addr(a_addr), .b_addr(b_addr), .a_data(a_words[a_addr]),
                .b_data(b_words[b_addr]), .out_valid(valid), .out_data(partial));
            partial_sums #(.COLS(COLS), .ACC_BITS(ACC_BITS), .DEPTH(M)) sums (
                .clk(clk), .rst_n(rst_n), .m_size(M[15:0]), .k_tiles(K_TILES[15:0]), .in_valid(valid),
                .in_data(partial), .out_data(data), .whole());
        end
    endgenerate

    integer got;
    integer clocks = 0;
    integer last_clock = 0;
    integer wrong = 0;
    integer seen = 0;
    integer lane;
    integer events [0:COLS-1];
    reg [ACC_BITS-1:0] value;
    reg [COLS*ACC_BITS-1:0] row;

    initial begin
        $readmemh("a.hex", a_words);
        $readmemh("b.hex", b_words);
        $readmemh("expected.hex", expected);
        got = $fopen("got.hex", "w");
        for (lane = 0; lane < COLS; lane = lane + 1) events[lane] = 0;
        repeat (3) @(posedge clk);
        #1 rst_n = 1'b1;
    end

    always @(posedge clk) if (rst_n) begin
        clocks = clocks + 1;
        for (lane = 0; lane < COLS; lane = lane + 1) begin
            if (valid[lane] === 1'bx) wrong = wrong + 1;
            if (valid[lane] === 1'b1) begin
                value = data[lane*ACC_BITS +: ACC_BITS];
                last_clock = clocks;
                $fdisplay(got, "%0d %0d %h", lane, events[lane], value);
                if (events[lane] >= EVENTS) wrong = wrong + 1;
                else begin
                    row = expected[events[lane]];
                    if (value !== row[lane*ACC_BITS +: ACC_BITS]) begin
                        wrong = wrong + 1;
                        if (wrong <= 5) $display("sum %0d of column %0d: got %h, expected %h", events[lane], lane,
                                                 value, row[lane*ACC_BITS +: ACC_BITS]);
                    end
                end
                events[lane] = events[lane] + 1;
                seen = seen + 1;
            end
        end
        if (clocks > last_clock + 4 * (ROWS + COLS) + K + M && seen >= EVENTS * COLS || clocks > LIMIT) begin
            $display("clocks %0d", last_clock);
            if (wrong == 0 && seen == EVENTS * COLS) $display("PASS");
            else $display("FAIL: %0d wrong, %0d of %0d sums", wrong, seen, EVENTS * COLS);
            $fclose(got);
            $finish;
        end
    end
endmodule

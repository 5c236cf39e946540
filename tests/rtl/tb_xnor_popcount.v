// Bench of the xnor-popcount unit: one line of stimulus.hex a clock (first and last, lanes, a, b), one sum of
// expected.hex a vector. Clocks as in tb_systolic: words + 2.
`timescale 1ns / 1ps
module tb_xnor_popcount;
    parameter WORD = 64;
    parameter COUNT = 1;
    parameter SUMS = 1;
    localparam WIDTH = 2 * WORD + 24;

    reg clk = 1'b0;
    reg rst_n = 1'b0;
    always #5 clk = !clk;

    reg [WIDTH-1:0] stimulus [0:COUNT-1];
    reg [15:0] expected [0:SUMS-1];
    integer sent = 0;
    wire [WIDTH-1:0] now = sent < COUNT ? stimulus[sent] : {WIDTH{1'b0}};
    wire valid;
    wire [15:0] sum;
    xnor_popcount #(.WORD(WORD), .ACC_BITS(16)) dut (
        .clk(clk), .rst_n(rst_n), .in_valid(rst_n && sent < COUNT), .b(now[WORD-1:0]), .a(now[2*WORD-1:WORD]),
        .lanes(now[2*WORD+15:2*WORD]), .last(now[2*WORD+16]), .first(now[2*WORD+20]), .out_valid(valid), .sum(sum));

    integer got;
    integer clocks = 0;
    integer seen = 0;
    integer wrong = 0;
    initial begin
        $readmemh("stimulus.hex", stimulus);
        $readmemh("expected.hex", expected);
        got = $fopen("got.hex", "w");
        repeat (3) @(posedge clk);
        #1 rst_n = 1'b1;
    end

    always @(posedge clk) if (rst_n) begin
        clocks = clocks + 1;
        if (valid === 1'bx) wrong = wrong + 1;
        if (valid === 1'b1) begin
            $fdisplay(got, "%h", sum);
            if (seen >= SUMS) wrong = wrong + 1;
            else if (sum !== expected[seen]) begin
                wrong = wrong + 1;
                if (wrong <= 5) $display("sum %0d: got %h, expected %h", seen, sum, expected[seen]);
            end
            seen = seen + 1;
            if (seen == SUMS) $display("clocks %0d", clocks);
        end
        if (clocks == COUNT + 20) begin
            if (wrong == 0 && seen == SUMS) $display("PASS");
            else $display("FAIL: %0d wrong, %0d of %0d sums", wrong, seen, SUMS);
            $fclose(got);
            $finish;
        end
        #1 sent = sent + 1;
    end
endmodule

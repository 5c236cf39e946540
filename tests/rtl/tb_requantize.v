// Bench of the requantizer: one line of stimulus.hex a clock (shift, multiplier, accumulator), one code of expected.hex
// an output. Clocks as in tb_systolic: COUNT + 4.
`timescale 1ns / 1ps
module tb_requantize;
    parameter MODE = 0;
    parameter COUNT = 1;
    parameter ZERO = 0;
    parameter LOW = -128;
    parameter HIGH = 127;

    reg clk = 1'b0;
    reg rst_n = 1'b0;
    always #5 clk = !clk;

    reg [71:0] stimulus [0:COUNT-1];
    reg [7:0] expected [0:COUNT-1];
    integer sent = 0;
    wire [71:0] now = sent < COUNT ? stimulus[sent] : 72'd0;
    wire valid;
    wire [7:0] y;
    requantize #(.MODE(MODE)) dut (
        .clk(clk), .rst_n(rst_n), .in_valid(rst_n && sent < COUNT), .acc(now[31:0]), .multiplier(now[63:32]),
        .shift(now[71:64]), .high(HIGH[8:0]), .low(LOW[8:0]), .zero_point(ZERO[8:0]), .out_valid(valid), .y(y));

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
            $fdisplay(got, "%h", y);
            if (seen >= COUNT) wrong = wrong + 1;
            else if (y !== expected[seen]) begin
                wrong = wrong + 1;
                if (wrong <= 5) $display("word %0d: accumulator %h multiplier %h shift %h: got %h, expected %h", seen,
                                         stimulus[seen][31:0], stimulus[seen][63:32], stimulus[seen][71:64], y,
                                         expected[seen]);
            end
            seen = seen + 1;
            if (seen == COUNT) $display("clocks %0d", clocks);
        end
        if (clocks == COUNT + 20) begin
            if (wrong == 0 && seen == COUNT) $display("PASS");
            else $display("FAIL: %0d wrong, %0d of %0d words", wrong, seen, COUNT);
            $fclose(got);
            $finish;
        end
        #1 sent = sent + 1;
    end
endmodule

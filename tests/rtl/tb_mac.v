// Bench of the multiply-accumulate unit: one line of stimulus.hex a clock (clear, int4, a, b), the register after every
// step in expected.hex. Clocks as in tb_systolic: COUNT + 2.
`timescale 1ns / 1ps
module tb_mac;
    parameter ACC_BITS = 32;
    parameter SATURATE = 0;
    parameter COUNT = 1;

    reg clk = 1'b0;
    reg rst_n = 1'b0;
    always #5 clk = !clk;

    reg [23:0] stimulus [0:COUNT-1];
    reg [ACC_BITS-1:0] expected [0:COUNT-1];
    integer sent = 0;
    wire [23:0] now = sent < COUNT ? stimulus[sent] : 24'd0;
    wire valid;
    wire [ACC_BITS-1:0] sum;
    mac #(.ACC_BITS(ACC_BITS), .SATURATE(SATURATE)) dut (
        .clk(clk), .rst_n(rst_n), .in_valid(rst_n && sent < COUNT), .clear(now[20]), .int4(now[16]), .a(now[15:8]),
        .b(now[7:0]), .out_valid(valid), .sum(sum));

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
            if (seen >= COUNT) wrong = wrong + 1;
            else if (sum !== expected[seen]) begin
                wrong = wrong + 1;
                if (wrong <= 5) $display("step %0d: %h: got %h, expected %h", seen, stimulus[seen], sum, expected[seen]);
            end
            seen = seen + 1;
            if (seen == COUNT) $display("clocks %0d", clocks);
        end
        if (clocks == COUNT + 20) begin
            if (wrong == 0 && seen == COUNT) $display("PASS");
            else $display("FAIL: %0d wrong, %0d of %0d steps", wrong, seen, COUNT);
            $fclose(got);
            $finish;
        end
        #1 sent = sent + 1;
    end
endmodule

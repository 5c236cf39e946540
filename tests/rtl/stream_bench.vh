// The common part of benches that feed one word a clock and check one value an output.
//
// Expects parameters WIDTH (of a word), OUT_BITS, COUNT (words), OUTPUTS (values). Reads stimulus.hex and expected.hex;
// gives clk, rst_n, `now` (the word of this clock) and `feeding`; checks `value` where `valid`; writes got.hex. Counts
// clocks as tb_systolic does. The last line says PASS, or FAIL and how much.
reg clk = 1'b0;
reg rst_n = 1'b0;
always #5 clk = !clk;

reg [WIDTH-1:0] stimulus [0:COUNT-1];
reg [OUT_BITS-1:0] expected [0:OUTPUTS-1];
integer sent = 0;
wire feeding = rst_n && sent < COUNT;
wire [WIDTH-1:0] now = sent < COUNT ? stimulus[sent] : {WIDTH{1'b0}};
wire valid;
wire [OUT_BITS-1:0] value;

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
        $fdisplay(got, "%h", value);
        if (seen >= OUTPUTS) wrong = wrong + 1;
        else if (value !== expected[seen]) begin
            wrong = wrong + 1;
            if (wrong <= 5) $display("value %0d: got %h, expected %h", seen, value, expected[seen]);
        end
        seen = seen + 1;
        if (seen == OUTPUTS) $display("clocks %0d", clocks);
    end
    if (clocks == COUNT + 20) begin
        if (wrong == 0 && seen == OUTPUTS) $display("PASS");
        else $display("FAIL: %0d wrong, %0d of %0d values", wrong, seen, OUTPUTS);
        $fclose(got);
        $finish;
    end
    #1 sent = sent + 1;
end

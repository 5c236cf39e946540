// Dot product of vectors of -1 and +1, held as bits 0 and 1, a word a clock.
//
//   sum = 2 * ones(~(a ^ b) over the lanes in use) - lanes in use, added up from `first` to `last`
//
// `lanes` is how many of the WORD lanes hold codes: the last word of a vector may be partial, and what pads it counts for
// nothing. Two clocks deep.
module xnor_popcount #(
    parameter WORD = 64,
    parameter ACC_BITS = 16
) (
    input  wire                       clk,
    input  wire                       rst_n,
    input  wire                       in_valid,
    input  wire                       first,
    input  wire                       last,
    input  wire [15:0]                lanes,
    input  wire [WORD-1:0]            a,
    input  wire [WORD-1:0]            b,
    output reg                        out_valid,
    output reg  signed [ACC_BITS-1:0] sum
);
    reg valid1;
    reg first1;
    reg last1;
    reg signed [ACC_BITS-1:0] part1;
    wire [WORD-1:0] equal = ~(a ^ b);
    reg signed [ACC_BITS-1:0] count;
    integer lane;

    always @* begin
        count = {ACC_BITS{1'b0}};
        for (lane = 0; lane < WORD; lane = lane + 1)
            if (lane < lanes) count = equal[lane] ? count + 1'b1 : count - 1'b1;
    end

    always @(posedge clk) begin
        if (!rst_n) begin
            valid1 <= 1'b0;
            first1 <= 1'b0;
            last1 <= 1'b0;
            part1 <= {ACC_BITS{1'b0}};
            out_valid <= 1'b0;
            sum <= {ACC_BITS{1'b0}};
        end else begin
            valid1 <= in_valid;
            first1 <= first;
            last1 <= last;
            part1 <= count;
            out_valid <= valid1 && last1;
            if (valid1) sum <= (first1 ? {ACC_BITS{1'b0}} : sum) + part1;
        end
    end
endmodule

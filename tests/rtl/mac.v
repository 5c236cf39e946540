// Multiply-accumulate of one INT8 pair or two INT4 pairs a clock, in a register that wraps or saturates.
//
//   int4 = 0   sum += a * b
//   int4 = 1   sum += a[3:0] * b[3:0] + a[7:4] * b[7:4]      one addition of both products
//
// The INT8 product is put together from the products of nibbles, which the INT4 mode reads directly. Two clocks deep.
module mac #(
    parameter ACC_BITS = 32,
    parameter SATURATE = 0
) (
    input  wire                       clk,
    input  wire                       rst_n,
    input  wire                       in_valid,
    input  wire                       clear,
    input  wire                       int4,
    input  wire signed [7:0]          a,
    input  wire signed [7:0]          b,
    output reg                        out_valid,
    output reg  signed [ACC_BITS-1:0] sum
);
    // Low nibbles are unsigned inside an INT8 code and signed on their own.
    wire signed [4:0] a_low = {int4 & a[3], a[3:0]};
    wire signed [4:0] b_low = {int4 & b[3], b[3:0]};
    wire signed [4:0] a_high = {a[7], a[7:4]};
    wire signed [4:0] b_high = {b[7], b[7:4]};
    wire signed [9:0] low_low = a_low * b_low;
    wire signed [9:0] high_high = a_high * b_high;
    wire signed [9:0] low_high = a_low * b_high;
    wire signed [9:0] high_low = a_high * b_low;
    wire signed [17:0] crossed = (low_high + high_low) <<< 4;
    wire signed [17:0] high_part = high_high <<< 8;

    reg valid1;
    reg clear1;
    reg signed [17:0] product1;
    wire signed [ACC_BITS-1:0] kept = clear1 ? {ACC_BITS{1'b0}} : sum;
    wire signed [ACC_BITS:0] exact = kept + product1;
    wire overflows = exact[ACC_BITS] != exact[ACC_BITS-1];
    wire signed [ACC_BITS-1:0] end_value = {exact[ACC_BITS], {(ACC_BITS-1){!exact[ACC_BITS]}}};

    always @(posedge clk) begin
        if (!rst_n) begin
            valid1 <= 1'b0;
            clear1 <= 1'b0;
            product1 <= 18'sd0;
            out_valid <= 1'b0;
            sum <= {ACC_BITS{1'b0}};
        end else begin
            valid1 <= in_valid;
            clear1 <= clear;
            product1 <= int4 ? low_low + high_high : low_low + crossed + high_part;
            out_valid <= valid1;
            if (valid1) sum <= SATURATE && overflows ? end_value : exact[ACC_BITS-1:0];
        end
    end
endmodule

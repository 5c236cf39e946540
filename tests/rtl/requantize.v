// From an accumulator to an output code, one word a clock, four clocks deep.
//
//   y = clamp(zero_point + round(acc * multiplier * 2**(shift - 31)), low, high)
//
// MODE 0 double       wrap32(acc << max(shift, 0)) * multiplier, halves up at bit 31, then / 2**max(-shift, 0), halves
//                     away from zero
// MODE 1 single       one rounding at bit 31 - shift, halves up
// MODE 2 single_away  one rounding at bit 31 - shift, halves away from zero
// MODE 3 dyadic       one rounding at bit 31 - shift, halves to even
// MODE 4 pow2         acc / 2**shift, halves up; multiplier is not read, a negative shift multiplies
// zero_point, low and high belong to a tensor: they stay while words are under way; multiplier and shift go with a word.
// Modes 1 to 3 take shift in -31..30, mode 0 in -31..31, mode 4 in -31..31.
module requantize #(
    parameter MODE = 0,
    parameter OUT_BITS = 8
) (
    input  wire                       clk,
    input  wire                       rst_n,
    input  wire                       in_valid,
    input  wire signed [31:0]         acc,
    input  wire        [31:0]         multiplier,
    input  wire signed [7:0]          shift,
    input  wire signed [OUT_BITS:0]   zero_point,
    input  wire signed [OUT_BITS:0]   low,
    input  wire signed [OUT_BITS:0]   high,
    output reg                        out_valid,
    output reg  signed [OUT_BITS-1:0] y
);
    // 1: shift left, what is to be multiplied
    reg valid1;
    reg signed [63:0] factor1;
    reg [31:0] multiplier1;
    reg signed [7:0] shift1;
    wire signed [63:0] wide = {{32{acc[31]}}, acc};
    wire signed [63:0] raised = wide << (shift > 0 ? shift : 8'sd0);
    wire signed [63:0] lowered = wide << (shift < 0 ? -shift : 8'sd0);

    // 2: multiply
    reg valid2;
    reg signed [65:0] product2;
    reg signed [7:0] shift2;
    wire signed [32:0] unsigned_multiplier = {1'b0, multiplier1};

    // 3: the rounding at bit 31 (double), or the only one
    reg valid3;
    reg signed [65:0] value3;
    reg signed [7:0] shift3;
    wire [7:0] places = MODE == 0 ? 8'd31 : MODE == 4 ? (shift2 > 0 ? shift2 : 8'd0) : 8'sd31 - shift2;
    wire signed [65:0] one = 66'sd1;
    wire signed [65:0] half = places == 8'd0 ? 66'sd0 : one <<< (places - 8'd1);
    wire signed [65:0] magnitude = product2 < 0 ? -product2 : product2;
    wire signed [65:0] up = (product2 + half) >>> places;
    wire signed [65:0] away = (magnitude + half) >>> places;
    wire [65:0] below = product2 & ((one <<< places) - one);
    wire is_tie = places != 8'd0 && below == half;
    wire signed [65:0] even = is_tie && up[0] ? up - one : up;

    // 4: the second rounding of double, zero point, clamp
    wire [7:0] right = MODE == 0 && shift3 < 0 ? -shift3 : 8'd0;
    wire signed [65:0] mask = (one <<< right) - one;
    wire signed [65:0] rest = value3 & mask;
    wire signed [65:0] threshold = (mask >>> 1) + (value3 < 0 ? one : 66'sd0);
    wire signed [65:0] rounded = (value3 >>> right) + (rest > threshold ? one : 66'sd0);
    wire signed [65:0] placed = rounded + zero_point;

    always @(posedge clk) begin
        if (!rst_n) begin
            valid1 <= 1'b0;
            valid2 <= 1'b0;
            valid3 <= 1'b0;
            out_valid <= 1'b0;
            factor1 <= 64'sd0;
            multiplier1 <= 32'd0;
            shift1 <= 8'sd0;
            product2 <= 66'sd0;
            shift2 <= 8'sd0;
            value3 <= 66'sd0;
            shift3 <= 8'sd0;
            y <= {OUT_BITS{1'b0}};
        end else begin
            valid1 <= in_valid;
            factor1 <= MODE == 0 ? {{32{raised[31]}}, raised[31:0]} : MODE == 4 ? lowered : wide;
            multiplier1 <= MODE == 4 ? 32'd1 : multiplier;
            shift1 <= shift;

            valid2 <= valid1;
            product2 <= factor1 * unsigned_multiplier;
            shift2 <= shift1;

            valid3 <= valid2;
            value3 <= MODE == 2 ? (product2 < 0 ? -away : away) : MODE == 3 ? even : up;
            shift3 <= shift2;

            out_valid <= valid3;
            y <= placed < low ? low[OUT_BITS-1:0] : placed > high ? high[OUT_BITS-1:0] : placed[OUT_BITS-1:0];
        end
    end
endmodule

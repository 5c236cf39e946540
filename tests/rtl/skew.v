// Delays lane i of a word by i clocks, so that operands meet on the diagonal of an array.
module skew #(
    parameter LANES = 4,
    parameter WIDTH = 8
) (
    input  wire                   clk,
    input  wire                   rst_n,
    input  wire [LANES*WIDTH-1:0] in,
    output wire [LANES*WIDTH-1:0] out
);
    assign out[WIDTH-1:0] = in[WIDTH-1:0];

    genvar lane;
    generate
        for (lane = 1; lane < LANES; lane = lane + 1) begin : g_lane
            reg [lane*WIDTH-1:0] chain;
            wire [(lane+1)*WIDTH-1:0] longer = {chain, in[lane*WIDTH +: WIDTH]};
            always @(posedge clk) begin
                if (!rst_n) chain <= {(lane*WIDTH){1'b0}};
                else chain <= longer[lane*WIDTH-1:0];
            end
            assign out[lane*WIDTH +: WIDTH] = chain[lane*WIDTH-1 -: WIDTH];
        end
    endgenerate
endmodule

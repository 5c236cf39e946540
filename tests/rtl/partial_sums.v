// Adds up what a weight-stationary array gives for successive tiles along K.
//
// Every column counts its own sums: m_size a tile, k_tiles tiles to a whole one. out_data is the sum so far, `whole` says
// that it is complete. DEPTH rows of A are the most a pass may have.
module partial_sums #(
    parameter COLS = 4,
    parameter ACC_BITS = 32,
    parameter COUNT_BITS = 16,
    parameter DEPTH = 1024
) (
    input  wire                     clk,
    input  wire                     rst_n,
    input  wire [COUNT_BITS-1:0]    m_size,
    input  wire [COUNT_BITS-1:0]    k_tiles,
    input  wire [COLS-1:0]          in_valid,
    input  wire [COLS*ACC_BITS-1:0] in_data,
    output wire [COLS*ACC_BITS-1:0] out_data,
    output wire [COLS-1:0]          whole
);
    genvar c;
    generate
        for (c = 0; c < COLS; c = c + 1) begin : g_col
            reg [ACC_BITS-1:0] sums [0:DEPTH-1];
            reg [COUNT_BITS-1:0] m;
            reg [COUNT_BITS-1:0] k;
            wire [ACC_BITS-1:0] before = k == {COUNT_BITS{1'b0}} ? {ACC_BITS{1'b0}} : sums[m];
            wire [ACC_BITS-1:0] after = before + in_data[c*ACC_BITS +: ACC_BITS];
            wire last_m = m + 1'b1 == m_size;
            wire last_k = k + 1'b1 == k_tiles;
            assign out_data[c*ACC_BITS +: ACC_BITS] = after;
            assign whole[c] = in_valid[c] && last_k;
            always @(posedge clk) begin
                if (!rst_n) begin
                    m <= {COUNT_BITS{1'b0}};
                    k <= {COUNT_BITS{1'b0}};
                end else if (in_valid[c]) begin
                    sums[m] <= after;
                    m <= last_m ? {COUNT_BITS{1'b0}} : m + 1'b1;
                    if (last_m) k <= last_k ? {COUNT_BITS{1'b0}} : k + 1'b1;
                end
            end
        end
    endgenerate
endmodule

// Output-stationary systolic array: every processing element keeps one sum; a tile is streamed, flushed and drained
// before the next begins.
//
//   c[m, n] = sum_k a[m, k] * b[k, n]       signed operands, sums wrap at ACC_BITS
//
// Memory words: a_data holds column k of a tile of A, lane r = row r, at address tile_m * k_size + k;
// b_data holds row k of a tile of B, lane c = column c, at address tile_n * k_size + k. Reads have no latency.
// Tiles: tile_n runs fastest. Partial tiles are padded with zeros in memory and pay for full ones.
// streaming: operand k of a tile is read, k = 0 first; next_m: last clock before another row of tiles.
// A tile takes k_size + 2*ROWS + COLS - 2 clocks: the last of them drain ROWS rows, bottom row first.
module systolic_os #(
    parameter ROWS = 4,
    parameter COLS = 4,
    parameter A_BITS = 8,
    parameter B_BITS = 8,
    parameter ACC_BITS = 32,
    parameter COUNT_BITS = 16,
    parameter ADDR_BITS = 24
) (
    input  wire                     clk,
    input  wire                     rst_n,
    input  wire                     start,
    input  wire [COUNT_BITS-1:0]    k_size,
    input  wire [COUNT_BITS-1:0]    m_tiles,
    input  wire [COUNT_BITS-1:0]    n_tiles,
    output wire [ADDR_BITS-1:0]     a_addr,
    output wire [ADDR_BITS-1:0]     b_addr,
    input  wire [ROWS*A_BITS-1:0]   a_data,
    input  wire [COLS*B_BITS-1:0]   b_data,
    output wire                     streaming,
    output wire                     next_m,
    output wire                     out_valid,
    output wire [COUNT_BITS-1:0]    out_row,
    output reg  [COUNT_BITS-1:0]    tile_m,
    output reg  [COUNT_BITS-1:0]    tile_n,
    output wire [COLS*ACC_BITS-1:0] out_data,
    output wire                     done
);
    reg running;
    reg started;  // a product begins once for every rise of start
    reg [COUNT_BITS-1:0] count;
    reg [ADDR_BITS-1:0] a_base;
    reg [ADDR_BITS-1:0] b_base;

    wire [COUNT_BITS-1:0] drain_at = k_size + (ROWS + COLS - 2);
    wire [COUNT_BITS-1:0] last_at = drain_at + (ROWS - 1);
    assign streaming = running && count < k_size;
    assign next_m = tile_ends && last_n;
    wire tile_ends = running && count == last_at;
    wire last_n = tile_n + 1'b1 == n_tiles;
    wire last_m = tile_m + 1'b1 == m_tiles;

    assign out_valid = running && count >= drain_at;
    assign out_row = (ROWS - 1) - (count - drain_at);
    assign done = tile_ends && last_n && last_m;
    assign a_addr = a_base + {{(ADDR_BITS-COUNT_BITS){1'b0}}, count};
    assign b_addr = b_base + {{(ADDR_BITS-COUNT_BITS){1'b0}}, count};

    always @(posedge clk) begin
        if (!rst_n) begin
            running <= 1'b0;
            started <= 1'b0;
            count <= {COUNT_BITS{1'b0}};
            tile_m <= {COUNT_BITS{1'b0}};
            tile_n <= {COUNT_BITS{1'b0}};
            a_base <= {ADDR_BITS{1'b0}};
            b_base <= {ADDR_BITS{1'b0}};
        end else if (!running) begin
            running <= start && !started;
            started <= start;
        end else if (!tile_ends) begin
            count <= count + 1'b1;
        end else begin
            count <= {COUNT_BITS{1'b0}};
            running <= !done;
            tile_n <= last_n ? {COUNT_BITS{1'b0}} : tile_n + 1'b1;
            b_base <= last_n ? {ADDR_BITS{1'b0}} : b_base + {{(ADDR_BITS-COUNT_BITS){1'b0}}, k_size};
            if (last_n) begin
                tile_m <= last_m ? {COUNT_BITS{1'b0}} : tile_m + 1'b1;
                a_base <= last_m ? {ADDR_BITS{1'b0}} : a_base + {{(ADDR_BITS-COUNT_BITS){1'b0}}, k_size};
            end
        end
    end

    // Past the stream zeros follow, which leave the sums as they are while the diagonal empties.
    wire [ROWS*A_BITS-1:0] a_in;
    wire [COLS*B_BITS-1:0] b_in;
    skew #(.LANES(ROWS), .WIDTH(A_BITS)) a_skew (
        .clk(clk), .rst_n(rst_n), .in(streaming ? a_data : {(ROWS*A_BITS){1'b0}}), .out(a_in));
    skew #(.LANES(COLS), .WIDTH(B_BITS)) b_skew (
        .clk(clk), .rst_n(rst_n), .in(streaming ? b_data : {(COLS*B_BITS){1'b0}}), .out(b_in));

    wire [A_BITS-1:0] a_wire [0:ROWS*(COLS+1)-1];
    wire [B_BITS-1:0] b_wire [0:(ROWS+1)*COLS-1];
    wire [ACC_BITS-1:0] sum_wire [0:(ROWS+1)*COLS-1];

    genvar r, c;
    generate
        for (c = 0; c < COLS; c = c + 1) begin : g_edge
            assign b_wire[c] = b_in[c*B_BITS +: B_BITS];
            assign sum_wire[c] = {ACC_BITS{1'b0}};
            assign out_data[c*ACC_BITS +: ACC_BITS] = sum_wire[ROWS*COLS+c];
        end
        for (r = 0; r < ROWS; r = r + 1) begin : g_row
            assign a_wire[r*(COLS+1)] = a_in[r*A_BITS +: A_BITS];
            for (c = 0; c < COLS; c = c + 1) begin : g_col
                reg signed [A_BITS-1:0] a;
                reg signed [B_BITS-1:0] b;
                reg signed [ACC_BITS-1:0] sum;
                wire signed [A_BITS-1:0] a_now = a_wire[r*(COLS+1)+c];
                wire signed [B_BITS-1:0] b_now = b_wire[r*COLS+c];
                always @(posedge clk) begin
                    if (!rst_n) begin
                        a <= {A_BITS{1'b0}};
                        b <= {B_BITS{1'b0}};
                        sum <= {ACC_BITS{1'b0}};
                    end else begin
                        a <= a_now;
                        b <= b_now;
                        if (out_valid) sum <= sum_wire[r*COLS+c];
                        else if (running) sum <= sum + a_now * b_now;
                    end
                end
                assign a_wire[r*(COLS+1)+c+1] = a;
                assign b_wire[(r+1)*COLS+c] = b;
                assign sum_wire[(r+1)*COLS+c] = sum;
            end
        end
    endgenerate
endmodule

// Weight-stationary systolic array: a tile of weights is loaded, then rows of A stream past it.
//
//   partial[m, n] = sum over one tile of k of a[m, k] * b[k, n]        signed operands, sums wrap at ACC_BITS
//
// Memory words: b_data holds row k of a tile of B, lane c = column c, at address tile * ROWS + r; a_data holds row m of
// a tile of A, lane r = row r of the tile along K, at address tile_k * m_size + m. Reads have no latency.
// Tiles: tile_k runs fastest, tile_n slower. Sums of a column leave at its bottom, one row of A a clock, column c
// c clocks after column 0; partial_sums adds up the tiles along K.
// PREFETCH = 0: a tile takes 2*ROWS + COLS + m_size - 1 clocks.
// PREFETCH = 1: weights have a second register; the next tile's are written while this one streams, and a mark on the
// first row of A makes each element take them. Tiles follow each other after max(m_size, ROWS) clocks.
module systolic_ws #(
    parameter ROWS = 4,
    parameter COLS = 4,
    parameter A_BITS = 8,
    parameter B_BITS = 8,
    parameter ACC_BITS = 32,
    parameter COUNT_BITS = 16,
    parameter ADDR_BITS = 24,
    parameter PREFETCH = 0
) (
    input  wire                       clk,
    input  wire                       rst_n,
    input  wire                       start,
    input  wire [COUNT_BITS-1:0]      m_size,
    input  wire [COUNT_BITS-1:0]      k_tiles,
    input  wire [COUNT_BITS-1:0]      n_tiles,
    output wire [ADDR_BITS-1:0]       a_addr,
    output wire [ADDR_BITS-1:0]       b_addr,
    input  wire [ROWS*A_BITS-1:0]     a_data,
    input  wire [COLS*B_BITS-1:0]     b_data,
    output wire [COLS-1:0]            out_valid,
    output wire [COLS*ACC_BITS-1:0]   out_data
);
    // Loading and streaming each walk over the tiles; without prefetching they take turns.
    reg running;
    reg started;  // a product begins once for every rise of start
    reg loading;
    reg [COUNT_BITS-1:0] load_row;
    reg streaming;
    reg [COUNT_BITS-1:0] count;
    reg [COUNT_BITS-1:0] tile_k;
    reg [COUNT_BITS-1:0] tile_n;
    reg [COUNT_BITS-1:0] loads_k;
    reg [COUNT_BITS-1:0] loads_n;
    reg [ADDR_BITS-1:0] a_base;
    reg [ADDR_BITS-1:0] b_next;

    wire [COUNT_BITS-1:0] rows = ROWS;
    wire [COUNT_BITS-1:0] flushed = m_size + (ROWS + COLS - 1);
    wire [COUNT_BITS-1:0] period = PREFETCH == 0 ? flushed : (m_size < rows ? rows : m_size);
    wire load_ends = loading && load_row + 1'b1 == rows;
    wire stream_ends = streaming && count + 1'b1 == period;
    wire last_k = tile_k + 1'b1 == k_tiles;
    wire last_tile = last_k && tile_n + 1'b1 == n_tiles;
    wire more_loads = loads_n != n_tiles;
    wire feeding = streaming && count < m_size;

    assign a_addr = a_base + {{(ADDR_BITS-COUNT_BITS){1'b0}}, count};
    assign b_addr = b_next;

    always @(posedge clk) begin
        if (!rst_n) begin
            running <= 1'b0;
            started <= 1'b0;
            loading <= 1'b0;
            load_row <= {COUNT_BITS{1'b0}};
            streaming <= 1'b0;
            count <= {COUNT_BITS{1'b0}};
            tile_k <= {COUNT_BITS{1'b0}};
            tile_n <= {COUNT_BITS{1'b0}};
            loads_k <= {COUNT_BITS{1'b0}};
            loads_n <= {COUNT_BITS{1'b0}};
            a_base <= {ADDR_BITS{1'b0}};
            b_next <= {ADDR_BITS{1'b0}};
        end else if (!running) begin
            running <= start && !started;
            loading <= start && !started;
            started <= start;
        end else begin
            if (loading) begin
                load_row <= load_ends ? {COUNT_BITS{1'b0}} : load_row + 1'b1;
                b_next <= b_next + 1'b1;
                if (load_ends) begin
                    loading <= 1'b0;
                    loads_k <= loads_k + 1'b1 == k_tiles ? {COUNT_BITS{1'b0}} : loads_k + 1'b1;
                    if (loads_k + 1'b1 == k_tiles) loads_n <= loads_n + 1'b1;
                end
            end
            if (streaming) begin
                count <= stream_ends ? {COUNT_BITS{1'b0}} : count + 1'b1;
                if (stream_ends) begin
                    streaming <= 1'b0;
                    tile_k <= last_k ? {COUNT_BITS{1'b0}} : tile_k + 1'b1;
                    a_base <= last_k ? {ADDR_BITS{1'b0}} : a_base + {{(ADDR_BITS-COUNT_BITS){1'b0}}, m_size};
                    if (last_k) tile_n <= tile_n + 1'b1;
                end
            end
            if (PREFETCH == 0) begin
                if (load_ends) streaming <= 1'b1;
                if (stream_ends) begin
                    loading <= !last_tile;
                    running <= !last_tile;
                end
            end else if (streaming ? stream_ends && !last_tile : load_ends) begin
                // The next tile's weights are all written or being written behind the mark: it streams, and the load of
                // the one after it begins.
                streaming <= 1'b1;
                loading <= streaming ? more_loads && !(load_ends && loads_k + 1'b1 == k_tiles && loads_n + 1'b1 == n_tiles)
                                     : !(k_tiles == 1 && n_tiles == 1);
            end
        end
    end

    // A lane of A carries its operand, the mark of a tile's first row, and whether it holds a row at all.
    localparam LANE = A_BITS + 2;
    wire [1:0] marks = {feeding && count == {COUNT_BITS{1'b0}}, feeding};
    wire [ROWS*LANE-1:0] a_marked;
    wire [ROWS*LANE-1:0] a_in;
    skew #(.LANES(ROWS), .WIDTH(LANE)) a_skew (.clk(clk), .rst_n(rst_n), .in(a_marked), .out(a_in));

    // Weights enter their columns on a bus, column c after c clocks, with the number of the row that takes them.
    localparam BUS = B_BITS + COUNT_BITS + 1;
    wire [COLS*BUS-1:0] bus_in;
    wire [COLS*BUS-1:0] bus;
    generate
        if (PREFETCH == 0) begin : g_direct
            assign bus = bus_in;
        end else begin : g_skewed
            skew #(.LANES(COLS), .WIDTH(BUS)) b_skew (.clk(clk), .rst_n(rst_n), .in(bus_in), .out(bus));
        end
    endgenerate

    wire [LANE-1:0] a_wire [0:ROWS*(COLS+1)-1];
    wire [ACC_BITS-1:0] sum_wire [0:(ROWS+1)*COLS-1];
    wire valid_wire [0:(ROWS+1)*COLS-1];

    genvar r, c;
    generate
        for (c = 0; c < COLS; c = c + 1) begin : g_edge
            assign bus_in[c*BUS +: BUS] = {loading, load_row, b_data[c*B_BITS +: B_BITS]};
            assign sum_wire[c] = {ACC_BITS{1'b0}};
            assign valid_wire[c] = 1'b0;
            assign out_data[c*ACC_BITS +: ACC_BITS] = sum_wire[ROWS*COLS+c];
            assign out_valid[c] = valid_wire[ROWS*COLS+c];
        end
        for (r = 0; r < ROWS; r = r + 1) begin : g_row
            assign a_marked[r*LANE +: LANE] = {marks, feeding ? a_data[r*A_BITS +: A_BITS] : {A_BITS{1'b0}}};
            assign a_wire[r*(COLS+1)] = a_in[r*LANE +: LANE];
            for (c = 0; c < COLS; c = c + 1) begin : g_col
                reg [LANE-1:0] a;
                reg signed [B_BITS-1:0] next_weight;
                reg signed [B_BITS-1:0] held;
                reg signed [ACC_BITS-1:0] sum;
                reg valid;
                wire [BUS-1:0] offered = bus[c*BUS +: BUS];
                wire [LANE-1:0] lane = a_wire[r*(COLS+1)+c];
                wire signed [A_BITS-1:0] a_now = lane[A_BITS-1:0];
                wire taken = offered[BUS-1] && offered[B_BITS +: COUNT_BITS] == r;
                wire signed [B_BITS-1:0] weight = lane[A_BITS+1] ? next_weight : held;
                wire signed [ACC_BITS-1:0] above = sum_wire[r*COLS+c];
                always @(posedge clk) begin
                    if (!rst_n) begin
                        a <= {LANE{1'b0}};
                        next_weight <= {B_BITS{1'b0}};
                        held <= {B_BITS{1'b0}};
                        sum <= {ACC_BITS{1'b0}};
                        valid <= 1'b0;
                    end else begin
                        a <= lane;
                        held <= weight;
                        sum <= above + a_now * weight;
                        valid <= lane[A_BITS];
                        if (taken) next_weight <= offered[B_BITS-1:0];
                    end
                end
                assign a_wire[r*(COLS+1)+c+1] = a;
                assign sum_wire[(r+1)*COLS+c] = sum;
                assign valid_wire[(r+1)*COLS+c] = valid;
            end
        end
    endgenerate
endmodule

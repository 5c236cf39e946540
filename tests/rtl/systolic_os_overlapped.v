// Output-stationary systolic array that drains one tile while it computes the next.
//
//   c[m, n] = sum_k a[m, k] * b[k, n]       signed operands, sums wrap at ACC_BITS
//
// Memory words, tile order and padding as in systolic_os. Marks travel with the operands of a tile: at `first` an element
// starts a new sum, at `last` it hands the sum to a second register, from where it moves north one row a clock and
// leaves at the top. Row r of column c leaves k_size + 2*r + c clocks after the tile began; the next tile begins
// max(k_size, 2*ROWS - 1) clocks after it, so that no two sums meet on their way.
module systolic_os_overlapped #(
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
    output wire [COLS-1:0]          out_valid,
    output wire [COLS*ACC_BITS-1:0] out_data
);
    reg running;
    reg started;  // a product begins once for every rise of start
    reg [COUNT_BITS-1:0] count;
    reg [COUNT_BITS-1:0] tile_m;
    reg [COUNT_BITS-1:0] tile_n;
    reg [ADDR_BITS-1:0] a_base;
    reg [ADDR_BITS-1:0] b_base;

    wire [COUNT_BITS-1:0] least = 2 * ROWS - 1;
    wire [COUNT_BITS-1:0] period = k_size < least ? least : k_size;
    wire streaming = running && count < k_size;
    wire tile_ends = running && count + 1'b1 == period;
    wire last_n = tile_n + 1'b1 == n_tiles;
    wire last_m = tile_m + 1'b1 == m_tiles;
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
            running <= !(last_n && last_m);
            tile_n <= last_n ? {COUNT_BITS{1'b0}} : tile_n + 1'b1;
            b_base <= last_n ? {ADDR_BITS{1'b0}} : b_base + {{(ADDR_BITS-COUNT_BITS){1'b0}}, k_size};
            if (last_n) begin
                tile_m <= last_m ? {COUNT_BITS{1'b0}} : tile_m + 1'b1;
                a_base <= last_m ? {ADDR_BITS{1'b0}} : a_base + {{(ADDR_BITS-COUNT_BITS){1'b0}}, k_size};
            end
        end
    end

    // A lane of A carries its operand and the marks first and last.
    localparam LANE = A_BITS + 2;
    wire [1:0] marks = {streaming && count == {COUNT_BITS{1'b0}}, streaming && count + 1'b1 == k_size};
    wire [ROWS*LANE-1:0] a_marked;
    wire [ROWS*LANE-1:0] a_in;
    wire [COLS*B_BITS-1:0] b_in;
    skew #(.LANES(ROWS), .WIDTH(LANE)) a_skew (.clk(clk), .rst_n(rst_n), .in(a_marked), .out(a_in));
    skew #(.LANES(COLS), .WIDTH(B_BITS)) b_skew (
        .clk(clk), .rst_n(rst_n), .in(streaming ? b_data : {(COLS*B_BITS){1'b0}}), .out(b_in));

    wire [LANE-1:0] a_wire [0:ROWS*(COLS+1)-1];
    wire [B_BITS-1:0] b_wire [0:(ROWS+1)*COLS-1];
    wire [ACC_BITS-1:0] north [0:(ROWS+1)*COLS-1];
    wire north_valid [0:(ROWS+1)*COLS-1];

    genvar r, c;
    generate
        for (c = 0; c < COLS; c = c + 1) begin : g_edge
            assign b_wire[c] = b_in[c*B_BITS +: B_BITS];
            assign north[ROWS*COLS+c] = {ACC_BITS{1'b0}};
            assign north_valid[ROWS*COLS+c] = 1'b0;
            assign out_data[c*ACC_BITS +: ACC_BITS] = north[c];
            assign out_valid[c] = north_valid[c];
        end
        for (r = 0; r < ROWS; r = r + 1) begin : g_row
            assign a_marked[r*LANE +: LANE] = {marks, streaming ? a_data[r*A_BITS +: A_BITS] : {A_BITS{1'b0}}};
            assign a_wire[r*(COLS+1)] = a_in[r*LANE +: LANE];
            for (c = 0; c < COLS; c = c + 1) begin : g_col
                reg [LANE-1:0] a;
                reg signed [B_BITS-1:0] b;
                reg signed [ACC_BITS-1:0] sum;
                reg signed [ACC_BITS-1:0] leaving;
                reg leaves;
                wire [LANE-1:0] lane = a_wire[r*(COLS+1)+c];
                wire signed [A_BITS-1:0] a_now = lane[A_BITS-1:0];
                wire signed [B_BITS-1:0] b_now = b_wire[r*COLS+c];
                wire first = lane[A_BITS+1];
                wire last = lane[A_BITS];
                wire signed [ACC_BITS-1:0] kept = first ? {ACC_BITS{1'b0}} : sum;
                wire signed [ACC_BITS-1:0] next = kept + a_now * b_now;
                always @(posedge clk) begin
                    if (!rst_n) begin
                        a <= {LANE{1'b0}};
                        b <= {B_BITS{1'b0}};
                        sum <= {ACC_BITS{1'b0}};
                        leaving <= {ACC_BITS{1'b0}};
                        leaves <= 1'b0;
                    end else begin
                        a <= lane;
                        b <= b_now;
                        sum <= next;
                        leaving <= last ? next : north[(r+1)*COLS+c];
                        leaves <= last || north_valid[(r+1)*COLS+c];
                    end
                end
                assign a_wire[r*(COLS+1)+c+1] = a;
                assign b_wire[(r+1)*COLS+c] = b;
                assign north[r*COLS+c] = leaving;
                assign north_valid[r*COLS+c] = leaves;
            end
        end
    endgenerate
endmodule

// A small convolution accelerator: memories, address generation, output-stationary array, requantizers.
//
//   y[oy, ox, n] = requantize(bias[n] + sum_{fy, fx, c} (x[oy*s + fy - py, ox*s + fx - px, c] - x_zero) * w[n, fy, fx, c])
//
// The array sees the product of an (OH*OW, FY*FX*C) matrix, made on the fly, with an (FY*FX*C, N) matrix; c runs fastest,
// then fx, then fy. Outside the image x - x_zero is 0. Rows are ROWS successive output pixels, columns COLS channels.
//
// Memories (written through load_*, or by a bench): x_mem one code a word; w_mem rows of COLS weights at tile_n * K + k;
// bias_mem, multiplier_mem, shift_mem COLS lanes a word, one word a tile of channels. Results leave COLS codes at a time
// with their pixel; pixels and channels beyond the tensor are marked by `out_inside` and `out_channel`.
// A layer takes the clocks of systolic_os plus the four of requantize.
module conv_accelerator #(
    parameter ROWS = 8,
    parameter COLS = 8,
    parameter MODE = 0,
    parameter X_DEPTH = 16384,
    parameter W_DEPTH = 8192,
    parameter N_DEPTH = 64
) (
    input  wire                   clk,
    input  wire                   rst_n,
    input  wire                   start,
    input  wire [1:0]             load_select,
    input  wire                   load_valid,
    input  wire [23:0]            load_addr,
    input  wire [COLS*32-1:0]     load_data,
    input  wire [15:0]            height,
    input  wire [15:0]            width,
    input  wire [15:0]            channels,
    input  wire [15:0]            out_height,
    input  wire [15:0]            out_width,
    input  wire [15:0]            kernel_height,
    input  wire [15:0]            kernel_width,
    input  wire [15:0]            stride,
    input  wire [15:0]            pad_top,
    input  wire [15:0]            pad_left,
    input  wire [15:0]            k_size,
    input  wire [15:0]            m_tiles,
    input  wire [15:0]            n_tiles,
    input  wire signed [8:0]      x_zero,
    input  wire signed [8:0]      y_zero,
    input  wire signed [8:0]      low,
    input  wire signed [8:0]      high,
    output wire                   out_valid,
    output wire                   out_inside,
    output wire [31:0]            out_pixel,
    output wire [15:0]            out_channel,
    output wire [COLS*8-1:0]      out_data,
    output wire                   acc_valid,
    output wire [COLS*32-1:0]     acc_data
);
    reg signed [7:0] x_mem [0:X_DEPTH-1];
    reg [COLS*8-1:0] w_mem [0:W_DEPTH-1];
    reg [COLS*32-1:0] bias_mem [0:N_DEPTH-1];
    reg [COLS*32-1:0] multiplier_mem [0:N_DEPTH-1];
    reg [COLS*8-1:0] shift_mem [0:N_DEPTH-1];
    reg load_shift;
    always @(posedge clk) begin
        load_shift <= load_valid && load_select == 2'd3;
        if (load_valid) begin
            case (load_select)
                2'd0: x_mem[load_addr] <= load_data[7:0];
                2'd1: w_mem[load_addr] <= load_data[COLS*8-1:0];
                2'd2: bias_mem[load_addr] <= load_data;
                // Multipliers and shifts come one after the other at the same address.
                default: if (load_shift) shift_mem[load_addr] <= load_data[COLS*8-1:0];
                         else multiplier_mem[load_addr] <= load_data;
            endcase
        end
    end

    wire [23:0] b_addr;
    wire [15:0] out_row;
    wire [15:0] tile_m;
    wire [15:0] tile_n;
    wire streaming;
    wire next_m;
    wire [ROWS*9-1:0] a_data;
    systolic_os #(.ROWS(ROWS), .COLS(COLS), .A_BITS(9), .B_BITS(8), .ACC_BITS(32)) array (
        .clk(clk), .rst_n(rst_n), .start(start), .k_size(k_size), .m_tiles(m_tiles), .n_tiles(n_tiles),
        .a_addr(), .b_addr(b_addr), .a_data(a_data), .b_data(w_mem[b_addr]), .streaming(streaming), .next_m(next_m),
        .out_valid(acc_valid), .out_row(out_row), .tile_m(tile_m), .tile_n(tile_n), .out_data(acc_data), .done());

    // Where in the kernel the stream is.
    reg [15:0] c;
    reg [15:0] fx;
    reg [15:0] fy;
    wire last_c = c + 16'd1 == channels;
    wire last_fx = fx + 16'd1 == kernel_width;
    always @(posedge clk) begin
        if (!rst_n || !streaming) begin
            c <= 16'd0;
            fx <= 16'd0;
            fy <= 16'd0;
        end else begin
            c <= last_c ? 16'd0 : c + 16'd1;
            if (last_c) fx <= last_fx ? 16'd0 : fx + 16'd1;
            if (last_c && last_fx) fy <= fy + 16'd1;
        end
    end

    // The pixel of every row: row 0's is kept, the others follow it.
    reg [15:0] oy0;
    reg [15:0] ox0;
    wire [15:0] oy [0:ROWS];
    wire [15:0] ox [0:ROWS];
    assign oy[0] = oy0;
    assign ox[0] = ox0;
    always @(posedge clk) begin
        if (!rst_n) begin
            oy0 <= 16'd0;
            ox0 <= 16'd0;
        end else if (next_m) begin
            oy0 <= oy[ROWS];
            ox0 <= ox[ROWS];
        end
    end

    genvar r;
    generate
        for (r = 0; r < ROWS; r = r + 1) begin : g_row
            wire wraps = ox[r] + 16'd1 == out_width;
            assign ox[r+1] = wraps ? 16'd0 : ox[r] + 16'd1;
            assign oy[r+1] = wraps ? oy[r] + 16'd1 : oy[r];
            wire signed [17:0] iy = $signed({2'b00, oy[r]}) * $signed({2'b00, stride}) + $signed({2'b00, fy})
                                    - $signed({2'b00, pad_top});
            wire signed [17:0] ix = $signed({2'b00, ox[r]}) * $signed({2'b00, stride}) + $signed({2'b00, fx})
                                    - $signed({2'b00, pad_left});
            wire inside = oy[r] < out_height && iy >= 0 && ix >= 0 && iy < $signed({2'b00, height})
                          && ix < $signed({2'b00, width});
            wire [31:0] place = (iy[15:0] * width + ix[15:0]) * channels + c;
            wire signed [7:0] code = inside ? x_mem[place] : 8'sd0;
            wire signed [8:0] operand = inside ? code - x_zero : 9'sd0;
            assign a_data[r*9 +: 9] = operand;
        end
    endgenerate

    // What a drained row belongs to, four clocks later.
    wire [31:0] pixel = tile_m * ROWS + out_row;
    reg [47:0] tags [0:3];
    always @(posedge clk) begin
        tags[0] <= {tile_n, pixel};
        tags[1] <= tags[0];
        tags[2] <= tags[1];
        tags[3] <= tags[2];
    end
    assign out_pixel = tags[3][31:0];
    assign out_channel = tags[3][47:32] * COLS;
    assign out_inside = out_pixel < out_height * out_width;

    wire [COLS*32-1:0] biases = bias_mem[tile_n];
    wire [COLS*32-1:0] multipliers = multiplier_mem[tile_n];
    wire [COLS*8-1:0] shifts = shift_mem[tile_n];
    wire [COLS-1:0] valids;
    assign out_valid = valids[0];
    genvar n;
    generate
        for (n = 0; n < COLS; n = n + 1) begin : g_requantize
            wire signed [31:0] sum = acc_data[n*32 +: 32] + biases[n*32 +: 32];
            requantize #(.MODE(MODE), .OUT_BITS(8)) unit (
                .clk(clk), .rst_n(rst_n), .in_valid(acc_valid), .acc(sum), .multiplier(multipliers[n*32 +: 32]),
                .shift(shifts[n*8 +: 8]), .zero_point(y_zero), .low(low), .high(high), .out_valid(valids[n]),
                .y(out_data[n*8 +: 8]));
        end
    endgenerate
endmodule

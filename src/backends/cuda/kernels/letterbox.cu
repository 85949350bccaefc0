// An 8-bit image scaled as OpenCV's INTER_LINEAR does it, in whole numbers: a thread makes one pixel of the canvas. With
// `values` a pixel's bytes become elements of three planes by tables, beside the image those of the border; without, the
// scaled pixels themselves are written. Sizes are arguments: they differ from image to image.

namespace letterbox {

/// The two pixels of an axis that a scaled one lies between, and how much of each it has, in 2048ths.
struct Tap {
  int first, second;
  short weights[2];
};

struct Args {
  const unsigned char* image;
  const Tap* columns;
  const Tap* rows;
  const float* values;  // by channel of the tensor and byte; null for bytes
  void* out;
  int image_width, scaled_height, scaled_width, top, left, canvas_height, canvas_width;
  int order[3];
  int border;
};

__device__ inline int Between(int a, int b, const Tap& tap) { return a * tap.weights[0] + b * tap.weights[1]; }

/// As OpenCV rounds: rows are weighted after a shift, and each product is cut.
__device__ inline int Byte(const unsigned char* upper, const unsigned char* lower, const Tap& column, const Tap& row,
                           int channel) {
  const int x = 3 * column.first + channel, next = 3 * column.second + channel;
  const int above = Between(upper[x], upper[next], column), below = Between(lower[x], lower[next], column);
  return (((row.weights[0] * (above >> 4)) >> 16) + ((row.weights[1] * (below >> 4)) >> 16) + 2) >> 2;
}

/// One of three; an index at run time would put them into local memory.
__device__ inline int Pick(const int (&bytes)[3], int i) { return i == 0 ? bytes[0] : i == 1 ? bytes[1] : bytes[2]; }

}  // namespace letterbox

extern "C" __global__ void letterbox_kernel(letterbox::Args args) {
  using namespace letterbox;
  const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), y = static_cast<int>(blockIdx.y);
  if (x >= args.canvas_width) return;
  const int column = x - args.left, row = y - args.top;
  int bytes[3] = {args.border, args.border, args.border};
  if (column >= 0 && column < args.scaled_width && row >= 0 && row < args.scaled_height) {
    const Tap across = args.columns[column], down = args.rows[row];
    const unsigned char* upper = args.image + 3ll * args.image_width * down.first;
    const unsigned char* lower = args.image + 3ll * args.image_width * down.second;
    for (int c = 0; c < 3; ++c) bytes[c] = Byte(upper, lower, across, down, c);
  }
  const long long pixel = static_cast<long long>(y) * args.canvas_width + x;
  const long long plane = static_cast<long long>(args.canvas_height) * args.canvas_width;
  for (int c = 0; c < 3; ++c) {
    if (args.values != nullptr)
      static_cast<float*>(args.out)[c * plane + pixel] = args.values[256 * c + Pick(bytes, args.order[c])];
    else
      static_cast<unsigned char*>(args.out)[3 * pixel + c] = static_cast<unsigned char>(bytes[c]);
  }
}

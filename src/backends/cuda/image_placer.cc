#include "backends/cuda/image_placer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "backends/cuda/resize_taps.h"
#include "base/error.h"

namespace tenon {
namespace {

using cuda::ImageTap;

/// Where the taps begin behind an image's bytes.
size_t TapsAfter(size_t pixel_bytes) { return (pixel_bytes + 63) / 64 * 64; }

/// As kernels/letterbox.cu has it.
struct Args {
  cuda::DevicePtr image, columns, rows, values, out;
  int image_width, scaled_height, scaled_width, top = 0, left = 0, canvas_height, canvas_width;
  int order[3];
  int border = 0;
};

size_t PixelBytes(int height, int width) {
  return size_t{3} * static_cast<size_t>(height) * static_cast<size_t>(width);
}

bool IsTwice(const ImagePlacement& p) { return p.first_height != p.image_height || p.first_width != p.image_width; }

/// Taps of one axis of one scaling, behind those that are there.
void Append(std::vector<std::byte>& bytes, int from, int to, bool is_row) {
  const std::vector<ImageTap> taps = cuda::ResizeTaps(from, to, is_row);
  const auto raw = std::as_bytes(std::span(taps));
  bytes.insert(bytes.end(), raw.begin(), raw.end());
}

/// Of all scalings of an image.
std::vector<std::byte> TapsOf(const ImagePlacement& p) {
  std::vector<std::byte> taps;
  if (IsTwice(p)) {
    Append(taps, p.image_width, p.first_width, false);
    Append(taps, p.image_height, p.first_height, true);
  }
  Append(taps, p.first_width, p.scaled_width, false);
  Append(taps, p.first_height, p.scaled_height, true);
  return taps;
}

/// With room for somewhat larger images: pinning memory takes as long as scaling some.
template <class Buffer, class... Arguments>
void Grow(std::unique_ptr<Buffer>& buffer, size_t bytes, size_t old_bytes, const cuda::Driver& driver,
          Arguments... arguments) {
  if (buffer && old_bytes >= bytes) return;
  buffer.reset();  // before the new one is there: both need not fit
  buffer = std::make_unique<Buffer>(driver, std::bit_ceil(bytes), arguments...);
}

}  // namespace

cuda::KernelSource LetterboxSource() { return {.entry = "letterbox_kernel", .text = "#include \"letterbox.cu\"\n"}; }

bool ReadsImages(const Program& program) {
  const auto is_image = [](const ProgramOperand& operand) {
    return operand.memory == MemoryKind::kInput && operand.dtype == DType::kFloat32 && operand.shape.size() == 4 &&
           operand.shape[1] == 3;
  };
  return std::any_of(program.steps.begin(), program.steps.end(), [&](const ProgramStep& step) {
    return std::any_of(step.inputs.begin(), step.inputs.end(), is_image);
  });
}

ImagePlacer::ImagePlacer(std::shared_ptr<const cuda::GpuContext> gpu, std::span<const std::byte> code,
                         const Shape& shape, const ImageFormat& format)
    : gpu_(std::move(gpu)),
      driver_(gpu_->driver()),
      shape_(shape),
      format_(format),
      kernel_(driver_, code, LetterboxSource().entry, 0),
      stream_(driver_),
      begin_(driver_),
      end_(driver_),
      tensor_(driver_, static_cast<size_t>(ElemCount(shape)) * sizeof(float), "images"),
      values_(driver_, sizeof(format.values), "a table") {
  TENON_CHECK(shape.size() == 4 && shape[1] == 3);
  values_.CopyFrom(std::as_bytes(std::span(&format_.values, 1)));
  tensor_.Fill(0);
  for (int64_t i = 0; i < shape[0]; ++i) slots_.push_back(std::make_unique<Slot>(driver_));
}

ImagePlacer::~ImagePlacer() { driver_.api().stream_synchronize(stream_.handle()); }  // unchecked: a GPU may be lost

void ImagePlacer::Prepare(int64_t place, const uint8_t* pixels, const ImagePlacement& placement) {
  Slot& slot = *slots_.at(static_cast<size_t>(place));
  const std::vector<std::byte> taps = TapsOf(placement);
  const size_t pixel_bytes = PixelBytes(placement.image_height, placement.image_width);
  const size_t taps_at = TapsAfter(pixel_bytes), old_bytes = slot.device ? slot.device->size_bytes() : 0;
  slot.copied.Synchronize();
  slot.placement = placement;
  slot.bytes = taps_at + taps.size();
  Grow(slot.host, slot.bytes, old_bytes, driver_);
  Grow(slot.device, slot.bytes, old_bytes, driver_, "an image");
  if (IsTwice(placement))
    Grow(slot.first, PixelBytes(placement.first_height, placement.first_width),
         slot.first ? slot.first->size_bytes() : 0, driver_, "a scaled image");
  std::memcpy(slot.host->data(), pixels, pixel_bytes);
  std::memcpy(slot.host->data() + taps_at, taps.data(), taps.size());
  slot.is_prepared = true;
}

void ImagePlacer::Send() {
  begin_.Record(stream_);
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = *slots_[i];
    if (!std::exchange(slot.is_prepared, false)) continue;
    stream_.CopyFromHost(slot.device->address(), slot.host->data(), slot.bytes);
    slot.copied.Record(stream_);
    Place(slot, static_cast<int64_t>(i));
  }
  end_.Record(stream_);
}

void ImagePlacer::Launch(const void* arguments, int height, int width) {
  constexpr unsigned kThreads = 256;
  stream_.Launch(kernel_,
                 {.grid_x = (static_cast<unsigned>(width) + kThreads - 1) / kThreads,
                  .grid_y = static_cast<unsigned>(height),
                  .block_x = kThreads},
                 cuda::LaunchOrder::kSerial, const_cast<void*>(arguments));
}

void ImagePlacer::Place(Slot& slot, int64_t place) {
  const ImagePlacement& p = slot.placement;
  // In the order of TapsOf.
  cuda::DevicePtr taps = slot.device->address() + TapsAfter(PixelBytes(p.image_height, p.image_width));
  const auto take = [&](int count) {
    return std::exchange(taps, taps + sizeof(ImageTap) * static_cast<cuda::DevicePtr>(count));
  };
  cuda::DevicePtr image = slot.device->address();
  if (IsTwice(p)) {
    const cuda::DevicePtr columns = take(p.first_width), rows = take(p.first_height);
    const Args args{.image = image,
                    .columns = columns,
                    .rows = rows,
                    .values = 0,
                    .out = slot.first->address(),
                    .image_width = p.image_width,
                    .scaled_height = p.first_height,
                    .scaled_width = p.first_width,
                    .canvas_height = p.first_height,
                    .canvas_width = p.first_width,
                    .order = {0, 1, 2}};
    Launch(&args, p.first_height, p.first_width);
    image = slot.first->address();
  }
  const auto height = static_cast<int>(shape_[2]), width = static_cast<int>(shape_[3]);
  const cuda::DevicePtr columns = take(p.scaled_width), rows = take(p.scaled_height);
  const auto offset = static_cast<cuda::DevicePtr>(place * 3 * shape_[2] * shape_[3]) * sizeof(float);
  const Args args{.image = image,
                  .columns = columns,
                  .rows = rows,
                  .values = values_.address(),
                  .out = tensor_.address() + offset,
                  .image_width = p.first_width,
                  .scaled_height = p.scaled_height,
                  .scaled_width = p.scaled_width,
                  .top = p.top,
                  .left = p.left,
                  .canvas_height = height,
                  .canvas_width = width,
                  .order = {format_.order[0], format_.order[1], format_.order[2]},
                  .border = format_.border};
  Launch(&args, height, width);
}

double ImagePlacer::Microseconds() const { return end_.MicrosecondsSince(begin_); }

}  // namespace tenon

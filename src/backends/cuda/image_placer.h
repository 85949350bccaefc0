#pragma once
#include <memory>
#include <vector>

#include "backends/cuda/cuda_device.h"
#include "backends/image_placement.h"
#include "engine/program.h"

namespace tenon {

/// The kernel that puts images into tensors; part of every GPU plan that reads images, so that running needs no
/// compiler.
cuda::KernelSource LetterboxSource();
/// Whether a step reads an FP32 image of three channels from an input.
bool ReadsImages(const Program& program);

/// A batch of images as an N x 3 x H x W tensor in FP32 in the GPU's memory, scaled and placed there: what crosses to
/// the GPU are the image's own bytes. Not for two threads at once, but for Prepare.
class ImagePlacer {
 public:
  /// `code`: of LetterboxSource. `shape`: of the tensor.
  ImagePlacer(std::shared_ptr<const cuda::GpuContext> gpu, std::span<const std::byte> code, const Shape& shape,
              const ImageFormat& format);
  ~ImagePlacer();

  /// Takes an image for a place into pinned memory; the pixels may be changed when the call returns. For many threads
  /// at once, of different places.
  void Prepare(int64_t place, const uint8_t* pixels, const ImagePlacement& placement);
  /// Puts what was prepared into the tensor, in stream().
  void Send();
  cuda::DevicePtr tensor() const { return tensor_.address(); }
  const cuda::Stream& stream() const { return stream_; }
  /// Of the last Send, which must be done.
  double Microseconds() const;

 private:
  /// Memory of one place, for the largest image so far.
  struct Slot {
    explicit Slot(const cuda::Driver& driver) : copied(driver) {}
    std::unique_ptr<cuda::HostBuffer> host;
    std::unique_ptr<cuda::DeviceBuffer> device, first;  ///< image and taps; the image after its first scaling
    cuda::Event copied;                                 ///< `host` may be written again
    ImagePlacement placement;
    size_t bytes = 0;  ///< in `host`
    bool is_prepared = false;
  };
  void Place(Slot& slot, int64_t place);
  void Launch(const void* arguments, int height, int width);

  std::shared_ptr<const cuda::GpuContext> gpu_;
  const cuda::Driver& driver_;
  Shape shape_;
  ImageFormat format_;
  cuda::GpuKernel kernel_;
  cuda::Stream stream_;
  cuda::Event begin_, end_;
  cuda::DeviceBuffer tensor_, values_;
  std::vector<std::unique_ptr<Slot>> slots_;  ///< by place
};

}  // namespace tenon

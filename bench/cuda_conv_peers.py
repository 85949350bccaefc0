"""The convolutions of YOLOv8 in PyTorch (cuDNN, channels last, autotuned), for cuda_conv_bench's layers: reads that
program's output on stdin and adds a column: convolution, SiLU and residual as torch runs them in a CUDA graph."""
import re
import sys

import torch
import torch.nn.functional as F

torch.backends.cudnn.benchmark = True
LAYER = re.compile(r"^(\S+)\s+(\d+)x\d+ (\d+)-(\d+) k(\d) s(\d)( \+)?\s+x(\d+)\s+([\d.]+) us")
LAUNCHES = 20


def median_us(step):
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(LAUNCHES):
            step()
    times = []
    for _ in range(12):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return 1000 * sorted(times)[len(times) // 2] / LAUNCHES


def layer_us(match, batch, dtype):
    name, size, ic, oc, kernel, stride, residual = match.group(1, 2, 3, 4, 5, 6, 7)
    size, ic, oc, kernel, stride = map(int, (size, ic, oc, kernel, stride))
    options = dict(device="cuda", dtype=dtype)
    x = torch.randn(batch, ic, size, size, **options).to(memory_format=torch.channels_last)
    w = (torch.randn(oc, ic, kernel, kernel, **options) * 0.05).to(memory_format=torch.channels_last)
    b = torch.randn(oc, **options)
    r = torch.randn(batch, oc, size // stride, size // stride, **options).to(memory_format=torch.channels_last)

    def whole():
        y = F.conv2d(x, w, b, stride, kernel // 2)
        if name != "head":
            y = F.silu(y, inplace=True)
        return y.add_(r) if residual else y

    return median_us(lambda: F.conv2d(x, w, None, stride, kernel // 2)), median_us(whole)


def main():
    batch, dtype = int(sys.argv[1]), {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}[sys.argv[2]]
    ours = conv = whole = 0.0
    with torch.inference_mode():
        for line in sys.stdin:
            match = LAYER.match(line)
            if not match:
                continue
            count, us = int(match.group(8)), float(match.group(9))
            bare, fused = layer_us(match, batch, dtype)
            ours, conv, whole = ours + count * us, conv + count * bare, whole + count * fused
            print(f"{line[:38]} ours {us:9.2f} us, cuDNN's convolution {bare:9.2f}, with bias, SiLU, residual {fused:9.2f}")
    print(f"sum: ours {ours:.1f} us, cuDNN's convolutions {conv:.1f}, with epilogues {whole:.1f}")


if __name__ == "__main__":
    main()

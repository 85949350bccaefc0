"""The commands on a GPU that software emulates (tests/emulator, found by LD_LIBRARY_PATH), on nets that are small enough
for that. What they compute is checked against the reference."""
import array
import json
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

from cli_testing import ROOT, CliTest, run

NETS = ROOT / "fuzz" / "corpus" / "onnx_reader"


def numbers(path):
    """The elements of a .npy file of FP32."""
    data = pathlib.Path(path).read_bytes()
    header = 10 + int.from_bytes(data[8:10], "little")
    return array.array("f", data[header:])


class GpuCommands(CliTest):
    @classmethod
    def setUpClass(cls):  # without the example: too large to emulate
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="tenon-gpu-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.cache = cls.folder / "cache"
        cls.cache.mkdir()
        os.environ["XDG_CACHE_HOME"] = str(cls.cache)

    def outputs(self, model, name, *flags):
        folder = self.folder / name
        self.succeed("run", model, "--duration-s", 0, "--iterations", 1, "--seed", 3, "--save-outputs", folder, *flags)
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    def largest_difference(self, name, other):
        worst = 0.0
        for path in (self.folder / name).iterdir():
            a, b = numbers(path), numbers(self.folder / other / path.name)
            self.assertEqual(len(a), len(b))
            scale = max(1.0, max(map(abs, b)))
            worst = max(worst, max(abs(x - y) for x, y in zip(a, b)) / scale)
        return worst

    def test_devices(self):
        self.assertIn("emulated GPU", self.succeed("devices").stdout)

    def test_the_gpu_is_the_default_and_agrees_with_the_reference(self):
        for net in ("net_backbone", "net_mobile", "net_transformer", "net_quantized"):
            for flag, tolerance in ((), 1e-5), (("--half",), 2e-2):
                engine = self.folder / f"{net}{''.join(flag)}.tenon"
                done = self.succeed("export", NETS / f"{net}.onnx", "--effort", 0, "-o", engine, *flag)
                self.assertIn("emulated GPU", done.stdout + done.stderr)
                first = self.outputs(engine, f"{engine.stem}-gpu")
                self.assertEqual(first, self.outputs(engine, f"{engine.stem}-again"), "other bits")
                self.outputs(NETS / f"{net}.onnx", f"{engine.stem}-right", "--device", "reference")
                self.assertLess(self.largest_difference(f"{engine.stem}-gpu", f"{engine.stem}-right"), tolerance, net)

    def test_tuning_and_the_caches(self):
        timing = self.folder / "timing"
        engines = [self.folder / f"tuned{i}.tenon" for i in range(2)]
        for engine in engines:
            self.succeed("export", NETS / "net_mobile.onnx", "--effort", 1, "--timing-cache", timing, "-o", engine)
        self.assertEqual(engines[0].read_bytes(), engines[1].read_bytes())
        self.assertTrue(any((self.cache / "tenon" / "kernels").glob("*.cubin")))

    def test_streams_share_an_engine(self):
        engine = self.folder / "streams.tenon"
        self.succeed("export", NETS / "net_mobile.onnx", "--effort", 0, "-o", engine)
        done = self.succeed("run", engine, "--streams", 3, "--duration-s", 0, "--iterations", 4, "--json")
        self.assertEqual(json.loads(done.stdout)["iterations"], 12)

    def test_engines_of_other_devices(self):
        cpu, gpu = self.folder / "cpu.tenon", self.folder / "gpu.tenon"
        self.succeed("export", NETS / "net_mobile.onnx", "--effort", 0, "--device", "cpu", "-o", cpu)
        self.succeed("export", NETS / "net_mobile.onnx", "--effort", 0, "-o", gpu)
        self.assert_refused(["run", cpu, "--device", "cuda"], code=3, says=["no plan", "--build"])
        self.assert_refused(["run", gpu, "--device", "cpu"], code=3, says=["no plan", "emulated GPU", "--build"])
        self.assert_refused(["run", gpu, "--device", "cuda:1"], code=3, says=["no such GPU", "cuda:0"])
        with_plans = self.succeed("run", cpu, "--device", "cuda", "--build", "--duration-s", 0, "--iterations", 1)
        self.assertIn("emulated GPU", with_plans.stderr + with_plans.stdout)

    def test_a_built_plan_is_kept_and_built_again_when_it_is_damaged(self):
        cpu = self.folder / "kept.tenon"
        self.succeed("export", NETS / "net_mobile.onnx", "--effort", 0, "--device", "cpu", "-o", cpu)
        arguments = ["run", cpu, "--device", "cuda", "--build", "--duration-s", 0, "--iterations", 1]
        self.succeed(*arguments)
        kept = max((self.cache / "tenon" / "engines").glob("*.tenon"), key=lambda path: path.stat().st_mtime_ns)
        whole = kept.read_bytes()
        self.assertNotIn("warning", self.succeed(*arguments).stderr)
        kept.write_bytes(whole[: len(whole) // 2])
        self.assertIn("cached plan is not usable", self.succeed(*arguments).stderr)
        self.assertEqual(kept.read_bytes(), whole)


if __name__ == "__main__":
    if not any(pathlib.Path(folder, "libcuda.so.1").exists() for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":")):
        sys.exit("run it by ctest -R emulated_gpu: LD_LIBRARY_PATH must name the emulator's folder")
    unittest.main()

"""Files of `tenon export --format onnx` in ONNX Runtime: the bundled example in FP32, FP16 and with the Q/DQ of --int8."""
import os
import pathlib
import subprocess
import tempfile
import unittest

import onnx

import compare
import oracle

EXAMPLE = oracle.ROOT / "examples" / "forklift"
MODEL = EXAMPLE / "forklift.onnx"


class OnnxExport(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="tenon-onnx-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.source = onnx.load(str(MODEL))
        cls.inputs = oracle.make_inputs(MODEL.stem, oracle.input_shapes(cls.source))
        cls.expected = oracle.run_oracle(MODEL, cls.inputs)["output0"]

    def export(self, *flags):
        out = self.folder / f"{'_'.join(flag for flag in flags if flag in ('--half', '--int8'))}.onnx"
        done = subprocess.run([oracle.TENON, "export", str(MODEL), "--format", "onnx", "--effort", "0", "-o", str(out), *flags],
                              capture_output=True, text=True, check=False, env={**os.environ, "XDG_CACHE_HOME": str(self.folder)})
        self.assertEqual(done.returncode, 0, done.stderr)
        onnx.checker.check_model(str(out), full_check=True)
        return out

    def ops(self, path):
        return [node.op_type for node in onnx.load(str(path)).graph.node]

    def test_fp32(self):
        out = self.export()
        found = compare.difference("fp32", oracle.run_oracle(out, self.inputs)["output0"], self.expected)
        self.assertLessEqual(found.relative, compare.tolerance(oracle.sum_of_k(self.source)), str(found))
        self.assertLess(len(self.ops(out)), len(self.ops(MODEL)))

    def test_half(self):
        """Weights and results of each of L layers are rounded to FP16 (u = 2^-11), which adds in quadrature: u * sqrt(2 L / 3); the
        head amplifies that as it does in compare.py."""
        out = self.export("--half")
        found = compare.difference("half", oracle.run_oracle(out, self.inputs)["output0"], self.expected)
        layers = self.ops(out).count("Conv")
        self.assertLessEqual(found.rms, compare.HEAD_GAIN * 2.0**-11 * (2 * layers / 3) ** 0.5, str(found))
        self.assertGreater(found.rms, 0, "nothing was rounded")

    def test_int8(self):
        """Where a sum comes close to a tie between two steps, its last bit decides, and what follows spreads that: two evaluations of the
        same Q/DQ in floats differ by it, ONNX Runtime's and that of Tenon's reference. The integer kernels may be twice as far from
        ONNX Runtime: their sums are exact, and their SiLU has 16 bits."""
        out = self.export("--int8", "--data", str(EXAMPLE / "data.yaml"), "--max-images", "8", "--calib", str(self.folder / "c.calib"))
        ops = self.ops(out)
        self.assertGreater(ops.count("QuantizeLinear"), 0.9 * ops.count("Conv") / 2)
        expected = oracle.run_oracle(out, self.inputs)["output0"]
        runs = {device: compare.difference(device, oracle.run_tenon(out, self.inputs, self.folder, "--effort", 0, "--device", device)[0]["output0"], expected)
                for device in ("reference", "cpu")}
        print(f"int8: {runs['cpu']}; the reference: {runs['reference']}; from FP32: {compare.difference('source', expected, self.expected)}")
        self.assertLessEqual(runs["cpu"].rms, 2 * runs["reference"].rms)
        self.assertGreater(runs["cpu"].cosine, 0.999)


if __name__ == "__main__":
    unittest.main()

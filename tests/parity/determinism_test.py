"""The same bytes again: another run, process, number of threads, number of streams, a rebuild, another place in a batch."""
import os
import pathlib
import tempfile
import unittest

import numpy as np
import onnx

import oracle

EXAMPLE = oracle.ROOT / "examples" / "forklift" / "forklift.onnx"


def open_models():
    folder = os.environ.get("TENON_PARITY_MODELS")
    return [p for p in sorted(pathlib.Path(folder).glob("*.onnx")) if oracle.has_open_dims(onnx.load(str(p)))] if folder else []


def outputs(path, inputs, *flags, iterations=1):
    with tempfile.TemporaryDirectory() as folder:
        return oracle.run_tenon(path, inputs, folder, "--effort", 0, *flags, iterations=iterations)[0]


class Determinism(unittest.TestCase):
    def assert_same_bytes(self, got, expected, label):
        self.assertEqual(list(got), list(expected), label)
        for name, values in expected.items():
            self.assertEqual(got[name].tobytes(), values.tobytes(), f"{label}, {name}")

    def test_runs_threads_streams(self):
        model = onnx.load(str(EXAMPLE))
        inputs = oracle.make_inputs(EXAMPLE.stem, oracle.input_shapes(model))
        for precision in ((), ("--half",)):
            first = outputs(EXAMPLE, inputs, *precision)
            other = outputs(EXAMPLE, {name: 1 - x for name, x in inputs.items()}, *precision)
            self.assertTrue(any(np.any(first[name] != other[name]) for name in first), "the input matters")
            for flags in ((), ("--threads", 1), ("--threads", 2), ("--threads", 3), ("--streams", 2)):
                self.assert_same_bytes(outputs(EXAMPLE, inputs, *precision, *flags), first, f"{precision} {flags}")
            self.assert_same_bytes(outputs(EXAMPLE, inputs, *precision, iterations=5), first, f"{precision}, the fifth run")

    def test_place_in_a_batch(self):
        if not open_models():
            self.skipTest("needs models with an open batch: TENON_PARITY_MODELS (export_models.sh with dynamic=True)")
        for path in open_models():
            shapes = oracle.input_shapes(onnx.load(str(path)), 1, (320, 320))
            for precision in ((), ("--half",)):
                with self.subTest(path.stem, precision=precision):
                    singles = [oracle.make_inputs(path.stem, shapes, seed) for seed in range(4)]
                    batch = {name: np.concatenate([single[name] for single in singles]) for name in shapes}
                    flags = ("--imgsz", "320", *precision)
                    together = outputs(path, batch, *flags, "--batch", 4)
                    for place in (0, 3):
                        alone = outputs(path, singles[place], *flags, "--batch", 1)
                        self.assert_same_bytes({name: x[place:place + 1] for name, x in together.items()}, alone, f"place {place}")


if __name__ == "__main__":
    unittest.main()

"""Whole models in FP32 against ONNX Runtime: the fixtures in shared/fixtures/models, the bundled example, and every .onnx of the
folder $TENON_PARITY_MODELS where that is set (shared/tools/export_models.sh fills one with whole families)."""
import os
import pathlib
import tempfile
import unittest

import numpy as np
import onnx

import compare
import oracle

# The scalar reference takes minutes for the others.
SMALL = ("forklift", "nanodet_m_320", "yolox_nano")
# Relative noise on the input that stands for the rounding of the first layers: 16 units in the last place.
INPUT_NOISE = 16 * compare.UNIT_ROUNDOFF


def models():
    example = oracle.ROOT / "examples" / "forklift" / "forklift.onnx"
    fixtures = sorted((oracle.SHARED / "fixtures" / "models").glob("*.onnx"))
    return [example, *fixtures, *extra_models()]


def extra_models():
    folder = os.environ.get("TENON_PARITY_MODELS")
    return sorted(pathlib.Path(folder).glob("*.onnx")) if folder else []


class Models(unittest.TestCase):
    def compare_model(self, path, device, batch=1):
        model = onnx.load(str(path))
        flags = ("--effort", 0, "--device", device)
        if oracle.has_open_dims(model):
            flags += ("--imgsz", "320,320", "--batch", batch)
        inputs = oracle.make_inputs(path.stem, oracle.input_shapes(model, batch, (320, 320)))
        expected = oracle.run_oracle(path, inputs)
        with tempfile.TemporaryDirectory() as folder:
            got = oracle.run_tenon(path, inputs, folder, *flags)[0]
        self.assertEqual(list(got), list(expected))
        limit = compare.tolerance(oracle.sum_of_k(model))
        for name, values in expected.items():
            label = f"{path.stem} on {device}, {name}"
            if oracle.is_quantised(model):
                self.compare_by_own_noise(label, path, inputs, name, got[name], values, 0)
                continue
            if path in extra_models() and not oracle.is_detection_list(values):
                self.compare_by_own_noise(label, path, inputs, name, got[name], values, limit)
                continue
            rows = oracle.is_detection_list(values)
            found = compare.row_difference(label, got[name], values, limit) if rows else compare.difference(label, got[name], values)
            print(f"{label}: {found}, allowed {limit:.1e}")
            self.assertLessEqual(found.relative, limit, label)

    def compare_by_own_noise(self, label, path, inputs, name, got, expected, limit):
        """For models that have no answer to the last bits: quantisation at run time turns a last bit into a whole step, which the
        next layers' ranges and roundings spread; untrained networks amplify noise layer by layer. Tenon may be as far from the
        oracle as the oracle is from itself when its input moves by a few units in the last place (twice that, as these are two
        draws of the same noise), or within the derived tolerance where that is wider."""
        generator = np.random.default_rng(1)
        noisy = {key: (x * (1 + INPUT_NOISE * generator.uniform(-1, 1, x.shape))).astype(x.dtype) for key, x in inputs.items()}
        own = compare.difference(label, oracle.run_oracle(path, noisy)[name], expected)
        found = compare.difference(label, got, expected)
        print(f"{label}: {found}; the oracle from itself: {own}")
        self.assertLessEqual(found.rms, max(limit, 2 * own.rms), label)
        self.assertGreater(found.cosine, 0.99, label)

    def test_every_model(self):
        for path in models():
            with self.subTest(path.stem):
                self.compare_model(path, "cpu")

    def test_small_models_on_the_reference(self):
        for path in models():
            if path.stem in SMALL:
                with self.subTest(path.stem):
                    self.compare_model(path, "reference")

    def test_open_batch(self):
        for path in models():
            if oracle.has_open_dims(onnx.load(str(path))):
                with self.subTest(path.stem):
                    self.compare_model(path, "cpu", batch=2)


if __name__ == "__main__":
    if len(models()) == 1:
        print(f"models_test: {oracle.SHARED / 'fixtures' / 'models'} is missing: only the example is compared")
    unittest.main()

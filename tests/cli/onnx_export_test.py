"""export --format onnx on the bundled example: what is written is the model, in each precision; what is refused. That ONNX Runtime
runs the files is tested in tests/parity."""
import json
import unittest

from cli_testing import EXAMPLE, ONNX, CliTest, run


class OnnxExport(CliTest):
    def write_onnx(self, *flags, name):
        out = self.folder / name
        done = run("export", ONNX, "--format", "onnx", "--effort", 0, "-o", out, "--json", *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return out, json.loads(done.stdout)

    def metrics(self, model, *flags):
        done = run("val", model, "--data", self.data, "--effort", 0, "--json", *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["metrics"]

    def inspect(self, model):
        return json.loads(run("inspect", model, "--json").stdout)

    def test_fp32_is_the_model(self):
        out, result = self.write_onnx(name="simple.onnx")
        self.assertEqual((result["onnx"], result["precision"], result["size_bytes"]), (str(out), "fp32", out.stat().st_size))
        self.assertEqual(self.metrics(out), self.metrics(ONNX))
        written, source = self.inspect(out), self.inspect(ONNX)
        for key in ("inputs", "outputs", "task", "names"):
            self.assertEqual(written[key], source[key])
        self.assertEqual(result["warnings"], [])

    def test_half_is_half_as_large(self):
        whole, _ = self.write_onnx(name="whole.onnx")
        out, result = self.write_onnx("--half", name="halved.onnx")
        self.assertEqual(result["precision"], "half")
        self.assertLess(out.stat().st_size, 0.55 * whole.stat().st_size)
        self.assertEqual(self.inspect(out)["inputs"], self.inspect(ONNX)["inputs"])
        # FP16 has 11 bits: scores move by a thousandth, and on four images a box that changes places is a point.
        self.assertAlmostEqual(self.metrics(out)["map50_95"], self.metrics(ONNX)["map50_95"], delta=0.02)

    def test_int8_is_the_engine_of_the_same_calibration(self):
        """From one calibration file: the Q/DQ file compiled again computes the same as the engine."""
        flags = ["--int8", "--data", self.data, "--map-drop", 100, "--calib", self.folder / "one.calib"]
        out, result = self.write_onnx(*flags, name="quantised.onnx")
        self.assertEqual(result["precision"], "int8")
        self.assertIn("convs in INT8", result["int8"])
        self.assertTrue(any("images" in warning for warning in result["warnings"]), result["warnings"])
        engine, again = self.folder / "direct.tenon", self.folder / "again.tenon"
        for arguments in (["export", ONNX, *flags, "-o", engine], ["export", out, "-o", again]):
            done = run(*arguments, "--effort", 0, "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertGreater(json.loads(done.stdout)["flops_share"]["int8"], 0.99)
        self.assertAlmostEqual(self.metrics(again)["map50_95"], self.metrics(engine)["map50_95"], delta=0.01)
        self.assertLess(out.stat().st_size, 0.4 * ONNX.stat().st_size)

    def test_default_names_stand_beside_the_source(self):
        model = self.write("models/m.onnx", ONNX.read_bytes())
        done = run("export", model, "--format", "onnx", "--half")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((model.parent / "m_half.onnx").exists())
        self.assertEqual(sorted(p.name for p in model.parent.iterdir()), ["m.onnx", "m_half.onnx"])

    def test_refusals(self):
        export = ["export", ONNX, "--format", "onnx"]
        self.assert_refused(["export", self.engine, "--format", "onnx"], says=["onnx file", "forklift.tenon"])
        self.assert_refused([*export, "--add-device"], says=["onnx file"])
        self.assert_refused([*export, "--int8"], says=["--data"])
        self.assert_refused([*export, "-o", "/proc/x.onnx"], says=["/proc/x.onnx"])
        self.assert_refused(["export", ONNX, "--format", "pickle"], says=["--format"])
        model = self.write("self.onnx", ONNX.read_bytes())
        self.assert_refused(["export", model, "--format", "onnx", "-o", model], says=["replace its source"])
        self.assertEqual(model.read_bytes(), ONNX.read_bytes())

    def test_models_with_their_own_quantisation(self):
        out, _ = self.write_onnx("--int8", "--data", self.data, "--map-drop", 100, name="own.onnx")
        self.assert_refused(["export", out, "--format", "onnx", "--half", "-o", self.folder / "x.onnx"], says=["own quantisation", "--half"])
        self.assert_refused(["export", out, "--format", "onnx", "--int8", "--data", self.data, "-o", self.folder / "x.onnx"],
                            says=["own quantisation", "--int8"])
        again = self.folder / "own_again.onnx"
        done = run("export", out, "--format", "onnx", "-o", again)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.metrics(again), self.metrics(out))


if __name__ == "__main__":
    unittest.main()

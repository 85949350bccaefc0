"""Engines of several batch sizes: export --batch 1,3,8 and what the other commands make of them."""
import json
import struct
import unittest

from cli_testing import EXAMPLE, CliTest, npy, onnx_model, run

ELEMS = 3 * 8 * 8
QUICK = ["--duration-s", 0, "--iterations", 1, "--warmup-ms", 0]


def rows_of(path):
    """The shape of a .npy file, and its floats."""
    data = path.read_bytes()
    length = struct.unpack("<H", data[8:10])[0]
    header, body = data[10:10 + length].decode(), data[10 + length:]
    shape = tuple(int(d) for d in header.split("'shape': (")[1].split(")")[0].split(",") if d.strip())
    return shape, struct.unpack(f"<{len(body) // 4}f", body)


class BatchTest(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.onnx = cls.folder / "net.onnx"
        cls.onnx.write_bytes(onnx_model("Sigmoid", shape=("N", 3, 8, 8)))
        cls.net = cls.folder / "net.tenon"
        cls.made = run("export", cls.onnx, "--batch", "8,1,3,1", "--effort", 0, "-o", cls.net, "--json")
        if cls.made.returncode != 0:
            raise RuntimeError(cls.made.stderr)

    def outputs(self, *flags):
        folder = self.folder / "outputs"
        done = run("run", self.net, *QUICK, "--save-outputs", folder, "--json", *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout), rows_of(folder / "output0.npy")

    def test_export_and_inspect_say_the_sizes(self):
        self.assertEqual(json.loads(self.made.stdout)["batches"], [1, 3, 8])
        engine = json.loads(run("inspect", self.net, "--json").stdout)
        self.assertEqual(engine["batches"], [1, 3, 8])
        self.assertEqual([plan["batch"] for plan in engine["plans"]], [1, 3, 8])
        self.assertEqual(engine["inputs"][0]["shape"], [1, 3, 8, 8])
        self.assertIn("batch 8, ", run("inspect", self.net).stdout)
        layers = json.loads(run("inspect", self.net, "--layers", "--batch", 2, "--json").stdout)["layers"]
        self.assertIn("[3,3,8,8]", layers[0]["output"])

    def test_the_smallest_size_that_holds_the_batch_runs_and_the_rest_is_padded(self):
        values = [i / 100 - 3 for i in range(2 * ELEMS)]
        given = self.write("two.npy", npy(values, (2, 3, 8, 8)))
        report, (shape, rows) = self.outputs("--batch", 2, "--inputs", f"images={given}")
        self.assertEqual((report["batch"], shape), (3, (2, 3, 8, 8)))
        for i in (0, 1):  # each as it is alone, bit by bit
            one = self.write("one.npy", npy(values[i * ELEMS:(i + 1) * ELEMS], (1, 3, 8, 8)))
            alone, (_, row) = self.outputs("--inputs", f"images={one}")
            self.assertEqual(alone["batch"], 1)
            self.assertEqual(row, rows[i * ELEMS:(i + 1) * ELEMS])
        report, (shape, _) = self.outputs("--batch", 8)
        self.assertEqual((report["batch"], shape), (8, (8, 3, 8, 8)))

    def test_profile_times_the_chosen_size(self):
        done = run("profile", self.net, "--batch", 4, "--iterations", 2, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_benchmark_measures_the_chosen_size(self):
        done = run("benchmark", self.net, "--batch", 2, "--iterations", 3, "--duration-s", 0, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        row = json.loads(done.stdout)["rows"][0]
        self.assertEqual(row["status"], "ok")
        self.assertAlmostEqual(row["fps"] * row["latency_ms"]["median"] / 1e3, 3, places=2)  # all places of the size count

    def test_what_no_size_holds_is_refused(self):
        quick = ["run", self.net, *QUICK]
        self.assert_refused([*quick, "--batch", 9], says=["--batch 9", "at most 8", "1, 3, 8", "export"])
        self.assert_refused([*quick, "--batch", "1,3"], says=["several batch sizes", "--batch", "1,3"])
        self.assert_refused(["inspect", self.net, "--layers", "--batch", 9], says=["at most 8"])
        self.assert_refused(["run", self.onnx, *QUICK, "--batch", "1,3"], says=["several batch sizes"])
        self.assert_refused(["val", self.engine, "--data", self.data, "--batch", 2], says=["--batch 2", "at most 1"])
        wrong = self.write("wrong.npy", npy([0] * ELEMS, (1, 3, 8, 8)))
        self.assert_refused([*quick, "--batch", 2, "--inputs", f"images={wrong}"], says=["[2,3,8,8]"])

    def test_bad_lists_are_refused(self):
        export = ["export", self.onnx, "-o", self.folder / "new.tenon", "--effort", 0]
        for batch in ("1,", ",1", "1,,2", "1,x", "0,1", "1,1025", "1 2", "-1"):
            self.assert_refused([*export, f"--batch={batch}"], says=["--batch", batch])
        self.assert_refused([*export, "--batch", "1,3", "--int8", "--data", self.data], says=["several batch sizes"])
        self.assert_refused([*export, "--batch", "1,3", "--format", "onnx"], says=["several batch sizes"])
        self.assert_refused(["ship", self.onnx, "--data", self.data, "--batch", "1,3"], says=["several batch sizes"])
        fixed = EXAMPLE / "forklift.onnx"
        self.assert_refused(["export", fixed, "-o", self.folder / "new.tenon", "--batch", "1,3"], says=["fixed", "3"])

    def test_a_workspace_that_is_too_small_is_refused(self):
        big = self.write("big.onnx", onnx_model("Sigmoid", shape=("N", 3, 512, 512)))
        fixed = EXAMPLE / "forklift.onnx"
        export = ["export", fixed, "-o", self.folder / "new.tenon", "--effort", 0, "--workspace"]
        self.assert_refused([*export, 0.001], code=3, says=["--workspace", "0.001 GiB", "activations", "--batch"])
        done = run("export", big, "--effort", 0, "-o", self.folder / "big.tenon", "--workspace", 1, "--batch", "1,2")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_val_and_predict_fill_the_places(self):
        """By the example, whose one size is 1: what they say stays as it is with --batch 1."""
        plain = json.loads(run("val", self.engine, "--data", self.data, "--json").stdout)
        one = json.loads(run("val", self.engine, "--data", self.data, "--batch", 1, "--json").stdout)
        self.assertEqual(plain["metrics"], one["metrics"])


if __name__ == "__main__":
    unittest.main()

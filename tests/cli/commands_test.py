"""What the commands print and write on the bundled example: docs/cli.md's contract."""
import json
import struct
import unittest

from cli_testing import EXAMPLE, IMAGE, ONNX, CliTest, npy, run


class Commands(CliTest):
    def json_of(self, *arguments):
        return json.loads(self.succeed(*arguments, "--json").stdout)

    def test_export(self):
        out = self.folder / "json.tenon"
        result = self.json_of("export", ONNX, "--effort", 0, "-o", out)
        self.assertEqual(result["engine"], str(out))
        self.assertEqual(result["size_bytes"], out.stat().st_size)
        self.assertEqual(result["precision"], "fp32")
        self.assertEqual(result["layers"]["half"], 0)
        self.assertAlmostEqual(result["flops_share"]["fp32"], 1)
        self.assertIsInstance(result["warnings"], list)

    def test_export_next_to_the_source_and_key_value_form(self):
        source = self.write("there/model.onnx", ONNX.read_bytes())
        self.succeed("export", f"model={source}", "effort=0", "half=False")
        self.assertTrue((source.parent / "model.tenon").exists())

    def test_same_timing_cache_same_bytes(self):
        timing, a, b = self.folder / "same.timing", self.folder / "a.tenon", self.folder / "b.tenon"
        for out in (a, b):
            self.succeed("export", ONNX, "--effort", 1, "--timing-cache", timing, "-o", out)
        self.assertEqual(a.read_bytes(), b.read_bytes())

    def test_exact_has_no_winograd(self):
        families = {}
        for name, flags in (("fast", []), ("exact", ["--exact"])):
            out = self.folder / f"{name}.tenon"
            self.succeed("export", ONNX, "--effort", 0, "-o", out, *flags)
            profile = self.json_of("profile", out, "--iterations", 1)
            families[name] = {step["family"] for step in profile["steps"]}
            for step in profile["steps"]:
                self.assertEqual(step["work_share"] < 1, "winograd" in step["family"], step["family"])
        self.assertTrue(any("winograd" in family for family in families["fast"]), families)
        self.assertFalse(any("winograd" in family for family in families["exact"]), families)

    def test_val(self):
        result = self.json_of("val", f"model={self.engine}", f"data={self.data}")
        self.assertEqual((result["model"], result["data"], result["images"]), (str(self.engine), str(self.data), 4))
        self.assertEqual(result["instances"], sum(row["instances"] for row in result["classes"]))
        for key in ("map50_95", "map50", "map75", "precision", "recall"):
            self.assertGreater(result["metrics"][key], 0.2, key)
            self.assertLessEqual(result["metrics"][key], 1, key)
        self.assertEqual(set(result["classes"][0]), {"id", "name", "instances", "ap50_95", "ap50", "precision", "recall"})
        self.assertEqual(set(result["speed_ms"]), {"preprocess", "inference", "postprocess", "letterbox", "engine"})
        self.assertGreater(result["images_per_s"], 0)
        self.assertGreaterEqual(result["loader_threads"], 1)
        table = self.succeed("val", self.engine, "--data", self.data).stdout
        self.assertIn("forklift", table)
        self.assertIn(f"{result['metrics']['map50_95']:.4f}", table)

    def test_val_of_the_onnx_file_is_val_of_its_engine(self):
        engine = self.json_of("val", self.engine, "--data", self.data)
        onnx = self.json_of("val", ONNX, "--effort", 0, "--data", self.data)
        self.assertEqual(engine["metrics"], onnx["metrics"])

    def test_val_saves_detections(self):
        out = self.folder / "detections.json"
        self.succeed("val", self.engine, "--data", self.data, "--save-json", out, "--metrics", "coco")
        self.assertEqual(set(json.loads(out.read_text())[0]), {"image_id", "category_id", "bbox", "score"})

    def test_run(self):
        values = npy([0.25] * (3 * 320 * 320), (1, 3, 320, 320))
        path, out = self.write("input.npy", values), self.folder / "outputs"
        flags = ("--duration-s", 0, "--iterations", 3, "--warmup-ms", 0)
        result = self.json_of("run", self.engine, "--inputs", f"images={path}", "--save-outputs", out, *flags)
        self.assertEqual(result["outputs"][0]["shape"], [1, 11, 2100])
        self.assertEqual(result["outputs"][0]["file"], str(out / "output0.npy"))
        latency = result["latency_ms"]
        self.assertLessEqual(latency["min"], latency["median"])
        self.assertLessEqual(latency["median"], latency["p99"])
        self.assertGreater(result["throughput_ips"], 0)
        self.assertGreater(result["memory_bytes"]["weights"], 0)
        self.assertGreater(result["memory_bytes"]["contexts"], 0)
        first = (out / "output0.npy").read_bytes()
        self.assertEqual(len(first) % 64, (11 * 2100 * 4) % 64)  # the header of .npy is padded
        self.assertTrue(all(abs(v) < 1e6 for v in struct.unpack(f"<{11 * 2100}f", first[-11 * 2100 * 4:])))
        # Another process, another number of threads: the same bytes.
        self.succeed("run", self.engine, "--inputs", f"images={path}", "--save-outputs", out, "--threads", 1, *flags)
        self.assertEqual((out / "output0.npy").read_bytes(), first)

    def test_throughput_of_streams_is_of_the_whole_time(self):
        """Streams start one after another: the time from the first to the last is at least that of the longest run."""
        result = self.json_of("run", self.engine, "--streams", 16, "--warmup-ms", 0, "--duration-s", 0, "--iterations", 1, "--all-times")
        self.assertEqual(len(result["times_ms"]), 16)
        self.assertLessEqual(result["throughput_ips"] * max(result["times_ms"]) / 1e3, 16 * 1.001)

    def test_inspect(self):
        result = self.json_of("inspect", self.engine, "--layers")
        self.assertEqual((result["kind"], result["task"]), ("engine", "detect"))
        self.assertEqual(len(result["layers"]), result["plans"][0]["steps"])
        self.assertEqual(set(result["plans"][0]["memory_bytes"]), {"weights", "activations", "workspace"})
        self.assertTrue(any(layer["sources"] for layer in result["layers"]))
        self.assertEqual(self.json_of("inspect", ONNX)["kind"], "onnx")
        self.assertIn("output0", self.succeed("inspect", self.engine).stdout)

    def test_devices(self):
        result = self.json_of("devices")
        self.assertEqual(result["devices"][0]["name"], "cpu")
        self.assertIn("fp32", result["devices"][0]["precisions"])

    def test_predict(self):
        out = self.folder / "predicted"
        result = self.json_of("predict", self.engine, IMAGE, "--save-dir", out, "--save-txt")
        found = result["images"][0]["detections"]
        self.assertGreater(len(found), 0)
        self.assertTrue((out / IMAGE.name).read_bytes().startswith(b"\xff\xd8"))
        self.assertEqual(len((out / "labels" / (IMAGE.stem + ".txt")).read_text().splitlines()), len(found))
        lines = self.succeed("predict", self.engine, EXAMPLE / "images" / "val" / "val0000[0-2].jpg", "--save-dir", out).stdout.splitlines()
        self.assertEqual(sum(line.startswith("image ") for line in lines), 3)

    def test_quiet_and_json_keep_the_streams_apart(self):
        for arguments in (["export", ONNX, "--effort", 0, "-o", self.folder / "quiet.tenon"], ["val", self.engine, "--data", self.data],
                          ["run", self.engine, "--duration-s", 0, "--iterations", 1], ["inspect", self.engine], ["devices"],
                          ["predict", self.engine, IMAGE, "--save-dir", self.folder / "quiet"]):
            with self.subTest(arguments[0]):
                self.assertEqual(self.succeed(*arguments, "--quiet").stderr, "")
                self.assertIsInstance(json.loads(self.succeed(*arguments, "--json", "--quiet").stdout), dict)

    def test_no_colour_and_no_progress_bar_into_a_pipe(self):
        done = self.succeed("val", self.engine, "--data", self.data)
        self.assertNotIn("\x1b", done.stdout + done.stderr)
        self.assertNotIn("\r", done.stdout + done.stderr)

    def test_help_and_version(self):
        self.assertIn("export", self.succeed("--help").stdout)
        for command in ("export", "val", "run", "inspect", "devices", "predict"):
            self.assertIn(command, self.succeed(command, "--help").stdout)
        self.assertRegex(self.succeed("--version").stdout, r"\d+\.\d+")


if __name__ == "__main__":
    unittest.main()

"""`tenon benchmark`: rows, JSON, plot; a failed row doesn't stop the others; ONNX Runtime where it is."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest
import xml.etree.ElementTree

from cli_testing import ONNX, ROOT, TENON, CliTest, onnx_model, run

FAST = ("--effort", 0, "--duration-s", 0, "--iterations", 5, "--warmup-ms", 0)


def native():
    return json.loads(run("devices", "--json").stdout)["devices"][0]["precisions"]


def python_with_onnxruntime():
    """The oracles' interpreter (make deps), as tests/parity takes it; None where there is none."""
    for python in (os.environ.get("TENON_TEST_PYTHON"), str(ROOT / ".venv" / "bin" / "python"), sys.executable):
        if python and subprocess.run([python, "-c", "import numpy, onnxruntime"], capture_output=True, check=False).returncode == 0:
            return python
    return None


# A worker that behaves until it is told to fail: what ONNX Runtime might do in the middle.
DYING_PYTHON = """#!/bin/sh
exec {python} -c 'import os; os.read(0, 1); os.write(0, b"e" + (5).to_bytes(4, "little") + b"dead!")'
"""


class Benchmark(CliTest):
    def benchmark(self, *arguments, env=None):
        done = run("benchmark", *arguments, *FAST, "--json", "--quiet", env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def check_row(self, row):
        latency = row["latency_ms"]
        self.assertLessEqual(latency["min"], latency["median"])
        self.assertLessEqual(latency["median"], latency["p95"])
        self.assertLessEqual(latency["p95"], latency["p99"])
        self.assertAlmostEqual(row["fps"], 1e3 / latency["median"], places=3)
        self.assertGreater(row["size_mb"], 0)

    def test_every_precision_of_the_device(self):
        result = self.benchmark(ONNX, "--onnxruntime", "none")
        self.assertEqual([r["precision"] for r in result["rows"]], [p for p in native() if p != "int8"])  # that needs --data
        for row in result["rows"]:
            self.assertEqual((row["format"], row["status"]), ("tenon", "ok"))
            self.assertIsNone(row["map50_95"])
            self.check_row(row)
        self.assertIn("load", result)

    def test_the_size_is_that_of_the_exported_file(self):
        row = self.benchmark(ONNX, "--onnxruntime", "none", "--precisions", "fp32")["rows"][0]
        self.assertAlmostEqual(row["size_mb"], self.engine.stat().st_size / 1e6, places=9)

    def test_map_is_that_of_val(self):
        result = self.benchmark(ONNX, "--onnxruntime", "none", "--data", self.data)
        self.assertEqual([r["precision"] for r in result["rows"]], native())
        for row in result["rows"]:
            self.assertEqual(row["status"], "ok", row)
            if row["precision"] == "int8":  # calibrated on the same images: `val` compiles no INT8 by itself
                continue
            flags = ["--half"] if row["precision"] == "half" else []
            val = json.loads(run("val", ONNX, "--effort", 0, "--data", self.data, "--json", *flags).stdout)
            self.assertAlmostEqual(row["map50_95"], val["metrics"]["map50_95"], places=12)
        self.assertEqual(result["images"], 4)

    def test_an_engine_is_one_row(self):
        rows = self.benchmark(self.engine)["rows"]
        self.assertEqual([(r["format"], r["precision"]) for r in rows], [("tenon", "fp32")])

    def test_a_failed_row_says_why_and_the_rest_goes_on(self):
        done = run("benchmark", ONNX, "--precisions", "int8,fp32", "--onnxruntime", "none", *FAST, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = json.loads(done.stdout)["rows"]
        self.assertEqual([r["status"] for r in rows], ["failed", "ok"])
        self.assertIn("--int8", rows[0]["error"])
        self.assertIn("tenon int8", done.stderr)
        table = run("benchmark", ONNX, "--precisions", "int8,fp32", "--onnxruntime", "none", *FAST).stdout.splitlines()
        self.assertRegex(table[1], r"^tenon +int8 +failed: ")
        self.assertRegex(table[2], r"^tenon +fp32 +ok ")

    def test_no_row_at_all_is_an_error(self):
        self.assert_refused(["benchmark", ONNX, "--precisions", "int8", "--onnxruntime", "none", *FAST, "--quiet"], says=["no row", "--int8"])

    def test_plots(self):
        for name, flags, element in (("bars", [], "rect"), ("scatter", ["--data", self.data], "circle")):
            plot = self.folder / f"{name}.svg"
            result = self.benchmark(ONNX, "--onnxruntime", "none", "--plot", plot, *flags)
            self.assertEqual(result["plot"], str(plot))
            root = xml.etree.ElementTree.parse(plot).getroot()
            found = [e for e in root.iter("{http://www.w3.org/2000/svg}" + element) if e.get("class", "").startswith("s")]
            self.assertEqual(len(found), len(result["rows"]))
            self.assertIn("tenon fp32", plot.read_text())

    def test_onnxruntime(self):
        python = python_with_onnxruntime()
        if not python:
            self.skipTest("no Python with onnxruntime (make deps, or TENON_TEST_PYTHON)")
        by_flag = self.benchmark(ONNX, "--onnxruntime", python, "--data", self.data, "--precisions", "fp32")
        self.assertEqual([r["format"] for r in by_flag["rows"]], ["tenon", "onnxruntime"])
        ours, theirs = by_flag["rows"]
        self.check_row(theirs)
        self.assertLess(abs(ours["map50_95"] - theirs["map50_95"]), 0.002)  # the same model on the same pixels
        self.assertGreater(theirs["map50_95"], 0.3)
        self.assertAlmostEqual(theirs["size_mb"], ONNX.stat().st_size / 1e6, places=9)
        by_environment = self.benchmark(ONNX, "--precisions", "fp32", env={"TENON_ONNXRUNTIME": python})
        self.assertEqual(len(by_environment["rows"]), 2)

    def test_an_interpreter_that_was_named_and_fails_is_a_failed_row(self):
        dying = self.write("dying", DYING_PYTHON.format(python=sys.executable))
        dying.chmod(0o755)
        for python, says in (("/nowhere/python", "/nowhere/python"), (dying, "dead!"), ("true", "ended before")):
            rows = self.benchmark(ONNX, "--precisions", "fp32", "--onnxruntime", python)["rows"]
            self.assertEqual([r["status"] for r in rows], ["ok", "failed"])
            self.assertIn(says, rows[1]["error"])

    def test_without_onnxruntime_there_is_no_such_row(self):
        bin_folder = self.folder / "bin"
        bin_folder.mkdir()
        fake = bin_folder / "python3"
        fake.write_text("#!" + sys.executable + "\nimport os\nm = b\"ModuleNotFoundError: No module named 'onnxruntime'\"\n"
                        "os.write(0, b'e' + len(m).to_bytes(4, 'little') + m)\n")
        fake.chmod(0o755)
        rows = self.benchmark(ONNX, "--precisions", "fp32", env={"PATH": str(bin_folder)})["rows"]
        self.assertEqual(len(rows), 1)

    def test_a_model_that_is_no_detector(self):
        relu = self.write("relu.onnx", onnx_model("Relu"))
        self.assertEqual(len(self.benchmark(relu, "--onnxruntime", "none")["rows"]), len([p for p in native() if p != "int8"]))
        self.assert_refused(["benchmark", relu, "--onnxruntime", "none", "--data", self.data, "--quiet", *FAST], says=["head"])

    def test_refusals(self):
        for flags, says in ((["--precisions", "fp4"], ["fp4", "int8"]), (["--data", self.folder / "none.yaml"], ["none.yaml"]),
                            (["--iterations", 0], ["--iterations"]), (["--device", "reference"], ["reference"]),
                            (["--plot", self.folder / "none" / "x.svg", "--duration-s", 0, "--iterations", 1], ["x.svg"])):
            with self.subTest(flags=flags):
                self.assert_refused(["benchmark", ONNX, "--effort", 0, "--precisions", "fp32", "--onnxruntime", "none", "--quiet", *flags]
                                    if flags[0] != "--precisions" else ["benchmark", ONNX, "--quiet", *flags], says=says)
        self.assert_refused(["benchmark", self.write("text.onnx", "no model\n" * 50), "--quiet"], says=["text.onnx"])

    def test_interrupt_ends_the_other_process_too(self):
        sleeper = self.write("sleeper", f"#!/bin/sh\necho $$ > {self.folder}/sleeper.pid\nexec sleep 600\n")
        sleeper.chmod(0o755)
        process = subprocess.Popen([TENON, "benchmark", ONNX, "--precisions", "fp32", "--effort", "0", "--onnxruntime", sleeper],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        pid_file = self.folder / "sleeper.pid"
        deadline = time.monotonic() + 60
        while not (pid_file.exists() and pid_file.read_text().strip()) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
        self.assertEqual((process.returncode, stdout), (130, ""), stderr)
        self.assertFalse(pathlib.Path(f"/proc/{pid_file.read_text().strip()}").exists())


if __name__ == "__main__":
    unittest.main()

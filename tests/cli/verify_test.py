"""tenon verify on the bundled example: table, JSON, exit status, what is kept in the engine, what is refused."""
import hashlib
import json
import os
import unittest

from cli_testing import EXAMPLE, ONNX, CliTest, run

NAMES = ["map", "top_class_ap", "p95_latency", "determinism", "precision_as_asked", "confidence", "weights", "not_slower_than_half"]
FAST = ["--warmup-ms", 0, "--duration-s", 0, "--iterations", 2]


class Verify(CliTest):
    def verify(self, *flags, engine=None, code=0):
        done = run("verify", engine or self.engine, "--source", ONNX, "--data", self.data, *FAST, *flags)
        self.assertEqual(done.returncode, code, f"{flags}\n{done.stdout}{done.stderr}")
        return done

    def verify_json(self, *flags, **options):
        return json.loads(self.verify("--json", *flags, **options).stdout)

    def statuses(self, result):
        return {check["name"]: check["status"] for check in result["checks"]}

    def test_json(self):
        result = self.verify_json("--p95-ms", 100000, "--no-save")
        self.assertEqual([check["name"] for check in result["checks"]], NAMES)
        for check in result["checks"]:
            self.assertLessEqual({"name", "status", "value", "threshold", "detail"}, set(check))
        self.assertEqual(self.statuses(result), {**dict.fromkeys(NAMES, "pass"), "not_slower_than_half": "not_judged"})
        self.assertIs(result["passed"], True)
        self.assertEqual((result["engine"], result["precision"], result["fallbacks"]), (str(self.engine), "fp32", []))
        latency = result["checks"][2]
        self.assertEqual(latency["value"], latency["engine_ms"]["p95"])
        self.assertGreater(latency["end_to_end_ms"]["median"], 0)
        self.assertIn("load_average_start", latency["load"])

    def test_without_a_budget_latency_is_not_judged(self):
        result = self.verify_json("--no-save")
        self.assertEqual(self.statuses(result)["p95_latency"], "not_judged")
        self.assertIs(result["passed"], True)

    def test_a_budget_of_nothing_fails(self):
        result = self.verify_json("--p95-ms", 0.01, "--no-save", code=1)
        self.assertIs(result["passed"], False)
        self.assertEqual([c["name"] for c in result["checks"] if c["status"] == "fail"], ["p95_latency"])
        self.assertIn("failed: p95_latency", self.verify("--p95-ms", 0.01, "--no-save", code=1).stdout)

    def test_html_report(self):
        page = self.folder / "a<b.html"
        engine = self.write("a<b.tenon", self.engine.read_bytes())
        self.verify("--report", page, "--no-save", engine=engine)
        html = self.assert_self_contained(page)
        for name in NAMES:
            self.assertIn(name, html)
        self.assertIn("a&lt;b.tenon", html)
        self.assertNotIn("a<b.tenon", html)
        self.assert_refused(["verify", self.engine, "--source", ONNX, "--data", self.data, *FAST, "--no-save", "--report", "/proc/x.html"],
                            says=["/proc/x.html"])

    def test_another_precision_than_asked_fails(self):
        self.assertEqual(self.statuses(self.verify_json("--precision", "half", "--no-save", code=1))["precision_as_asked"], "fail")

    def test_the_result_is_kept_and_shown(self):
        engine = self.write("kept.tenon", self.engine.read_bytes())
        before = json.loads(run("val", engine, "--data", self.data, "--json").stdout)["metrics"]
        table = self.verify(engine=engine).stdout
        self.assertIn("passed; not judged: p95_latency", table)
        kept = json.loads(run("inspect", engine, "--json").stdout)["verify"]
        self.assertEqual(self.statuses(kept)["map"], "pass")
        self.assertIn("mAP50-95", run("inspect", engine).stdout)
        self.assertEqual(json.loads(run("val", engine, "--data", self.data, "--json").stdout)["metrics"], before)
        # Once more: the newer result takes the place of the older one, everything else stays.
        size = engine.stat().st_size
        self.verify("--p95-ms", 0.01, engine=engine, code=1)
        self.assertIs(json.loads(run("inspect", engine, "--json").stdout)["verify"]["passed"], False)
        self.assertLess(abs(engine.stat().st_size - size), 4096)

    def test_a_read_only_engine_is_a_warning(self):
        engine = self.write("readonly.tenon", self.engine.read_bytes())
        engine.chmod(0o444)
        digest = hashlib.sha256(engine.read_bytes()).digest()
        done = self.verify(engine=engine)
        self.assertIn("read-only", done.stderr)
        self.assertEqual(hashlib.sha256(engine.read_bytes()).digest(), digest)
        self.assertEqual(hashlib.sha256(self.engine.read_bytes()).digest(), digest)

    def test_the_source_is_evaluated_once(self):
        self.verify("--no-save", "--conf", 0.002)
        files = sorted((self.cache / "tenon" / "verify").iterdir())
        self.verify("--no-save", "--conf", 0.002)
        self.assertEqual(sorted((self.cache / "tenon" / "verify").iterdir()), files)
        for file in files:  # damaged: computed again, and the file is whole afterwards
            file.write_bytes(file.read_bytes()[:50])
        self.verify("--no-save", "--conf", 0.002)
        self.assertTrue(any(file.stat().st_size > 50 for file in files))

    def test_a_cache_that_cannot_be_written_is_a_warning(self):
        done = run("verify", self.engine, "--source", ONNX, "--data", self.data, *FAST, "--no-save", env={"XDG_CACHE_HOME": "/proc/nowhere"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("not kept", done.stderr)

    def test_an_onnx_file_is_its_own_source(self):
        done = run("verify", ONNX, "--effort", 0, "--data", self.data, *FAST, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_half(self):
        half = self.folder / "half.tenon"
        made = run("export", ONNX, "--half", "--effort", 0, "-o", half)
        if made.returncode == 3:
            self.skipTest("this CPU has no half")
        data = EXAMPLE / "data.yaml"
        done = run("verify", half, "--source", ONNX, "--data", data, "--fraction", 0.1, *FAST, "--precision", "half", "--json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        statuses = self.statuses(json.loads(done.stdout))
        self.assertEqual((statuses["weights"], statuses["precision_as_asked"]), ("pass", "pass"))

    def test_refusals(self):
        other = self.write("other.onnx", ONNX.read_bytes() + b"\x08\x08")  # ir_version once more: the same model, other bytes
        engine_and_data = [self.engine, "--data", self.data]
        self.assert_refused(["verify", *engine_and_data], says=["--source"])
        self.assert_refused(["verify", *engine_and_data, "--source", other], says=["other.onnx", "digest"])
        self.assert_refused(["verify", *engine_and_data, "--source", self.folder / "none.onnx"], says=["none.onnx"])
        self.assert_refused(["verify", self.engine, "--source", ONNX], says=["--data"])
        self.assert_refused(["verify", *engine_and_data, "--source", ONNX, "--top-class", "elephant"], says=["elephant"])
        self.assert_refused(["verify", *engine_and_data, "--source", ONNX, "--p95-ms", "-1"], says=["--p95-ms"])
        self.assert_refused(["verify", *engine_and_data, "--source", ONNX, "--precision", "fp4"], says=["fp4"])
        self.assert_refused(["verify", *engine_and_data, "--source", ONNX, "--device", "reference"], says=["reference"])

    def test_data_without_labels_proves_nothing(self):
        bare = self.folder / "bare"
        (bare / "images").mkdir(parents=True)
        os.link(EXAMPLE / "images" / "val" / "val00000.jpg", bare / "images" / "a.jpg")
        names = self.data.read_text().split("names:")[1]
        yaml = self.write("bare/data.yaml", f"path: .\nval: images\nnames:{names}")
        done = run("verify", self.engine, "--source", ONNX, "--data", yaml, *FAST, "--no-save", "--json")
        self.assertEqual(done.returncode, 1, done.stderr)
        result = json.loads(done.stdout)
        self.assertEqual(self.statuses(result)["map"], "not_judged")
        self.assertIs(result["passed"], False)


if __name__ == "__main__":
    unittest.main()

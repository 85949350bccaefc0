"""tenon ship on the bundled example: what it ships under which budget, what it says and leaves, what it refuses."""
import json
import shutil
import subprocess
import unittest

from cli_testing import ONNX, TENON, CliTest, make_data_set, run

FAST = ["--effort", 0, "--warmup-ms", 0, "--duration-s", 0]
# As many images as tell half a point of mAP from nothing are too many for a test: budgets are as wide as the noise.
GENEROUS = ["--map-drop", 5, "--top-class-drop", 20, "--p95-ms", 100000]


def natively(precision):
    devices = json.loads(subprocess.run([TENON, "devices", "--json"], capture_output=True, text=True, check=True).stdout)
    return precision in devices["devices"][0]["precisions"]


class Ship(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = make_data_set(cls.folder / "set", images=24)
        cls.model = cls.folder / "model.onnx"
        shutil.copy(ONNX, cls.model)

    def ship(self, *flags, code=0, iterations=2):
        done = run("ship", self.model, "--data", self.data, *FAST, "--iterations", iterations, *flags)
        self.assertEqual(done.returncode, code, f"{flags}\n{done.stdout}{done.stderr}")
        return done

    def ship_json(self, *flags, **options):
        return json.loads(self.ship("--json", *flags, **options).stdout)

    def attempts(self, result):
        return [(a["precision"], a["status"]) for a in result["attempts"]]

    @unittest.skipUnless(natively("int8"), "this CPU has no fast INT8")
    def test_generous_budgets_ship_int8(self):
        out, page = self.folder / "generous.tenon", self.folder / "generous.html"
        # Two runs of a tiny model on a loaded machine don't tell which precision is faster: that check has its own test.
        result = self.ship_json(*GENEROUS, "-o", out, "--report", page, iterations=30)
        self.assertIs(result["passed"], True)
        self.assertEqual((result["precision"], result["engine"]), ("int8", str(out)))
        self.assertEqual(self.attempts(result)[-1], ("int8", "passed"))
        first = result["attempts"][0]
        self.assertEqual(first["settings"]["calibration"], "mse")
        self.assertGreater(first["int8_flops_share"], 0.5)
        self.assertEqual(result["fallbacks"], [])
        self.assertIn("map", [check["name"] for check in result["checks"]])
        shown = run("inspect", out)
        self.assertIn("mse on 24 images", shown.stdout)
        self.assertIn("passed", shown.stdout)
        kept = json.loads(run("inspect", out, "--json").stdout)["verify"]
        self.assertEqual(kept["attempts"], result["attempts"])
        self.assertEqual(json.loads(run("inspect", out, "--json").stdout)["plans"][0]["precision"], "int8")
        html = self.assert_self_contained(page)
        for words in ("mse on 24 images", "mAP50-95 by precision", "the p95 budget is 100000", "Layers by time", result["source_digest"]):
            self.assertTrue(words in html, words)

    def test_no_drop_at_all_falls_back(self):
        out = self.folder / "exact.tenon"
        result = self.ship_json("--map-drop", 0, "-o", out)
        self.assertLessEqual(result["checks"][0]["value"], 0)
        self.assertEqual(self.attempts(result)[-1], (result["precision"], "passed"))
        for attempt in result["attempts"][:-1]:
            self.assertTrue(attempt["status"] == "not_built" or attempt["failed"], attempt)
        # What is faster and not shipped was given up for a reason. (Chance may make INT8 no worse on few images.)
        faster = ("int8", "half", "fp32")[:("int8", "half", "fp32").index(result["precision"])]
        self.assertEqual([f["precision"] for f in result["fallbacks"]], list(faster))
        self.assertTrue(all(f["reason"] for f in result["fallbacks"]))
        self.assertEqual(json.loads(run("val", out, "--data", self.data, "--json").stdout)["metrics"]["map50_95"], result["checks"][0]["engine"])

    def test_an_impossible_budget_ships_nothing(self):
        out = self.write("kept.tenon", b"what was there before")
        before = self.snapshot()
        result = self.ship_json("--p95-ms", 0.01, "-o", out, code=1)
        self.assertIs(result["passed"], False)
        self.assertIsNone(result["engine"])
        self.assertIsNone(result["precision"])
        self.assertEqual([a["precision"] for a in result["attempts"]], [f["precision"] for f in result["fallbacks"] if not f["reason"].startswith("this CPU lacks")])
        for attempt in result["attempts"]:
            self.assertIn("p95_latency", attempt["failed"])
            self.assertGreater(attempt["p95_ms"], 0.01)
        self.assertEqual(out.read_bytes(), b"what was there before")
        self.assertEqual(self.snapshot(), before)
        table = self.ship("--p95-ms", 0.01, "--precision", "fp32", "-o", out, code=1).stdout
        self.assertRegex(table, r"(?m)^1  fp32 .* failed: p95_latency")
        self.assertIn("nothing shipped", table)

    @unittest.skipUnless(natively("int8"), "this CPU has no fast INT8")
    def test_remedies_of_accuracy_are_tried_and_calibrations_kept(self):
        """A drop that INT8 of ten images doesn't keep: the ladder, as far as it is needed."""
        calibrations = self.cache / "tenon" / "calibration"
        before = set(calibrations.glob("*.calib"))
        result = self.ship_json("--map-drop", 5, "--top-class", "person", "--top-class-drop", 0, "--precision", "int8,fp32", "--max-images", 10,
                                "-o", self.folder / "l.tenon", iterations=30)
        int8 = [a for a in result["attempts"] if a["precision"] == "int8"]
        remedies = [a["remedy"] for a in int8]
        self.assertEqual(remedies[:2], ["", "more calibration images"])
        self.assertEqual([a["settings"]["calibration_images"] for a in int8[:2]], [10, 24])
        rest = remedies[2:]
        ladder = ["weight rounding adaround", "calibrator entropy", "calibrator percentile", "more layers back in half", "more layers back in half"]
        self.assertEqual(rest, ladder[:len(rest)])
        self.assertEqual(int8[0]["failed"], ["top_class_ap"])
        images = {a["settings"]["calibration_images"] for a in int8}
        self.assertEqual(len(set(calibrations.glob("*.calib")) - before), len(images))

    def test_only_the_named_precision(self):
        result = self.ship_json(*GENEROUS, "--precision", "fp32")
        self.assertEqual(self.attempts(result), [("fp32", "passed")])
        self.assertEqual(result["engine"], str(self.folder / "model.tenon"))
        self.assertEqual(result["checks"][0]["value"], 0)

    def test_a_full_folder_is_said_before_the_work(self):
        self.assert_refused(["ship", self.model, "--data", self.data, "-o", "/proc/x.tenon"], says=["/proc/x.tenon"])
        self.assert_refused(["ship", self.model, "--data", self.data, "-o", self.folder / "x.tenon", "--report", "/proc/x.html"], says=["/proc/x.html"])

    def test_refusals(self):
        ship = ["ship", self.model, "--data", self.data]
        self.assert_refused(["ship", self.model], says=["--data"])
        self.assert_refused(["ship", self.engine, "--data", self.data], says=["is an engine already", "verify"])
        self.assert_refused([*ship, "--precision", "fp4"], says=["fp4"])
        self.assert_refused([*ship, "--precision", "int8", "--half"], says=["--precision", "--half"])
        self.assert_refused([*ship, "--half", "--calibration", "entropy"], says=["--calibration", "int8"])
        self.assert_refused([*ship, "--calibration", "best"], says=["best", "entropy"])
        self.assert_refused([*ship, "--build"], says=["--build"])
        self.assert_refused([*ship, "-o", self.model], says=["model.onnx"])
        self.assert_refused([*ship, "-o", self.folder / "y.tenon", "--report", self.folder / "y.tenon"], says=["y.tenon"])
        self.assert_refused([*ship, "--device", "reference"], says=["reference"])
        self.assert_refused([*ship, "--top-class", "elephant", "--precision", "fp32", *FAST], says=["elephant"])
        self.assert_refused([*ship, "--p95-ms", 0], says=["--p95-ms"])
        self.assert_refused(["ship", self.folder / "none.onnx", "--data", self.data], says=["none.onnx"])


if __name__ == "__main__":
    unittest.main()

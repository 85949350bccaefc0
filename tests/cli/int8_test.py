"""export --int8 on the bundled example: the report, the calibration file that is used again, warnings."""
import json
import random
import struct
import unittest
import zlib

from cli_testing import EXAMPLE, ONNX, CliTest, run


def write_png(path, width, height, pixels):
    """RGB bytes as a PNG file."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + pixels[y * width * 3:(y + 1) * width * 3] for y in range(height))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


class Int8Test(CliTest):
    def data_set(self, name, train):
        """A data.yaml whose calibration images are those paths, and whose val images are the example's."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "train.txt").write_text("".join(f"{path}\n" for path in train))
        names = (EXAMPLE / "data.yaml").read_text().split("names:")[1]
        yaml = folder / "data.yaml"
        yaml.write_text(f"path: {folder}\ntrain: train.txt\nval: {EXAMPLE / 'images' / 'val'}\nnames:{names}")
        return yaml

    def export(self, data, *flags, name="int8"):
        engine = self.folder / f"{name}.tenon"
        done = run("export", ONNX, "--int8", "--data", data, "--effort", 0, "-o", engine, "--json", *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return engine, json.loads(done.stdout), done.stderr

    def examples(self, count):
        return sorted((EXAMPLE / "images" / "train").iterdir())[:count]

    def test_report_and_the_same_bytes_from_the_calibration_file(self):
        data = self.data_set("like", self.examples(12))
        engine, result, _ = self.export(data, "--max-images", 10)
        self.assertGreater(result["flops_share"]["int8"], 0.9)
        self.assertTrue(any("10 images" in warning for warning in result["warnings"]), result["warnings"])
        self.assertFalse(any("not like" in warning for warning in result["warnings"]), result["warnings"])
        report = json.loads(run("inspect", engine, "--json").stdout)["int8"]
        self.assertEqual(report["calibration"]["images"], 10)
        self.assertGreater(report["map_int8"], report["map_float"] - 0.05)
        self.assertEqual(len(report["layers"]) + len(report["kept"]), 60)
        first = engine.read_bytes()
        _, _, log = self.export(data, "--max-images", 10, "--log-level", "info")
        self.assertIn("calibration taken from", log)
        self.assertEqual(engine.read_bytes(), first)
        _, _, log = self.export(data, "--max-images", 8)
        self.assertIn("other images", log)

    def test_a_calibration_that_can_not_be_kept_is_no_error(self):
        """The minutes of calibration are not lost with it; a file that was named is refused before they are spent (bad_input_test)."""
        (self.folder / "unkept.calib").mkdir()
        _, _, log = self.export(self.data_set("unkept", self.examples(4)), name="unkept")
        self.assertIn("the calibration is not kept", log)

    def test_images_of_another_kind_are_told(self):
        noise = self.folder / "noise"
        noise.mkdir()
        generator = random.Random(1)
        for i in range(10):
            write_png(noise / f"{i}.png", 160, 120, generator.randbytes(160 * 120 * 3))
        _, result, log = self.export(self.data_set("unlike", sorted(noise.iterdir())), name="unlike")
        told = [warning for warning in result["warnings"] if "not like the val images" in warning]
        self.assertEqual(len(told), 1, result["warnings"])
        self.assertIn(told[0], log)

    def test_bad_flags(self):
        data = self.data_set("bad", self.examples(2))
        for flags, says in ((["--calibration", "magic"], ["magic", "entropy"]), (["--weight-rounding", "up"], ["up", "nearest"]),
                            (["--max-images", "0"], ["--max-images"])):
            with self.subTest(flags=flags):
                self.assert_refused(["export", ONNX, "--int8", "--data", data, "-o", self.folder / "bad.tenon", *flags], says=says)


if __name__ == "__main__":
    unittest.main()

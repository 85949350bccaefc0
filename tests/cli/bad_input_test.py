"""Bad input at every command: the right exit status, one clear sentence, nothing half-written."""
import json
import os
import signal
import subprocess
import time
import unittest

from cli_testing import COMMANDS, IMAGE, ONNX, TENON, CliTest, make_data_set, npy, onnx_model, run


class BadModels(CliTest):
    def models(self):
        """name: (path, words that the message must have)."""
        onnx, engine = ONNX.read_bytes(), self.engine.read_bytes()
        flipped = bytearray(engine)
        flipped[len(flipped) // 2] ^= 0x40
        return {
            "missing": (self.folder / "no-such.onnx", ["no-such.onnx"]),
            "missing engine": (self.folder / "no-such.tenon", ["no-such.tenon"]),
            "a folder": (self.folder, [self.folder]),
            "empty": (self.write("empty.onnx", b""), ["empty.onnx"]),
            "text": (self.write("text.onnx", "not a model\n" * 20), ["text.onnx"]),
            "an image": (self.write("image.onnx", IMAGE.read_bytes()), ["image.onnx"]),
            "cut by half": (self.write("cut.onnx", onnx[: len(onnx) // 2]), ["cut.onnx"]),
            "cut by a byte": (self.write("cut1.onnx", onnx[:-1]), ["cut1.onnx"]),
            "no graph": (self.write("nograph.onnx", b"\x08\x08"), ["nograph.onnx"]),
            "an unknown op": (self.write("op.onnx", onnx_model("StringNormalizer")), ["StringNormalizer", "the_node", "17"]),
            "an unknown domain": (self.write("domain.onnx", onnx_model("Magic", "org.example")), ["Magic", "org.example"]),
            "opset 3": (self.write("opset.onnx", onnx_model("Relu", opset=3)), ["opset", "3"]),
            "an engine cut in its header": (self.write("cut0.tenon", engine[:30]), ["cut0.tenon"]),
            "an engine cut in its index": (self.write("cut2.tenon", engine[:200]), ["cut2.tenon", "cut"]),
            "an engine cut in its weights": (self.write("cut3.tenon", engine[: len(engine) * 2 // 3]), ["cut3.tenon", "cut"]),
            "a damaged engine": (self.write("bad.tenon", bytes(flipped)), ["bad.tenon", "digest"]),
            "an engine of another version": (self.write("version.tenon", engine[:8] + b"\x63" + engine[9:]), ["version.tenon", "99"]),
            "text as an engine": (self.write("text.tenon", "hello"), ["text.tenon"]),
        }

    def test_every_command(self):
        for name, (path, says) in self.models().items():
            for command in COMMANDS:
                # export reads ONNX files only: of an engine it says so, whatever its state.
                words = [] if command == "export" and str(path).endswith(".tenon") else says
                with self.subTest(model=name, command=command):
                    self.assert_refused(self.model_command(command, path), says=words)

    def test_models_that_are_no_detector(self):
        relu = self.write("relu.onnx", onnx_model("Relu"))
        for command in ("val", "predict"):
            with self.subTest(command=command):
                self.assert_refused(self.model_command(command, relu))


class BadFlags(CliTest):
    def test_the_command_itself(self):
        for arguments, says in (([], ["subcommand"]), (["nonsense"], []), (["--nonsense"], []), (["export"], ["model"]),
                                (["val", self.engine], ["--data"]), (["predict", self.engine], ["images"])):
            with self.subTest(arguments=arguments):
                self.assert_refused(arguments, says=says)

    def test_values(self):
        flags = {
            ("export", "val", "run", "predict"): [
                (["--imgsz", "0"], 2, ["--imgsz"]), (["--imgsz", "-32"], 2, ["--imgsz"]), (["--imgsz", "abc"], 2, ["--imgsz", "abc"]),
                (["--imgsz", "320,320,320"], 2, ["--imgsz"]), (["--imgsz", "99999999999999"], 2, ["--imgsz"]),
                (["--imgsz", "640"], 2, ["640", "320"]), (["--batch", "0"], 2, ["--batch"]), (["--batch", "two"], 2, ["--batch"]),
                (["--batch", "4"], 2, ["4"]), (["--threads", "0"], 2, ["--threads"]), (["--threads", "-1"], 2, ["--threads"]),
                (["--effort", "9"], 2, ["--effort"]), (["--device", "tpu"], 2, ["tpu", "cpu"]), (["--device", "cuda"], 3, ["cuda"]),
                (["--device", "cuda:1"], 3, ["cuda:1"]), (["--nonsense"], 2, ["--nonsense"]), (["--log-level", "loud"], 2, ["loud"]),
                (["--int8"], 2, ["--int8", "--data"]), (["--timing-cache", self.write("bad.timing", "no cache\n")], 2, ["bad.timing"]),
            ],
            ("val", "predict"): [
                (["--conf", "2"], 2, ["--conf"]), (["--conf", "-0.1"], 2, ["--conf"]), (["--iou", "1.5"], 2, ["--iou"]),
                (["--conf", "nan"], 2, ["--conf", "0 to 1"]), (["--iou", "nan"], 2, ["--iou"]),
                (["--max-det", "0"], 2, ["--max-det"]), (["--head", "v99"], 2, ["v99", "v8"]),
            ],
            ("val",): [
                (["--metrics", "magic"], 2, ["magic", "coco"]), (["--split", "nowhere"], 2, ["nowhere"]),
                (["--fraction", "7"], 2, ["--fraction"]), (["--fraction", "nan"], 2, ["--fraction"]), (["--save-json", self.folder / "none" / "x.json"], 2, ["x.json"]),
            ],
            ("run",): [
                (["--iterations", "0"], 2, ["--iterations"]), (["--streams", "0"], 2, ["--streams"]), (["--duration-s", "-1"], 2, ["--duration-s"]),
                (["--duration-s", "nan"], 2, ["--duration-s"]), (["--duration-s", "inf"], 2, ["--duration-s"]), (["--warmup-ms", "nan"], 2, ["--warmup-ms"]),
                (["--inputs", "images"], 2, ["NAME=FILE"]), (["--inputs", "images=/nowhere.npy"], 2, ["/nowhere.npy"]),
                (["--save-outputs", self.engine], 2, [self.engine]),
            ],
            ("export",): [
                (["--precision", "fp4"], 2, ["fp4", "fp32"]), (["--format", "engine"], 2, ["--format"]), (["--workspace", "-1"], 2, ["--workspace"]), (["--dynamic"], 2, ["later"]),
                (["--nms"], 2, ["later"]), (["--add-device"], 2, ["--add-device"]), (["--disable-pass", "magic"], 2, ["magic"]),
            ],
        }
        for commands, cases in flags.items():
            for command in commands:
                for arguments, code, says in cases:
                    with self.subTest(command=command, flags=arguments):
                        self.assert_refused(self.model_command(command, ONNX, *arguments), code, says)

    def test_later_commands_say_so(self):
        for command in ("merge",):
            with self.subTest(command=command):
                self.assert_refused([command, self.engine], says=["later"])

    def test_half_is_refused_or_done(self):
        done = run(*self.model_command("export", ONNX, "--half"))
        if "avx512_bf16" in run("devices", "--json").stdout.split('"missing"')[0]:
            self.assertEqual(done.returncode, 0, done.stderr)
        else:
            self.assert_refused(self.model_command("export", ONNX, "--half"), 3, ["half", "avx512_bf16"])


class BadOutputs(CliTest):
    def test_export(self):
        file = self.write("file", "x")
        for name, path in {"missing folder": self.folder / "none" / "x.tenon", "a folder": self.folder, "inside a file": file / "x.tenon",
                           "read-only system": "/proc/x.tenon"}.items():
            with self.subTest(name):
                self.assert_refused(["export", ONNX, "--effort", 0, "-o", path], says=[path])

    def test_predict(self):
        file = self.write("file", "x")
        for folder in (file, file / "x", "/proc/x"):
            with self.subTest(folder=folder):
                self.assert_refused(["predict", self.engine, IMAGE, "--save-dir", folder], says=[folder])

    @unittest.skipIf(os.geteuid() == 0, "root may write anywhere")
    def test_read_only_folder(self):
        folder = self.folder / "readonly"
        folder.mkdir(mode=0o555)
        self.assert_refused(["export", ONNX, "--effort", 0, "-o", folder / "x.tenon"], says=[folder])

    def test_a_failed_export_keeps_the_old_engine(self):
        old = self.write("old.tenon", self.engine.read_bytes())
        bad = self.write("old.onnx", ONNX.read_bytes()[:1000])
        self.assert_refused(["export", bad, "-o", old])
        self.assertEqual(old.read_bytes(), self.engine.read_bytes())

    def test_a_cache_that_cannot_be_written_is_no_error(self):
        """The measured tactics are then lost, and the user is told; the engine is what was asked for."""
        out = self.folder / "nocache.tenon"
        done = run("export", ONNX, "--effort", 1, "-o", out, env={"XDG_CACHE_HOME": "/proc/nowhere"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("cpu.timing", done.stderr)
        self.assertTrue(out.exists())

    def test_an_engine_does_not_replace_its_source(self):
        source = self.write("source.onnx", ONNX.read_bytes())
        link = self.folder / "link.onnx"
        link.symlink_to(source)
        for output in (source, link):
            self.assert_refused(["export", source, "--effort", 0, "-o", output], says=["replace its source"])
        self.assertEqual(source.read_bytes(), ONNX.read_bytes())

    def test_results_do_not_replace_images_and_labels(self):
        data = make_data_set(self.folder / "precious", images=2).parent
        before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
        images = data / "images" / "val"
        self.assert_refused(["predict", self.engine, images, "--save-dir", images], says=["replace the images", images])
        self.assertEqual({path: path.read_bytes() for path in data.rglob("*") if path.is_file()}, before)
        flat = self.folder / "flat"
        (flat / "images").mkdir(parents=True)
        (flat / "images" / IMAGE.name).write_bytes(IMAGE.read_bytes())
        label = self.write(f"flat/labels/{IMAGE.stem}.txt", "0 0.5 0.5 0.1 0.1\n")
        self.assert_refused(["predict", self.engine, flat / "images", "--no-save", "--save-txt", "--save-dir", flat], says=["replace the labels"])
        self.assertEqual(label.read_text(), "0 0.5 0.5 0.1 0.1\n")

    def test_devices_are_not_replaced(self):
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        for arguments in (["export", ONNX, "--effort", 0, "-o", pipe], ["val", self.engine, "--data", self.data, "--save-json", pipe],
                          ["profile", self.engine, "--trace", pipe], ["benchmark", self.engine, "--plot", pipe]):
            with self.subTest(arguments=arguments):
                self.assert_refused(arguments, says=[pipe, "pipe"])
        self.assertTrue(pipe.is_fifo())

    def test_noticed_before_the_work(self):
        start = time.monotonic()
        self.assert_refused(["profile", self.engine, "--iterations", 1000000, "--trace", self.folder / "none" / "t.json"], says=["t.json"])
        self.assert_refused(["benchmark", self.engine, "--duration-s", 600, "--plot", self.folder / "none" / "p.svg"], says=["p.svg"])
        self.assert_refused(["export", ONNX, "--int8", "--data", self.data, "--calib", self.folder / "none" / "c.calib",
                             "-o", self.folder / "x.tenon"], says=["c.calib"])
        self.assertLess(time.monotonic() - start, 60)

    def test_full_stdout(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([TENON, "inspect", self.engine], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("stdout", done.stderr)

    def test_interrupted_export_leaves_nothing(self):
        out = self.folder / "interrupted.tenon"
        before = self.snapshot()
        process = subprocess.Popen([TENON, "export", ONNX, "--effort", "3", "--timing-cache", self.folder / "t.timing", "-o", out],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        self.assertEqual((process.returncode, stdout), (130, ""), stderr)
        self.assertEqual(self.snapshot() - before, set())


class BadSurroundings(CliTest):
    def run_after(self, action, *arguments, **options):
        return subprocess.run([TENON, *map(str, arguments)], preexec_fn=action, stderr=subprocess.PIPE, text=True, timeout=120, check=False, **options)

    def test_closed_standard_streams(self):
        """Files that are opened then must not take the streams' numbers, with messages written into them."""
        for number in (0, 1, 2):
            out = self.folder / f"closed{number}.tenon"
            with self.subTest(closed=number):
                done = self.run_after(lambda fd=number: os.close(fd), "export", ONNX, "--effort", 0, "-o", out, stdout=subprocess.PIPE)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(run("inspect", out).returncode, 0)

    def test_a_working_folder_that_is_gone(self):
        for arguments in (["val", self.engine, "--data", "data.yaml"], ["predict", self.engine, "image.jpg"],
                          ["export", "model.onnx"], ["export", ONNX, "--effort", 0, "-o", "x.tenon"],
                          ["predict", self.engine, IMAGE, "--save-dir", "drawn"]):
            with self.subTest(arguments=arguments):
                gone = self.folder / "gone"
                gone.mkdir()
                done = self.run_after(gone.rmdir, *arguments, cwd=gone)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual([l for l in done.stderr.splitlines() if l.startswith("error: ")], done.stderr.splitlines()[-1:])
                self.assertNotIn("internal", done.stderr)

    def test_no_folder_for_temporary_files(self):
        self.assert_refused(["verify", self.engine, "--source", ONNX, "--data", self.data, "--duration-s", 0, "--iterations", 1, "--no-save"],
                            says=["TMPDIR"], env={"TMPDIR": str(self.folder / "none")})

    def test_a_cache_folder_that_cannot_be_used(self):
        for place in ("/proc/nowhere", "/dev/null", "x" * 300):
            with self.subTest(place=place):
                done = run(*self.model_command("run", self.engine, "--build"), env={"XDG_CACHE_HOME": place})
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_stdout_that_nobody_reads(self):
        images = [IMAGE] * 1
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([TENON, "predict", self.engine, *images, "--no-save"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertTrue(done.stderr.splitlines()[-1].startswith("error: "), done.stderr)


class BadData(CliTest):
    def val(self, data, *flags):
        return ["val", self.engine, "--data", data, *flags]

    def test_descriptions(self):
        names = self.data.read_text().split("names:")[1]
        (self.folder / "void" / "images").mkdir(parents=True)
        cases = {
            "missing": (self.folder / "none.yaml", ["none.yaml"]),
            "a folder": (self.folder, [self.folder]),
            "no yaml": (self.write("broken.yaml", "a: [1, 2\nb: }"), ["broken.yaml"]),
            "empty": (self.write("empty.yaml", ""), ["empty.yaml"]),
            "a list": (self.write("list.yaml", "- 1\n- 2\n"), ["list.yaml"]),
            "no val": (self.write("noval.yaml", f"path: .\ntrain: data/images/val\nnames:{names}"), ["noval.yaml", "val"]),
            "no names": (self.write("nonames.yaml", "path: .\nval: data/images/val\n"), ["nonames.yaml", "names"]),
            "points nowhere": (self.write("nowhere.yaml", f"path: .\nval: gone/images\nnames:{names}"), ["gone/images"]),
            "no images": (self.write("void.yaml", f"path: void\nval: images\nnames:{names}"), ["void"]),
            "other classes": (self.write("classes.yaml", "path: data\nval: images/val\nnames: [a, b]\n"), ["2 classes", "7"]),
            "broken json": (self.write("broken.json", '{"images": [}'), ["broken.json"]),
            "no COCO json": (self.write("other.json", '{"a": 1}'), ["other.json"]),
        }
        for name, (path, says) in cases.items():
            with self.subTest(name):
                self.assert_refused(self.val(path), says=says)

    def test_corrupt_images_and_labels_are_named_and_counted(self):
        data = make_data_set(self.folder / "corrupt", images=4)
        images = sorted((data.parent / "images" / "val").iterdir())
        images[1].write_bytes(images[1].read_bytes()[:3000])
        images[2].write_bytes(b"no image at all")
        label = data.parent / "labels" / "val" / (images[0].stem + ".txt")
        label.write_text(label.read_text() + "99 0.5 0.5 0.1 0.1\n0 0.5 nonsense\n")
        lines = len(label.read_text().splitlines())
        done = run(*self.val(data, "--json"))
        self.assertEqual(done.returncode, 0, done.stderr)
        for words in ([images[1].name], [images[2].name], [f"{label.name}:{lines - 1}", "99"], [f"{label.name}:{lines}"]):
            self.assertTrue(any(all(w in line for w in words) for line in done.stderr.splitlines()), f"{words} in\n{done.stderr}")
        report = json.loads(done.stdout)
        self.assertEqual(len(report["unreadable_images"]), 2)
        self.assertEqual(report["images"], 2)

    def test_nothing_readable(self):
        data = make_data_set(self.folder / "allbad", images=2)
        for image in (data.parent / "images" / "val").iterdir():
            image.write_bytes(b"\xff\xd8\xff")
        before = self.snapshot()
        done = run(*self.val(data))
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(self.snapshot(), before)

    def test_predict(self):
        text = self.write("text.jpg", "no image")
        (self.folder / "nothing").mkdir()
        for images in ([self.folder / "none.jpg"], [self.folder / "nothing"], [self.folder / "none" / "*.jpg"]):
            with self.subTest(images=images):
                self.assert_refused(["predict", self.engine, *images, "--save-dir", self.folder / "drawn"])
        # One bad image beside a good one: named, the others are done.
        done = run("predict", self.engine, text, IMAGE, "--save-dir", self.folder / "some")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("text.jpg", done.stderr)
        self.assertEqual([p.name for p in (self.folder / "some").iterdir()], [IMAGE.name])

    def test_input_arrays(self):
        elems = 3 * 320 * 320
        good = npy([0.5] * elems, (1, 3, 320, 320))
        cases = {
            "wrong shape": (npy([0.5] * 12, (1, 3, 2, 2)), "images", ["images", "320"]),
            "wrong type": (npy([0.5] * elems, (1, 3, 320, 320), "<i4"), "images", ["images", "f32"]),
            "cut": (good[:-1], "images", ["cut.npy"]),
            "cut in its header": (good[:40], "images", ["header.npy"]),
            "a header of nothing": (good[:10] + b" " * 118, "images", ["nothing.npy"]),
            "a descr that ends": (b"\x93NUMPY\x01\x00\x1b\x00{'fortran_order':0,'descr':", "images", ["ends.npy"]),
            "text": (b"hello", "images", ["text.npy"]),
            "huge": (good[:10] + good[10:128].replace(b"(1, 3, 320, 320)", b"(1000000000000,)"), "images", ["huge.npy"]),
            "no such input": (good, "pictures", ["pictures", "images"]),
        }
        for name, (content, tensor, says) in cases.items():
            path = self.write(name.split()[-1].strip(".,") + ".npy", content)
            with self.subTest(name):
                says = [word if not word.endswith(".npy") else path.name for word in says]
                self.assert_refused(self.model_command("run", self.engine, "--inputs", f"{tensor}={path}"), says=says)


if __name__ == "__main__":
    unittest.main()

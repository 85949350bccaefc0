"""Hostile and odd files at the command line: refused with the right status and one clear sentence, before memory is taken."""
import json
import math
import os
import pathlib
import resource
import struct
import subprocess
import unittest
import zlib

from cli_testing import COMMANDS, EXAMPLE, IMAGE, ONNX, SANITIZED, TENON, CliTest, field, make_data_set, npy, run

F32, I64 = 1, 7


def tensor(name, dtype, dims, raw):
    return b"".join(field(1, d) for d in dims) + field(2, dtype) + field(8, name) + field(9, raw)


def value_info(name, dims):
    shape = b"".join(field(1, field(1, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, F32) + field(2, shape)))


def node(op, inputs, outputs):
    return b"".join(field(1, i) for i in inputs) + b"".join(field(2, o) for o in outputs) + field(3, op.lower()) + field(4, op)


def model(nodes, initializers=(), inputs=(("images", (1, 3, 8, 8)),), outputs=("output0",)):
    """An ONNX file of opset 17."""
    graph = b"".join(field(1, n) for n in nodes) + field(2, "g") + b"".join(field(5, t) for t in initializers)
    graph += b"".join(field(11, value_info(*i)) for i in inputs) + b"".join(field(12, value_info(o, ())) for o in outputs)
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 17))


def ints(name, values):
    return tensor(name, I64, (len(values),), struct.pack(f"<{len(values)}q", *values))


def png_header(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    pixels = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def peak_rss_mb(*arguments):
    """Exit status, stderr and peak memory of tenon ARGUMENTS... ."""
    process = subprocess.Popen([TENON, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    stderr = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    # Under a sanitizer the memory says nothing; the refusals are tested all the same.
    return process.returncode, stderr, 0 if SANITIZED else usage.ru_maxrss / 1024


class HugeRequests(CliTest):
    """Files of a few hundred bytes that ask for GiBs."""

    def refused_cheaply(self, name, content, says, code=2):
        self.assertLess(len(content), 1024)
        path = self.write(name + ".onnx", content)
        for command in COMMANDS:
            with self.subTest(model=name, command=command):
                self.assert_refused(self.model_command(command, path), code, says)
        status, stderr, mb = peak_rss_mb(*self.model_command("export", path))
        self.assertEqual(status, code, stderr)
        self.assertLess(mb, 300, name)

    def test_tensors_of_many_gib(self):
        big = [1 << 30]  # 4 GiB of f32
        reshape = node("Add", ["images", "big"], ["output0"])
        cases = {
            "initializer": model([reshape], [tensor("big", F32, big, b"abcd")]),
            "constant_of_shape": model([node("ConstantOfShape", ["n"], ["output0"])], [ints("n", big)]),
            "expand": model([node("Expand", ["images", "n"], ["output0"])], [ints("n", [1 << 24, 3, 8, 8])]),
            "tile": model([node("Tile", ["images", "n"], ["output0"])], [ints("n", [1 << 24, 1, 1, 1])]),
            "pad": model([node("Pad", ["images", "n"], ["output0"])], [ints("n", [0, 0, 0, 0, 0, 0, 1 << 20, 1 << 20])]),
            "range": model([node("Range", ["a", "b", "c"], ["output0"])],
                           [tensor("a", I64, (), struct.pack("<q", 0)), tensor("b", I64, (), struct.pack("<q", 1 << 40)), tensor("c", I64, (), struct.pack("<q", 1))]),
            "resize": model([node("Resize", ["images", "", "s"], ["output0"])],
                            [tensor("s", F32, (4,), struct.pack("<4f", 1, 1, 1e5, 1e5))]),
            "one_hot": model([node("OneHot", ["i", "d", "v"], ["output0"])],
                             [ints("i", [0, 1]), tensor("d", I64, (), struct.pack("<q", 1 << 40)), tensor("v", F32, (2,), struct.pack("<2f", 0, 1))]),
            "input": model([node("Relu", ["images"], ["output0"])], inputs=(("images", (1 << 20, 3, 1024, 1024)),)),
            "outer product": model([node("Mul", ["r", "c"], ["output0"])], inputs=(("r", (1 << 20, 1)), ("c", (1, 1 << 20)))),
        }
        for name, content in cases.items():
            self.refused_cheaply(name, content, ["too large" if name != "initializer" else "bytes"])

    def test_chains_that_grow(self):
        """Each step is allowed, all together are not: 60 x 1.5 GiB that live at once, in a file of 12 KB."""
        constants = [ints("n", [384 << 20]), tensor("axis", I64, (), struct.pack("<q", 0))]
        nodes = []
        for i in range(60):
            value = field(1, "value") + field(20, 4) + field(5, tensor("", F32, (1,), struct.pack("<f", i)))
            nodes += [node("ConstantOfShape", ["n"], [f"c{i}"]) + field(5, value), node("CumSum", [f"c{i}", "axis"], [f"t{i}"])]
        nodes.append(node("Sum", [f"t{i}" for i in range(60)], ["output0"]))
        path = self.write("chain.onnx", model(nodes, constants))
        self.assertLess(path.stat().st_size, 16000)
        status, stderr, mb = peak_rss_mb(*self.model_command("run", path))
        self.assertEqual(status, 3, stderr)
        self.assertIn("not enough memory", stderr.splitlines()[-1])
        self.assertLess(mb, 300)

    def test_files_of_empty_objects(self):
        """Two bytes of an ONNX file can be an object of 200: these would take 4 GB."""
        empty_nodes, empty_attributes = b"\x0a\x00" * 10_000_000, field(1, b"\x2a\x00" * 10_000_000)
        for name, graph in (("nodes", empty_nodes), ("attributes", empty_attributes)):
            with self.subTest(name):
                path = self.write("many.onnx", field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 17)))
                status, stderr, mb = peak_rss_mb("inspect", path)
                self.assertEqual(status, 2, stderr)
                self.assertIn("four times the file", stderr)
                self.assertLess(mb, 500)

    def test_data_descriptions(self):
        huge = self.write("huge.yaml", "names: [" + "a," * 3_000_000 + "a]\nval: x\n")
        status, stderr, mb = peak_rss_mb("val", self.engine, "--data", huge)
        self.assertEqual(status, 2, stderr)
        self.assertIn("at most", stderr)
        self.assertLess(mb, 200)
        path = self.write("long.yaml", f"path: .\nval: {'x' * 3_000_000}\nnames: [a]\n")
        self.assert_refused(["val", self.engine, "--data", path], says=["xxx ... xxx"])

    def test_deep_nesting(self):
        """An If in an If in an If...: protobuf's own limit, or Tenon's, not the stack's."""
        inner = field(1, node("Relu", ["images"], ["output0"])) + field(2, "g")
        for _ in range(500):
            inner = field(1, node("If", ["c"], ["output0"]) + field(5, field(1, "then_branch") + field(20, 5) + field(6, inner)))
        self.assert_refused(self.model_command("inspect", self.write("deep.onnx", field(1, 8) + field(7, inner) + field(8, field(2, 17)))))

    def test_huge_png_header(self):
        data = make_data_set(self.folder / "huge", images=2)
        image = sorted((data.parent / "images" / "val").iterdir())[0]
        image.with_suffix(".png").write_bytes(png_header(50000, 50000))
        image.unlink()
        status, stderr, mb = peak_rss_mb("val", self.engine, "--data", data)
        self.assertEqual(status, 0, stderr)
        self.assertIn("50000 x 50000", stderr)
        plain = peak_rss_mb("val", self.engine, "--data", self.data)[2]
        self.assertLess(mb, plain + 100)
        done = run("predict", self.engine, image.with_suffix(".png"), "--no-save")
        self.assertEqual(done.returncode, 2)
        self.assertIn("50000 x 50000", done.stderr)
        # Within the limit, but the file can't hold so many pixels.
        small = self.write("claims.png", png_header(16000, 16000))
        status, stderr, mb = peak_rss_mb("predict", self.engine, small, "--no-save")
        self.assertEqual(status, 2, stderr)
        self.assertIn("premature end", stderr)
        self.assertLess(mb, plain + 100)


class OddFiles(CliTest):
    def odd_models(self):
        fifo = self.folder / "fifo.onnx"
        if not fifo.exists():
            os.mkfifo(fifo)
        engine = self.engine.read_bytes()
        return {
            "a FIFO": (fifo, ["fifo.onnx"]),
            "/dev/zero": ("/dev/zero", ["/dev/zero"]),
            "/dev/null": ("/dev/null", ["/dev/null"]),
            "a folder": (self.folder, [self.folder]),
            "a link to nothing": (self.link("dangling.onnx", "/nowhere"), ["dangling.onnx"]),
            "a link to itself": (self.link("loop.onnx", self.folder / "loop.onnx"), ["loop.onnx"]),
            "no outputs": (self.write("silent.onnx", model([node("Relu", ["images"], ["output0"])], outputs=())), ["no outputs"]),
            "no nodes": (self.write("hollow.onnx", model([], outputs=("nobody",))), ["nobody"]),
            "an older engine": (self.write("old.tenon", engine[:8] + b"\0" + engine[9:]), ["format 0"]),
            "a newer engine": (self.write("new.tenon", engine[:8] + b"\xff\xff" + engine[10:]), ["format 65535"]),
            "a name of many bytes": ("x" * 300, ["name too long"]),
        }

    def link(self, name, target):
        path = self.folder / name
        if not path.is_symlink():
            path.symlink_to(target)
        return path

    def test_models(self):
        for name, (path, says) in self.odd_models().items():
            for command in COMMANDS:
                words = [] if command == "export" and str(path).endswith(".tenon") else says
                with self.subTest(model=name, command=command):
                    self.assert_refused(self.model_command(command, path), says=words)

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_unreadable_files(self):
        for name, source in (("closed.onnx", ONNX), ("closed.tenon", self.engine)):
            path = self.write(name, source.read_bytes())
            path.chmod(0)
            self.assert_refused(self.model_command("inspect", path), says=[name])

    def test_data_sets(self):
        fifo = self.folder / "data-fifo.yaml"
        os.mkfifo(fifo)
        for path in (fifo, "/dev/zero", "/dev/null"):
            with self.subTest(path=path):
                self.assert_refused(["val", self.engine, "--data", path], says=[path])
        bombs = {"deep.yaml": "a: " + "[" * 5000, "alias.yaml": "names: [a]\nval: *b\n", "nan.yaml": "names: [a]\nnc: .nan\nval: x\n",
                 "huge.yaml": "nc: 1e300\nval: x\n"}
        for name, text in bombs.items():
            with self.subTest(name):
                self.assert_refused(["val", self.engine, "--data", self.write(name, text)], says=[name])

    def test_images_that_are_no_files(self):
        """Beside a good image: links to devices, FIFOs and folders in an image folder are no images."""
        data = make_data_set(self.folder / "oddimages", images=2)
        images = data.parent / "images" / "val"
        os.mkfifo(images / "fifo.jpg")
        (images / "folder.jpg").mkdir()
        (images / "zero.jpg").symlink_to("/dev/zero")
        (images / "gone.jpg").symlink_to("/nowhere.jpg")
        done = run("val", self.engine, "--data", data, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["images"], 2)
        for name in ("fifo.jpg", "zero.jpg"):
            self.assert_refused(["predict", self.engine, images / name, "--no-save"], says=[name])
        listed = self.write("list.txt", f"{images}/fifo.jpg\n{images}/zero.jpg\n{IMAGE}\n")
        done = run("predict", self.engine, listed, "--no-save", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([("error" in image) for image in json.loads(done.stdout)["images"]].count(True), 2)

    def test_labels(self):
        data = make_data_set(self.folder / "labels", images=3)
        label = sorted((data.parent / "labels" / "val").iterdir())[0]
        bad = ["0 nan 0.5 0.1 0.1", "0 0.5 inf 0.1 0.1", "0 1e39 0.5 0.1 0.1", "0 0.5 0.5 -0.1 0.1", "0 2.0 0.5 0.1 0.1", "7 0.5 0.5 0.1 0.1",
               "99999999999999999999 0.5 0.5 0.1 0.1", "-1 0.5 0.5 0.1 0.1", "0.5 0.5 0.5 0.1 0.1", "0 0.5", "0 0.5 0.5 0.1 0.1 0.1", "\x00\xff 1 2 3 4"]
        good = label.read_text().splitlines()
        label.write_bytes("\n".join(good + bad).encode("latin-1"))
        before = json.loads(run("val", self.engine, "--data", make_data_set(self.folder / "goodlabels", images=3), "--json").stdout)
        done = run("val", self.engine, "--data", data, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["instances"], before["instances"])
        self.assertEqual(report["metrics"], before["metrics"])
        self.assertIn("and 2 more", done.stderr)
        for i in range(9):
            self.assertIn(f"{label.name}:{len(good) + 1 + i}", done.stderr)
        others = [path for path in label.parent.iterdir() if path != label]
        for path in others:
            path.unlink()
        label.unlink()
        os.mkfifo(label)  # no regular file: as if there were none, and said
        done = run("val", self.engine, "--data", data, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["instances"], 0)
        self.assertIn(f"{label.name}: no regular file", done.stderr)

    def test_labels_that_are_none(self):
        """Millions of bad lines, a word of megabytes, a file of gigabytes: told in a few short lines, and little is kept."""
        data = make_data_set(self.folder / "nolabels", images=2)
        labels = sorted((data.parent / "labels" / "val").iterdir())
        labels[0].write_bytes(b"x\n" * 2_000_000 + b"\x1b[31m" * 500_000)
        with open(labels[1], "wb") as huge:
            huge.truncate(3 << 30)
        status, stderr, mb = peak_rss_mb("val", self.engine, "--data", data)
        self.assertEqual(status, 0, stderr)
        self.assertLess(len(stderr), 10000)
        self.assertNotIn("\x1b", stderr)
        self.assertIn("more such lines", stderr)
        self.assertLess(mb, peak_rss_mb("val", self.engine, "--data", self.data)[2] + 100)
        labels[0].unlink()
        self.assertIn(f"{labels[1].name}: {3 << 30} bytes", run("val", self.engine, "--data", data).stderr)

    def test_names_with_newlines_and_other_bytes(self):
        names = ["line\nbreak.jpg", "naïve ☃.jpg", "日本語.jpg", "tab\tand \"quotes\".jpg", " leading.jpg", b"latin-\xe9\xff.jpg"]
        data = make_data_set(self.folder / "names", images=1)
        images = data.parent / "images" / "val"
        for name in names:
            (pathlib.Path(os.fsdecode(bytes(images) + b"/" + (name if isinstance(name, bytes) else name.encode())))).write_bytes(IMAGE.read_bytes())
        done = run("val", self.engine, "--data", data, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["images"], 1 + len(names))
        out = self.folder / "drawn-names"
        done = run("predict", self.engine, images, "--save-dir", out, "--save-txt", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(json.loads(done.stdout)["images"]), 1 + len(names))
        self.assertEqual(len(list(out.glob("*.jpg"))), 1 + len(names))
        broken = self.folder / "broken\nname\x1b[31m.jpg"
        broken.write_bytes(b"no image")
        done = run("predict", self.engine, broken, "--no-save")
        self.assertEqual(done.returncode, 2)
        self.assertEqual([line for line in done.stderr.splitlines() if line.startswith("error: ")][-1:], done.stderr.splitlines()[-1:])
        self.assertNotIn("\x1b", done.stderr)
        self.assert_refused(["inspect", self.folder / "no\nsuch.onnx"])

    def test_inputs_of_wrong_shape(self):
        for shape in ((3, 320, 320), (1, 3, 320), (1, 3, 321, 320), (0, 3, 320, 320), ()):
            count = math.prod(shape)
            path = self.write("shape.npy", npy([0.5] * count, shape))
            with self.subTest(shape=shape):
                self.assert_refused(self.model_command("run", self.engine, "--inputs", f"images={path}"), says=["images", "320"])
        for path in (self.folder, "/dev/zero"):
            self.assert_refused(self.model_command("run", self.engine, "--inputs", f"images={path}"), says=[path])


class OddTensorNames(CliTest):
    def test_outputs_that_share_a_file_name(self):
        """Each output has a file of its own, inside the folder, whatever the names are."""
        names = ("a/b", "a:b", "../../escape", "x" * 300)
        ops = ("Relu", "Neg", "Exp", "Sigmoid")
        path = self.write("names.onnx", model([node(op, ["images"], [name]) for op, name in zip(ops, names)], outputs=names))
        folder = self.folder / "outputs"
        done = run(*self.model_command("run", path, "--save-outputs", folder, "--json"))
        self.assertEqual(done.returncode, 0, done.stderr)
        files = [pathlib.Path(output["file"]) for output in json.loads(done.stdout)["outputs"]]
        self.assertEqual({file.parent for file in files}, {folder})
        self.assertEqual(len({file.read_bytes() for file in files}), len(names))

    def test_an_input_with_an_equals_sign(self):
        path = self.write("equals.onnx", model([node("Relu", ["--a=b"], ["output0"])], inputs=(("--a=b", (1, 2)),)))
        array = self.write("two.npy", npy([-1, 3], (1, 2)))
        done = run(*self.model_command("run", path, f"--inputs=--a=b={array}", "--save-outputs", self.folder / "equals", "--json"))
        self.assertEqual(done.returncode, 0, done.stderr)
        file = pathlib.Path(json.loads(done.stdout)["outputs"][0]["file"])
        self.assertEqual(struct.unpack("<2f", file.read_bytes()[-8:]), (0, 3))


class FlatMemory(CliTest):
    def test_val(self):
        """Peak memory of many images is that of few: TENON_MANY_IMAGES sets how many (docs/measurements has 10,000)."""
        if SANITIZED:
            self.skipTest("a sanitizer's own memory hides what val takes")
        many = int(os.environ.get("TENON_MANY_IMAGES", "400"))
        peaks = {}
        for count in (100, many):
            data = make_data_set(self.folder / f"many{count}", images=8)
            images, labels = data.parent / "images" / "val", data.parent / "labels" / "val"
            for i, source in enumerate(sorted(images.iterdir()) * (count // 8)):
                (images / f"copy{i:05}.jpg").symlink_to(source)
                (labels / f"copy{i:05}.txt").symlink_to(labels / (source.stem + ".txt"))
            status, stderr, peaks[count] = peak_rss_mb("val", self.engine, "--data", data, "--quiet")
            self.assertEqual(status, 0, stderr)
        print(f"val: peak memory {peaks} MB", flush=True)
        # What the metric keeps of an image: 10 bytes for each of at most 300 detections; its path and labels. No pixels.
        self.assertLess(peaks[many] - peaks[100], 10 + many * 0.006, peaks)


class FewThreads(CliTest):
    """Threads fail to start where their stacks don't fit the address space."""

    def limited(self, *arguments, stack, space):
        def limit():
            resource.setrlimit(resource.RLIMIT_STACK, (stack, stack))  # what a thread gets
            resource.setrlimit(resource.RLIMIT_AS, (space, space))
        return subprocess.run([TENON, *map(str, arguments)], preexec_fn=limit, capture_output=True, text=True, check=False, timeout=120)

    def setUp(self):
        if SANITIZED:
            self.skipTest("a sanitizer needs the whole address space")

    def test_streams_and_threads(self):
        for flag in ("--streams", "--threads"):
            done = self.limited("run", self.engine, flag, "16", "--duration-s", "0", stack=2 << 30, space=6 << 30)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("can't start a thread", done.stderr.splitlines()[-1])
            self.assertIn("16 threads", done.stderr.splitlines()[-1])

    def test_images_at_a_time(self):
        """Fewer images at a time give the same figures; no thread at all is said."""
        arguments = ("val", self.engine, "--data", self.data, "--threads", "1", "--json", "--quiet")
        expected = json.loads(run(*arguments).stdout)
        one = self.limited(*arguments, stack=4 << 30, space=6 << 30)
        self.assertEqual(one.returncode, 0, one.stderr)
        self.assertEqual(json.loads(one.stdout)["metrics"], expected["metrics"])
        none = self.limited(*arguments, stack=16 << 30, space=6 << 30)
        self.assertEqual(none.returncode, 2, none.stderr)
        self.assertIn("can't start a thread to run images", none.stderr.splitlines()[-1])


if __name__ == "__main__":
    unittest.main()

"""What the tests of the command line share: running build/tenon, and files to give it. Standard library only."""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
TENON = os.environ.get("TENON", str(ROOT / "build" / "tenon"))
EXAMPLE = ROOT / "examples" / "forklift"
ONNX = EXAMPLE / "forklift.onnx"
IMAGE = EXAMPLE / "images" / "val" / "val00000.jpg"
# Of the build folder of a sanitizer preset: its own memory is in every figure, and it needs the whole address space.
SANITIZED = any(preset in TENON for preset in ("build-asan", "build-tsan"))
COMMANDS = ("export", "val", "run", "inspect", "predict")


def run(*arguments, env=None, cwd=None):
    """The finished process of tenon ARGUMENTS..., output as text."""
    return subprocess.run([TENON, *map(str, arguments)], capture_output=True, text=True, errors="replace", timeout=300,
                          cwd=cwd, env={**os.environ, **(env or {})}, check=False)


class CliTest(unittest.TestCase):
    """Each class has a folder of its own (self.folder) with an engine of the example and a little data set."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="tenon-cli-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.cache = cls.folder / "cache"
        cls.cache.mkdir()
        os.environ["XDG_CACHE_HOME"] = str(cls.cache)
        cls.engine = cls.folder / "forklift.tenon"
        made = run("export", ONNX, "--effort", 0, "-o", cls.engine)
        if made.returncode != 0:
            raise RuntimeError(made.stderr)
        cls.data = make_data_set(cls.folder / "data", images=4)

    def snapshot(self):
        """Every path under the folder, except the caches that are meant to change."""
        return {p for p in self.folder.rglob("*") if self.cache not in p.parents}

    def succeed(self, *arguments, **options):
        done = run(*arguments, **options)
        self.assertEqual(done.returncode, 0, f"tenon {arguments}\n{done.stderr}")
        return done

    def assert_refused(self, arguments, code=2, says=(), env=None, cwd=None):
        """Refused with this status, in one sentence on stderr that says these words, also as JSON; nothing written."""
        before = self.snapshot()
        plain = run(*arguments, env=env, cwd=cwd)
        context = f"tenon {' '.join(map(str, arguments))}\nstdout: {plain.stdout}\nstderr: {plain.stderr}"
        self.assertEqual(plain.returncode, code, context)
        self.assertEqual(plain.stdout, "", context)
        errors = [line for line in plain.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, context)
        self.assertEqual(plain.stderr.splitlines()[-1], errors[0], context)
        self.assertLess(len(errors[0]), 1500, context)
        for word in says:
            self.assertIn(str(word).lower(), errors[0].lower(), context)
        for word in ("internal", "std::", "what():", "terminate"):
            self.assertNotIn(word, plain.stderr, context)
        with_json = run(*arguments, "--json", env=env, cwd=cwd)
        self.assertEqual(with_json.returncode, code, context)
        error = json.loads(with_json.stdout)["error"]
        self.assertEqual(error["code"], code)
        self.assertEqual("error: " + error["message"], [l for l in with_json.stderr.splitlines() if l.startswith("error: ")][-1])
        self.assertEqual(self.snapshot() - before, set(), f"left behind by {context}")

    def assert_self_contained(self, page):
        """The page's text: well-formed, without scripts and without references to anything outside."""
        html = page.read_text()
        self.assertTrue(html.startswith("<!DOCTYPE html>\n"))
        root = xml.etree.ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>\n"))
        for element in root.iter():
            tag = element.tag.split("}")[-1]
            self.assertNotIn(tag, ("script", "link", "img", "iframe", "object", "embed", "base"))
            self.assertLessEqual({a.split("}")[-1] for a in element.attrib} & {"href", "src", "srcset", "action", "data"}, set())
            if tag == "style":
                self.assertNotRegex(element.text, r"url\(|@import")
            if tag == "svg":
                self.assertEqual([child.tag.split("}")[-1] for child in element][:2], ["title", "desc"])
        self.assertNotIn("://", html.replace("http://www.w3.org/2000/svg", ""))
        return html

    def model_command(self, command, model, *flags):
        """`command` on a model, with everything else right."""
        rest = {"export": ["-o", self.folder / "out.tenon"], "val": ["--data", self.data],
                "predict": [IMAGE, "--save-dir", self.folder / "drawn"],
                "run": ["--duration-s", 0, "--iterations", 1, "--warmup-ms", 0], "inspect": []}[command]
        effort = [] if command == "inspect" else ["--effort", 0]
        return [command, model, *rest, *effort, *flags]

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


def make_data_set(folder, images):
    """The first images of the example's val split, and their labels; returns the data.yaml."""
    for kind in ("images", "labels"):
        (folder / kind / "val").mkdir(parents=True)
    for image in sorted((EXAMPLE / "images" / "val").iterdir())[:images]:
        shutil.copy(image, folder / "images" / "val")
        shutil.copy(EXAMPLE / "labels" / "val" / (image.stem + ".txt"), folder / "labels" / "val")
    names = (EXAMPLE / "data.yaml").read_text().split("names:")[1]
    yaml = folder / "data.yaml"
    yaml.write_text(f"path: .\ntrain: images/val\nval: images/val\nnames:{names}")
    return yaml


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, value):
    """A protobuf field: a varint for int, else length-delimited."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def onnx_model(op, domain="", opset=17, shape=(1, 3, 8, 8)):
    """An ONNX file of one node: output0 = op(images). A dimension that is a name is open."""
    dims = b"".join(field(1, field(1 if isinstance(d, int) else 2, d)) for d in shape)
    tensor = field(1, field(1, 1) + field(2, dims))
    node = field(1, "images") + field(2, "output0") + field(3, "the_node") + field(4, op) + field(7, domain)
    graph = field(1, node) + field(2, "g") + field(11, field(1, "images") + field(2, tensor))
    graph += field(12, field(1, "output0") + field(2, field(1, field(1, 1))))
    opsets = field(8, field(1, "") + field(2, opset))
    if domain:
        opsets += field(8, field(1, domain) + field(2, 1))
    return field(1, 8) + field(7, graph) + opsets


def npy(values, shape, descr="<f4"):
    """A .npy file of float32."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {tuple(shape)}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}f", *values)

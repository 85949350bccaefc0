"""Long work: progress on a terminal and elsewhere; Ctrl-C and SIGTERM at any time in every command."""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from cli_testing import EXAMPLE, ONNX, SANITIZED, TENON, CliTest

# A loaded machine may take its time to let the process see the signal; the work itself would go on for far longer.
SECONDS_TO_STOP = 30 if SANITIZED else 5


class Interrupt(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # A data set whose scan alone takes a while: links to one image, a label each.
        folder = cls.folder / "many"
        (folder / "images").mkdir(parents=True)
        (folder / "labels").mkdir()
        image = next((EXAMPLE / "images" / "val").iterdir())
        for i in range(20000):
            os.symlink(image, folder / "images" / f"{i}.jpg")
            (folder / "labels" / f"{i}.txt").write_text("0 0.5 0.5 0.1 0.1\n")
        names = (EXAMPLE / "data.yaml").read_text().split("names:")[1]
        cls.many = cls.write_class(folder / "data.yaml", f"path: .\nval: images\nnames:{names}")

    @classmethod
    def write_class(cls, path, text):
        path.write_text(text)
        return path

    def commands(self):
        """name: (arguments that keep the program busy for a minute and more, seconds after which to interrupt)"""
        out = self.folder / "out"
        return {
            "export, tuning": (["export", ONNX, "--effort", 3, "--timing-cache", out / "t.timing", "-o", out / "x.tenon"], (0.2, 1.0)),
            "export, calibrating": (["export", ONNX, "--int8", "--data", self.many, "--effort", 0, "-o", out / "x.tenon"], (1.0, 3.0)),
            "val, scanning": (["val", self.engine, "--data", self.many], (0.15,)),
            "val, running": (["val", self.engine, "--data", self.many, "--save-json", out / "x.json"], (2.5,)),
            "val, reference": (["val", ONNX, "--device", "reference", "--data", self.many], (2.0,)),
            "predict": (["predict", self.engine, self.many.parent / "images", "--save-dir", out / "drawn", "--save-txt"], (1.5,)),
            "run": (["run", self.engine, "--duration-s", 600, "--save-outputs", out / "outputs"], (1.0,)),
            "run, streams": (["run", self.engine, "--duration-s", 600, "--streams", 3], (1.0,)),
            "benchmark": (["benchmark", self.engine, "--duration-s", 600, "--plot", out / "p.svg"], (1.0,)),
            "benchmark, mAP": (["benchmark", self.engine, "--data", self.many, "--plot", out / "p.svg"], (2.5,)),
            "verify": (["verify", self.engine, "--source", ONNX, "--data", self.many, "--report", out / "v.html"], (2.5,)),
            "verify, timing": (["verify", self.engine, "--source", ONNX, "--data", self.data, "--duration-s", 600], (2.0,)),
            "ship": (["ship", ONNX, "--data", self.many, "--effort", 0, "-o", out / "s.tenon", "--report", out / "s.html"], (1.0, 4.0)),
            "ship, timing": (["ship", ONNX, "--data", self.data, "--effort", 0, "--precision", "fp32", "--duration-s", 600,
                              "-o", out / "s.tenon"], (2.0,)),
            "profile": (["profile", self.engine, "--iterations", 1000000, "--trace", out / "t.json"], (0.3, 1.5)),
        }

    def interrupt(self, arguments, seconds, which):
        process = subprocess.Popen([TENON, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "TMPDIR": str(self.folder / "out")})
        time.sleep(seconds)
        sent = time.monotonic()
        process.send_signal(which)
        stdout, stderr = process.communicate(timeout=120)
        return process.returncode, stdout, stderr, time.monotonic() - sent

    def test_every_command_stops_at_once(self):
        (self.folder / "out").mkdir()
        for name, (arguments, times) in self.commands().items():
            for seconds in times:
                with self.subTest(command=name, seconds=seconds):
                    which = signal.SIGTERM if seconds > 1.5 else signal.SIGINT
                    before = self.snapshot()
                    code, stdout, stderr, took = self.interrupt([*arguments, "--json"], seconds, which)
                    if code == -which and not stderr:
                        continue  # before the program was there to catch it
                    self.assertEqual(code, 130, stderr)
                    self.assertEqual(json.loads(stdout), {"error": {"code": 130, "message": "interrupted"}})
                    self.assertEqual(stderr.splitlines()[-1], "error: interrupted")
                    self.assertLess(took, SECONDS_TO_STOP)
                    # predict keeps the images that it finished, whole; nobody leaves a temporary file.
                    left = {p for p in self.snapshot() - before if "drawn" not in p.parts}
                    self.assertEqual(left, set())
                    for path in (self.folder / "out").rglob("*"):
                        self.assertTrue(path.is_dir() or path.suffix in (".jpg", ".txt"), path)
                        if path.suffix == ".jpg":
                            self.assertEqual(path.read_bytes()[-2:], b"\xff\xd9", f"{path} is cut")

    def test_verify_stops_while_its_second_process_runs(self):
        (self.folder / "second").mkdir()
        arguments = [TENON, "verify", self.engine, "--source", ONNX, "--data", self.data, "--warmup-ms", "0", "--duration-s", "0",
                     "--iterations", "1", "--no-save"]
        process = subprocess.Popen(list(map(str, arguments)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "TMPDIR": str(self.folder / "second")})
        child = None
        while child is None and process.poll() is None:  # the second process lives for some ten milliseconds
            # Children stand under the thread that made them.
            for path in pathlib.Path(f"/proc/{process.pid}/task").glob("*/children"):
                try:
                    started = [int(c) for c in path.read_text().split() if b"--save-outputs" in pathlib.Path(f"/proc/{c}/cmdline").read_bytes()]
                except OSError:
                    continue
                # Not before it has its own command line: until then posix_spawn holds the parent.
                if started:
                    child = started[0]
                    os.kill(child, signal.SIGSTOP)  # it would never end by itself now
                    break
        if child is None:
            self.fail(f"no second process was seen: {process.communicate()}")
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, stderr)
        self.assertLess(time.monotonic() - sent, SECONDS_TO_STOP)
        self.assertFalse(pathlib.Path(f"/proc/{child}").exists(), "the second process was left behind")
        self.assertEqual(list((self.folder / "second").iterdir()), [])

    def test_twice_is_as_good(self):
        process = subprocess.Popen([TENON, "run", self.engine, "--duration-s", "600"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=SECONDS_TO_STOP)
        self.assertEqual(process.returncode, 130)

    def test_interrupted_between_two_exports_the_first_stays_whole(self):
        """Exports over one name, interrupted at random times: what lies there is always a whole engine."""
        target = self.folder / "target.tenon"
        target.write_bytes(self.engine.read_bytes())
        for i in range(12):
            self.interrupt(["export", ONNX, "--effort", 0, "-o", target], 0.02 + 0.03 * i, signal.SIGINT)
            done = subprocess.run([TENON, "inspect", target, "--json"], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([p.name for p in self.folder.glob("target*")], ["target.tenon"])


class ProgressBar(CliTest):
    def on_terminal(self, arguments, columns, env=None):
        """What the program writes to a terminal of that width (stderr), and its status."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen([TENON, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=slave,
                                   env={**os.environ, "TERM": "xterm", **(env or {})})
        os.close(slave)
        written = b""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if select.select([master], [], [], 0.5)[0]:
                try:
                    part = os.read(master, 65536)
                except OSError:  # Linux says EIO when the other side is closed
                    break
                if not part:
                    break
                written += part
        os.close(master)
        return process.wait(timeout=60), written.decode()

    def test_bar_with_rate_and_time_left(self):
        code, text = self.on_terminal(["profile", self.engine, "--iterations", 40], 100)
        self.assertEqual(code, 0, text)
        lines = [l for l in re.split(r"[\r\n]+", text) if l.startswith("profile [")]
        self.assertGreater(len(lines), 1)
        self.assertRegex(lines[-1], r"^profile \[#+\] 40/40 runs, [0-9.]+ runs/s, 0:00 left\x1b\[K$")
        self.assertTrue(text.endswith("\n"))

    def test_no_wider_than_the_terminal(self):
        for columns in (30, 57):
            code, text = self.on_terminal(["profile", self.engine, "--iterations", 20], columns)
            self.assertEqual(code, 0, text)
            bars = [l.replace("\x1b[K", "") for l in text.split("\r") if l.startswith("profile") and "runs" in l]
            self.assertTrue(bars, text)
            for bar in bars:
                self.assertLess(len(bar.rstrip("\n")), columns)

    def test_colour_and_its_absence(self):
        bad = self.write("bad/data.yaml", self.data.read_text().replace("path: .", f"path: {self.data.parent}"))
        label = next((self.data.parent / "labels" / "val").iterdir())
        label.write_text(label.read_text() + "99 0.5 0.5 0.1 0.1\n")  # a warning for certain
        arguments = ["val", self.engine, "--data", bad]
        colour = re.compile(r"\x1b\[[0-9;]*m")
        self.assertRegex(self.on_terminal(arguments, 100)[1], colour)
        self.assertNotRegex(self.on_terminal(arguments, 100, {"NO_COLOR": "1"})[1], colour)
        self.assertNotRegex(self.on_terminal([*arguments, "--no-color"], 100)[1], colour)

    def test_a_dumb_terminal_gets_no_control_characters(self):
        code, text = self.on_terminal(["profile", self.engine, "--iterations", 20], 100, {"TERM": "dumb"})
        self.assertEqual(code, 0, text)
        self.assertNotIn("\x1b[K", text)

    def test_tuning_shows_progress(self):
        code, text = self.on_terminal(["export", ONNX, "--effort", 2, "--timing-cache", self.folder / "p.timing", "-o", self.folder / "p.tenon"], 100)
        self.assertEqual(code, 0, text)
        self.assertRegex(text, r"tuning \[#+ *\] \d+/\d+ runs, ")

    def test_plain_lines_every_ten_seconds(self):
        process = subprocess.Popen([TENON, "profile", self.engine, "--iterations", "1000000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        start, stderr = time.monotonic(), ""
        while "profile: " not in stderr:  # a loaded machine, or a sanitized program, is late
            line = process.stderr.readline()
            self.assertTrue(line, stderr)
            stderr += line
        self.assertGreater(time.monotonic() - start, 9)
        process.send_signal(signal.SIGINT)
        stderr += process.communicate(timeout=60)[1]
        lines = [l for l in stderr.splitlines() if l.startswith("profile: ")]
        self.assertEqual(len(lines), 1, stderr)
        self.assertRegex(lines[0], r"^profile: \d+/1000000 runs, [0-9.]+ runs/s, [0-9:]+ left$")
        self.assertNotIn("\r", stderr)


if __name__ == "__main__":
    unittest.main()

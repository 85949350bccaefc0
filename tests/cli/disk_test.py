"""Full disks, read-only folders, size limits and SIGKILL: the right status, one sentence, whole files, nothing lost."""
import json
import pathlib
import random
import resource
import signal
import subprocess
import time
import unittest

from cli_testing import IMAGE, ONNX, TENON, CliTest, run


class Mounted(CliTest):
    """self.disk: a file system of 64 KiB in memory; skipped, by name, where we may not mount."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.disk = cls.folder / "disk"
        cls.disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", cls.disk], capture_output=True, check=False).returncode != 0:
            raise unittest.SkipTest("needs root and mount (a small tmpfs)")
        cls.addClassCleanup(subprocess.run, ["umount", "-l", cls.disk], check=False)

    def remount(self, options):
        subprocess.run(["mount", "-o", f"remount,{options}", self.disk], check=True)


class FullDisk(Mounted):
    def test_nothing_is_lost(self):
        old = self.disk / "old.tenon"
        old.write_bytes(b"what was here before")
        before = sorted(self.disk.rglob("*"))
        reason = "No space left on device"
        data = ["--data", self.data]
        for arguments in (["export", ONNX, "--effort", 0, "-o", old], ["export", ONNX, "--effort", 0, "-o", self.disk / "new.tenon"]):
            with self.subTest(arguments=arguments):
                self.assert_refused(arguments, says=[reason, arguments[-1]])
        self.assertEqual(sorted(self.disk.rglob("*")), before)
        self.assertEqual(old.read_bytes(), b"what was here before")
        (self.disk / "filler").write_bytes(b"x" * 58000)
        self.assert_refused(["val", self.engine, *data, "--save-json", self.disk / "d.json"], says=[reason, "d.json"])
        for arguments in (["predict", self.engine, IMAGE, "--save-dir", self.disk / "drawn"],
                          ["run", self.engine, "--duration-s", 0, "--warmup-ms", 0, "--save-outputs", self.disk / "out"]):
            with self.subTest(arguments=arguments):
                done = run(*arguments)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(reason, done.stderr.splitlines()[-1])
                self.assertEqual([path for path in arguments[-1].rglob("*") if path.is_file()], [], "half-written files")

    def test_the_timing_cache(self):
        cache = self.disk / "cache"
        (self.disk / "filler").write_bytes(b"x" * 61000)
        out = self.folder / "cacheless.tenon"
        done = run("export", ONNX, "--effort", 1, "-o", out, env={"XDG_CACHE_HOME": cache})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("not kept", done.stderr)
        self.assertEqual(run("inspect", out).returncode, 0)
        done = run("export", ONNX, "--effort", 1, "-o", out, "--timing-cache", self.disk / "my.timing")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertFalse((self.disk / "my.timing").exists())


class ReadOnly(Mounted):
    def test_every_writer(self):
        self.remount("ro")
        reason = "Read-only file system"
        for arguments in (["export", ONNX, "--effort", 3, "-o", self.disk / "x.tenon"],
                          ["val", self.engine, "--data", self.data, "--save-json", self.disk / "x.json"],
                          ["predict", self.engine, IMAGE, "--save-dir", self.disk / "drawn"],
                          ["run", self.engine, "--duration-s", 60, "--save-outputs", self.disk / "out"]):
            with self.subTest(arguments=arguments):
                start = time.monotonic()
                self.assert_refused(arguments, says=[reason, self.disk])
                self.assertLess(time.monotonic() - start, 30, "noticed after the work")


class SizeLimit(CliTest):
    def limited(self, *arguments):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
        return subprocess.run([TENON, *map(str, arguments)], preexec_fn=limit, capture_output=True, text=True, check=False, timeout=120)

    def test_export(self):
        out = self.folder / "limited.tenon"
        before = self.snapshot()
        done = self.limited("export", ONNX, "--effort", 0, "-o", out)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("File too large", done.stderr.splitlines()[-1])
        self.assertEqual(self.snapshot(), before)


class Killed(CliTest):
    def test_sigkill_at_random_times(self):
        folder = self.folder / "build"
        folder.mkdir()
        out, cache = folder / "out.tenon", folder / "t.timing"
        export = [TENON, "export", str(ONNX), "--effort", "1", "--timing-cache", str(cache), "-o", str(out)]
        start = time.monotonic()
        subprocess.run(export, check=True, capture_output=True)
        whole_s = time.monotonic() - start
        old = out.read_bytes()
        order = random.Random(20261123)
        killed = 0
        for _ in range(12):
            cache.unlink(missing_ok=True)
            with subprocess.Popen(export, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                time.sleep(order.uniform(0, 1.1 * whole_s))
                process.send_signal(signal.SIGKILL)
                killed += process.wait() == -signal.SIGKILL
            left = {path.name for path in folder.iterdir()}
            self.assertLessEqual(left, {"out.tenon", "t.timing"}, "left behind")
            if out.read_bytes() != old:
                self.assertEqual(run("inspect", out).returncode, 0)
                old = out.read_bytes()
            if cache.exists():
                self.assertEqual(run("export", ONNX, "--effort", 0, "--timing-cache", cache, "-o", self.folder / "again.tenon").returncode, 0)
        self.assertGreater(killed, 0, "every build was faster than its kill: the test shows nothing")
        done = run(*export[1:], "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(run("run", json.loads(done.stdout)["engine"], "--duration-s", 0, "--iterations", 1).returncode, 0)

    def test_partial_files_can_be_told(self):
        """Where the file system has no nameless files, a kill may leave PATH.partial-PID-N: no reader takes it for the file."""
        partial = pathlib.Path(str(self.engine) + ".partial-123-4")
        partial.write_bytes(self.engine.read_bytes()[:1000])
        self.assert_refused(["inspect", partial], says=["partial-123-4"])
        partial.unlink()


if __name__ == "__main__":
    unittest.main()

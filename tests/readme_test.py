"""Runs every command of README.md's `sh` blocks, in a copy of the example, so that the README stays true.

A block that starts with `# set-up` (packages, clone, make) is not run here: .ci/run and `make demo` are its tests. All
other lines run one after another in one folder, and each must exit with 0. What a block shows as output (in a fenced
block `text` after it) is not compared: figures differ between machines."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
TENON = os.environ.get("TENON", str(ROOT / "build" / "tenon"))


def commands():
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    for block in blocks:
        if block.startswith("# set-up"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip() and not line.startswith("#"):
                yield line


class Readme(unittest.TestCase):
    def test_commands(self):
        lines = list(commands())
        self.assertGreaterEqual({line.split()[1] for line in lines if line.startswith("tenon ")},
                                {"export", "val", "run", "inspect", "devices", "predict"})
        with tempfile.TemporaryDirectory(prefix="tenon-readme-") as folder:
            shutil.copytree(ROOT / "examples" / "forklift", f"{folder}/examples/forklift", ignore=shutil.ignore_patterns("train"))
            (pathlib.Path(folder) / "bin").mkdir()
            os.symlink(TENON, f"{folder}/bin/tenon")
            env = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "XDG_CACHE_HOME": f"{folder}/cache"}
            no_half = '"half"' not in subprocess.run([TENON, "devices", "--json"], capture_output=True, text=True, check=True).stdout.split('"missing"')[0]
            for line in lines:
                if no_half and "half" in line:
                    continue  # this CPU refuses half (exit status 3): tests/cli/bad_input_test.py
                with self.subTest(line):
                    done = subprocess.run(line, shell=True, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
                    self.assertEqual(done.returncode, 0, done.stderr)

    def test_links_lead_somewhere(self):
        for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
            for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
                with self.subTest(page=page.name, link=link):
                    self.assertTrue((page.parent / link).exists())


if __name__ == "__main__":
    unittest.main()

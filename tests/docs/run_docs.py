#!/usr/bin/env python3
"""Runs what the documentation tells people to type, and compiles the C++ that it shows.

Every ```sh block runs with bash -euo pipefail in the root of the checkout, the built program first in
PATH and $TMP an empty folder of the page; every ```cpp block must compile by itself. A block that
cannot run in a test (it installs packages, say) is marked ```console.

usage: run_docs.py PROGRAM_DIR PAGE...
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def blocks(path):
    """(language, first line number, text) of every fenced block."""
    text = path.read_text()
    for match in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.S | re.M):
        yield match[1], text[: match.start()].count("\n") + 2, match[2]


def run(language, text, environment, folder):
    if language == "sh":
        command = ["bash", "-euo", "pipefail", "-c", text]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    source = pathlib.Path(folder) / "block.cc"
    source.write_text(text)
    command = ["g++", "-std=c++20", "-Wall", "-Wextra", "-fsyntax-only", "-I", str(ROOT), str(source)]
    return subprocess.run(command, capture_output=True, text=True)


def main():
    programs, pages = sys.argv[1], sys.argv[2:]
    count, failed = 0, 0
    for page in pages:
        with tempfile.TemporaryDirectory() as folder:
            environment = dict(os.environ, TMP=folder, PATH=f"{programs}:{os.environ['PATH']}")
            for language, line, text in blocks(ROOT / page):
                if language not in ("sh", "cpp"):
                    continue
                needs_shared = "../shared" in text and not (ROOT / "../shared/data").is_dir()
                if needs_shared:
                    print(f"{page}:{line}: skipped, needs ../shared/data")
                    continue
                result = run(language, text, environment, folder)
                count += 1
                if result.returncode != 0:
                    failed += 1
                    print(f"{page}:{line}: exit status {result.returncode}\n{text}{result.stdout}{result.stderr}")
    print(f"{count - failed} blocks ran, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

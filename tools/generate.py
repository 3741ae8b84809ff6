#!/usr/bin/env python3
"""Writes the files that follow from the ops' definitions and from tools/layers.txt.

usage: generate.py [--check] [--program PATH]

tessera/ops/ops.h, tessera/ops/internal/ops.cc and docs/generated/ops.md come from the program
tessera_generate (default: build/release/tessera_generate); the table of layers in docs/architecture.md
from tools/layers.txt. With --check nothing is written and the exit status is 1 when a file is stale.
"""
import argparse
import difflib
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OPS = {"header": "tessera/ops/ops.h", "source": "tessera/ops/internal/ops.cc", "page": "docs/generated/ops.md"}
LAYERS = {
    "base": "errors with context, text, parallel loops",
    "io": "files (sized parallel reads, atomic writes, faulty fakes), JSON, ciphers, checksums",
    "tensor": "dtypes, shapes, boxes, `cover`, buffers, tensors",
    "layout": "meshes, layouts, sharding rules, redistribution plans",
    "checkpoint": "catalogs, load plans, verification, readers and writers of formats",
    "reshard": "M ranks to N: sources, destinations, plans, streaming, outputs",
    "comm": "ranks that move buffers: threads, MPI, one alone",
    "graph": "ops' definitions, calls and kernels; graphs and their text",
    "ops": "one file per op; faster kernels in `cpu/`",
    "passes": "graph to graph: folding, fusion, dead nodes",
    "runtime": "programs: kernel choice, memory plan, running",
    "nn": "scopes and layers as functions",
    "zoo": "one file per model",
    "data": "row sources, transforms, pipelines",
    "train": "optimizers, schedules of learning rates, the graph of a training step",
    "hub": "cards of models, fetched and kept files",
    "model": "opening, evaluating, predicting; metrics",
}


def formatted(text, path):
    """C++ in the project's format."""
    if not path.endswith((".h", ".cc")):
        return text
    command = ["clang-format", f"--assume-filename={ROOT / path}"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def layer_rows():
    lines = [line for line in (ROOT / "tools/layers.txt").read_text().splitlines() if re.match(r"[a-z]+:", line)]
    below = {name: rest.split() for name, rest in (line.split(":") for line in lines)}
    if set(below) != set(LAYERS):
        sys.exit(f"tools/generate.py describes {sorted(LAYERS)}, tools/layers.txt has {sorted(below)}")
    return "".join(f"| `{name}` | {LAYERS[name]} | {' '.join(rest) or 'nothing'} |\n" for name, rest in below.items())


def architecture():
    text = (ROOT / "docs/architecture.md").read_text()
    head, mark, rest = text.partition("|---|---|---|\n")
    mark_end = "<!-- end of layers, written by tools/generate.py -->\n"
    tail = rest.partition(mark_end)[2]
    if not mark or not tail:
        sys.exit("docs/architecture.md has no table of layers that ends with its mark")
    return head + mark + layer_rows() + "\n" + mark_end + tail


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--program", default=ROOT / "build/release/tessera_generate")
    arguments = parser.parse_args()
    wanted = {"docs/architecture.md": architecture()}
    for word, path in OPS.items():
        run = subprocess.run([arguments.program, word], capture_output=True, text=True, check=True)
        wanted[path] = formatted(run.stdout, path)
    stale = []
    for path, text in wanted.items():
        file = ROOT / path
        found = file.read_text() if file.exists() else ""
        if found == text:
            continue
        stale.append(path)
        if arguments.check:
            sys.stdout.writelines(difflib.unified_diff(found.splitlines(True), text.splitlines(True), path, "wanted", n=1))
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            print(f"wrote {path}")
    if stale and arguments.check:
        sys.exit(f"{', '.join(stale)}: stale; run ./dev docs")
    print(f"generate: {len(wanted)} files are what the definitions say")


if __name__ == "__main__":
    main()

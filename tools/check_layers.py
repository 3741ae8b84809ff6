#!/usr/bin/env python3
"""Checks every #include "tessera/..." of the library against tools/layers.txt, and the list itself for cycles."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def read_layers(path):
    """Folder -> the set of folders it may include. Exits when a line names a folder that is not above it."""
    allowed = {}
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        folder, below = line.split(":")
        unknown = set(below.split()) - set(allowed)
        if unknown:
            sys.exit(f"{path}: '{folder}' names {sorted(unknown)}, not above it in the list")
        allowed[folder] = set(below.split()) | {folder}
    return allowed


def main():
    allowed = read_layers(ROOT / "tools/layers.txt")
    bad = []
    files = sorted(p for p in (ROOT / "tessera").rglob("*") if p.suffix in (".h", ".cc"))
    for path in files:
        layer = path.relative_to(ROOT / "tessera").parts[0]
        for number, text in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*"(tessera/([^/"]+)/[^"]*)"', text)
            if not match or match[2] in allowed.get(layer, ()):
                continue
            if match[1].startswith("tessera/gen/"):
                continue
            bad.append(f"{path.relative_to(ROOT)}:{number}: {layer} may not include {match[2]}")
    if bad:
        print("\n".join(bad))
        sys.exit(f"{len(bad)} includes against the layers")
    print(f"layers: {len(files)} files in {len(allowed)} layers obey tools/layers.txt")


if __name__ == "__main__":
    main()

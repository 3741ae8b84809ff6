#!/usr/bin/env python3
"""Kills `tessera reshard` at random moments and looks at what is left.

    kill_reshard.py PROGRAM [KILLS [SEED]]

After each kill the source is as it was, every file under its final name is complete, and a run
without --force gives the same files as one that nobody disturbs. Every third kill is a SIGINT.
"""
import hashlib, json, os, pathlib, random, shutil, signal, subprocess, sys, tempfile, time

RANKS, ROWS, COLUMNS, TENSORS = 4, 512, 1024, 12


def shard(path, rank):
    """A .safetensors file of some tensors, as its rank holds them."""
    header, data, pick = {}, b"", random.Random(rank)
    for number in range(TENSORS):
        part = pick.randbytes(ROWS // RANKS * COLUMNS * 4)
        header[f"net.w{number}"] = {"dtype": "F32", "shape": [ROWS // RANKS, COLUMNS],
                                    "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def tree(folder):
    """Digest by path of all files, without the manifest's and marker's."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def main():
    program, kills = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200
    moments = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    root = pathlib.Path(tempfile.mkdtemp(prefix="tessera-kill-"))
    try:
        return run(root, program, kills, moments)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def run(root, program, kills, moments):
    for rank in range(RANKS):
        shard(root / f"src/rank_{rank}/net{rank}.safetensors", rank)
    (root / "from.txt").write_text("mesh {tp=4}\n* [tp, -]\n")
    (root / "to.txt").write_text("mesh {tp=6}\n* [-, tp]\n")

    def command(out):
        return [program, "reshard", str(root / "src"), "--from", str(root / "from.txt"), "--to",
                str(root / "to.txt"), "-o", str(out), "--quiet"]

    source = tree(root / "src")
    began = time.monotonic()
    subprocess.run(command(root / "wanted"), check=True)
    seconds = time.monotonic() - began
    wanted, hit, partly = tree(root / "wanted"), 0, 0
    out = root / "out"
    for number in range(kills):
        sent = signal.SIGINT if number % 3 == 2 else signal.SIGKILL
        process = subprocess.Popen(command(out), stderr=subprocess.DEVNULL)
        time.sleep(moments.uniform(0, 1.1 * seconds))
        process.send_signal(sent)
        was_hit = process.wait() != 0
        hit += was_hit
        assert tree(root / "src") == source, "the source changed"
        left = tree(out) if out.exists() else {}
        for path, digest in left.items():
            is_ours = path.endswith((".tmp", "tessera.incomplete"))
            assert is_ours or wanted.get(path) == digest, f"{path} is half-written"
        assert "tessera.json" not in left or all(path in left for path in wanted), \
            "the manifest is there before the files"
        if was_hit and "tessera.incomplete" not in left and "tessera.json" not in left:
            assert not left, f"no marker, but {sorted(left)}"
        partly += "tessera.incomplete" in left
        if "tessera.json" not in left:
            again = subprocess.run(command(out), capture_output=True, text=True)
            assert again.returncode == 0, again.stderr
        elif "tessera.incomplete" in left:
            subprocess.run(command(out) + ["--force"], check=True)
        assert tree(out) == wanted, f"a run after a kill differs: {sorted(set(tree(out)) ^ set(wanted))}"
        if number % 4 != 3:  # else the next one is refused, as it must be
            shutil.rmtree(out)
        else:
            refused = subprocess.run(command(out), capture_output=True, text=True)
            assert refused.returncode == 1 and "--force" in refused.stderr, refused.stderr
            forced = subprocess.Popen(command(out) + ["--force"], stderr=subprocess.DEVNULL)
            time.sleep(moments.uniform(0, 1.1 * seconds))
            forced.kill()
            forced.wait()
            again = subprocess.run(command(out) + ["--force"], capture_output=True, text=True)
            assert again.returncode == 0, again.stderr
            assert tree(out) == wanted, "a replaced result differs"
            shutil.rmtree(out)
    print(f"{kills} kills, {hit} in time, {partly} left a marker; a run takes {seconds:.3f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

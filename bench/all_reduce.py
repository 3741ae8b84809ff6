#!/usr/bin/env python3
"""all_reduce of 64 MiB with 2 ranks: threads, beside OpenMPI's own and beside memcpy, in turns.

usage: all_reduce.py BUILD_DIR [TURNS [MIB]]. Prints each turn's best times and, last, the medians
of the ratios, each above 1 where ours is faster.
"""
import json
import pathlib
import shutil
import statistics
import subprocess
import sys


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    build = pathlib.Path(sys.argv[1])
    turns = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    size = sys.argv[3] if len(sys.argv) > 3 else "64"
    mpi = build / "bench_all_reduce_mpi"
    has_mpi = mpi.exists() and shutil.which("mpirun")
    if not has_mpi:
        print("no MPI here: only threads beside memcpy")
    ratios = {}
    for _ in range(turns):
        found = run(build / "bench_all_reduce", size)
        if has_mpi:
            found |= run("mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2", mpi, size)
        best = {name: times["best_s"] for name, times in found.items() if isinstance(times, dict)}
        print(" ".join(f"{name} {seconds * 1e3:.1f} ms" for name, seconds in best.items()))
        ratios.setdefault("local vs memcpy's bound", []).append(best["memcpy"] / best["local"])
        if has_mpi:
            theirs = min(best["openmpi"], best["openmpi_in_place"])
            ratios.setdefault("local vs OpenMPI", []).append(theirs / best["local"])
            ratios.setdefault("ours over MPI vs OpenMPI", []).append(theirs / best["mpi"])
    for name, values in ratios.items():
        print(f"{name}: {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()

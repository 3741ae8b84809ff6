#!/usr/bin/env bash
# The tutorial: training on 8 ranks, then inference from what it left on 8, 4, 3, 2 and 1 ranks, as threads
# and, where mpirun is there, as processes. usage: run.sh PROGRAM [DIR]
set -euo pipefail
program=$1
folder=${2:-$(mktemp -d)}
"$program" train "$folder"
for ranks in 8 4 3 2 1; do
  "$program" infer "$folder" "$ranks"
done
if command -v mpirun >/dev/null; then
  mpirun --allow-run-as-root --oversubscribe -n 8 "$program" train "$folder"
  for ranks in 8 4 3 2 1; do
    mpirun --allow-run-as-root --oversubscribe -n "$ranks" "$program" infer "$folder" "$ranks"
  done
else
  echo "mpirun is not installed: threads only"
fi

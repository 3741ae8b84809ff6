#!/usr/bin/env bash
# reshard.sh PROGRAM SRC SRC_STRATEGY DST [DST_STRATEGY]: one re-slicing as the peers' harness asks for it;
# without DST_STRATEGY the whole on one rank. Prints JSON. The peers do not wait for the disk either.
set -euo pipefail
to=(--whole)
[[ -z ${5:-} ]] || to=(--to "$5")
exec "$1" reshard "$2" --from "$3" "${to[@]}" -o "$4" --no-fsync --json

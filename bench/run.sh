#!/usr/bin/env bash
# Runs the measurements of bench/README.md on this machine: ./dev bench [all_reduce,save,input,infer,load,e2e,reshard].
# With ../shared/peers, each runs side by side with the programs that people would use instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
parts=${1:-all_reduce,save,input,e2e,infer,load,reshard}
programs=$PWD/build/release
peers=../shared/peers
leave_out() {  # a part that is done; ends where none is left
  parts=$(tr , '\n' <<<"$parts" | grep -v "$1" | paste -sd, || true)
  [[ -n $parts ]] || exit 0
}
if [[ $parts == *all_reduce* ]]; then  # beside OpenMPI, which needs no peers
  bench/all_reduce.py "$programs"
  leave_out all_reduce
fi
if [[ $parts == *save* ]]; then  # beside plain writing
  folder=$(mktemp -d)
  "$programs/bench_save" "$folder" 1024 4
  rm -r "$folder"
  leave_out save
fi
if [[ $parts == *input* ]]; then  # beside libjpeg-turbo alone
  for threads in 1 "$(nproc)"; do "$programs/bench_input" "$threads"; done
  leave_out input
fi
if [[ ! -d $peers ]]; then
  echo "no $peers here: only Tessera against this machine's own limits"
  [[ $parts != *load* ]] || "$programs/bench_load" --make 1024
  if [[ $parts == *infer* ]]; then
    for model in lenet5 googlenet resnet50; do "$programs/tessera" bench "$model" --per-node; done
  fi
  [[ $parts != *reshard* ]] || "$programs/bench_reshard_plan"
  exit
fi
export EXT_E2E="tessera=$programs/tessera eval lenet5 --weights {ckpt} --data mnist:{mnist} --batch {batch} --threads {threads} --json"
export EXT_INFER="tessera=$programs/bench_infer {model} {batch} {threads} {seconds} {ckpt} {input} {logits}"
export EXT_LOAD="tessera=$programs/bench_load {ckpt}"
export EXT_RESHARD="tessera=$PWD/bench/reshard.sh $programs/tessera {src_dir} {src_strategy} {dst_dir} {dst_strategy}"
[[ $parts != *reshard* ]] || "$programs/bench_reshard_plan"
"$peers/run_all.sh" --only "$parts" "${@:2}"
[[ $parts == *infer* ]] || exit 0
# Several requests side by side, beside the peer that has a mode for it.
venvs=${PEERS_VENV_DIR:-$(dirname "$(mktemp -u)")/peers-venvs}
python3 -B "$peers/bench_infer.py" --engines openvino-throughput --peers-python "$venvs/peers/bin/python" --ms-python "$venvs/ms/bin/python" \
  --external "tessera-streams=$programs/bench_infer {model} {batch} {threads} {seconds} {ckpt} {input} {logits} streams"

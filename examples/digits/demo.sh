#!/usr/bin/env bash
# What a finished run would cost, a rehearsal with two interruptions, and the proof that they
# changed nothing. Usage: demo.sh BIN, the folder in which finsched and its Python are installed.
set -euo pipefail
cd "$(dirname "$0")"
export PATH="$1:$PATH" OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

step() { printf '\n== %s\n\n' "$1"; }

step 'finsched quote job.yaml: what would the finished run cost, on every GPU cloud?'
finsched quote job.yaml

step 'finsched launch job.yaml --rehearse: train it here as if there, interrupted twice'
finsched launch job.yaml --rehearse --interruptions 2 --seed 7
interrupted=$(finsched logs | tail -n 1)

step 'python train.py: the same training, without any interruption'
uninterrupted=$(python train.py | tail -n 1)

printf '  interrupted twice   %s\n' "$interrupted"
printf '  never interrupted   %s\n' "$uninterrupted"
if [ "$interrupted" != "$uninterrupted" ]; then
  echo 'The weights differ: an interruption changed the result.' >&2
  exit 1
fi
echo '  The weights are the same, bit for bit.'

step 'finsched report: what every attempt would have cost there'
finsched report

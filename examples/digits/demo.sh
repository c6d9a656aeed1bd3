#!/usr/bin/env bash
# What a finished run would cost, a rehearsal with two interruptions, and the proof that they
# changed nothing. Usage: demo.sh BIN, the folder in which finsched and its Python are installed.
set -euo pipefail
cd "$(dirname "$0")"
export PATH="$1:$PATH" OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

step() { printf '\n== %s\n\n' "$1"; }

step 'What would the whole run cost, on every GPU cloud we know?   finsched quote job.yaml'
finsched quote job.yaml

step 'Rehearse it here: real training, two interruptions   finsched launch job.yaml --rehearse'
finsched launch job.yaml --rehearse --interruptions 2 --seed 7

step 'The same training without any interruption   python train.py'
uninterrupted=$(python train.py | tail -n 1)
echo "uninterrupted: $uninterrupted"

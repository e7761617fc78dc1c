#!/bin/sh
# Curate with GNU parallel: a shard per job; run it again to go on with what is not done.
# usage: curate-parallel.sh MODEL SHARDS JOBS OUT pictures ...
# Over several machines that see the same folders: add --sshlogin host1,host2 --workdir .
set -eu
model=$1 shards=$2 jobs=$3 out=$4
shift 4
curate=${CURATE:-$(dirname "$0")/../pipelines/curate.sh}
mkdir -p "$out"

# A shard with failed rows (status 1) is done: its errors.*.jsonl have them.
# shellcheck disable=SC2016  # the inner shell expands "$@" and $?
seq 0 $((shards - 1)) |
    parallel --quote --jobs "$jobs" --halt soon,fail=1 \
        sh -c '"$@" || [ $? = 1 ]' sh \
        "$curate" -m "$model" -s "{}/$shards" -o "$out/shard-{}-of-$shards" "$@"
cat "$out"/shard-*-of-"$shards"/qa.jsonl > "$out/qa.jsonl"

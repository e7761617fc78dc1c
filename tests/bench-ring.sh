#!/bin/bash
# A step of the ring on the pocket pair (16 pictures, 8 captions each, five questions): its time,
# what each program uses of the processors, and which share of them computes; on policy and one
# batch ahead. Usage: tests/bench-ring.sh BUILD BIN [STEPS]. Prints a JSON object.
set -eu
cd "$(dirname "$0")/.."
build=$1 bin=$2 steps=${3:-6}
work=$build/bench/ring world=share/pocket/world
PATH=$PWD/$bin:$PATH
rm -rf "$work"
mkdir -p "$work"
jq -c '.qa |= .[:5]' $world/train.jsonl >"$work/rows.jsonl"
for ahead in 0 1; do
    CAPTION='--max-tokens 128' REWARD='--answer text --token-cost 0.0005' STEP='--weight-decay 0' \
        pipelines/rl.sh -m pocket -j pocket-judge -d "$work/rows.jsonl" -R $world \
        -o "$work/$ahead" -b 16 -n 8 -s "$steps" -l 1.5e-4 -k $ahead -c 1000 2>"$work/$ahead.log"
    # the first step, in which programs begin, is left out
    jq -s 'map(select(.reward))[1:] | {wall: (map(.wait_time + .step_time) | add / length),
        training: (map(.step_time) | add / length)}' "$work/$ahead/metrics.jsonl" >"$work/$ahead.wall"
    sed -nE 's/^step [0-9]+: .*caption ([0-9.]+), reward ([0-9.]+), rl-step ([0-9.]+)\)$/[\1,\2,\3]/p' \
        "$work/$ahead.log" | jq -s '.[1:] | transpose | map(add / length)' >"$work/$ahead.processors"
done
summary() { # AHEAD
    jq -n --slurpfile w "$work/$1.wall" --slurpfile p "$work/$1.processors" --argjson n "$(nproc)" '
        {step_s: $w[0].wall, training_s: $w[0].training, caption_cpu_s: $p[0][0],
         reward_cpu_s: $p[0][1], rl_step_cpu_s: $p[0][2],
         processors_busy: (($p[0] | add) / ($w[0].wall * $n))}'
}
jq -n --argjson on_policy "$(summary 0)" --argjson ahead_1 "$(summary 1)" \
    '{on_policy: $on_policy, ahead_1: $ahead_1}'

#!/bin/sh
# The method in small: what a judge that does not see a picture can answer from its caption is
# the caption's reward, and the captioner is trained on it. The pocket captioner describes
# pictures that it was not trained on, learns from others in some 20 steps, and describes the
# first ones again. The last line is JSON: {"base":{"acc","precision","recall","tokens"},"rl":{...}}.
# Usage: pipelines/demo.sh (make demo builds first). In the environment: QUICK=1 for a handful of
# steps, SEED=N, OUT=FOLDER to keep what is made (and to go on with).
set -eu

here=$(dirname "$0")
PATH=$here/../bin:$PATH
share=${CAPMILL_SHARE:-$here/../share}
[ -d "$share" ] || share=$here/../../../capmill # installed, in share/doc/capmill
world=$share/pocket/world
seed=${SEED:-0}
if [ -n "${QUICK:-}" ]; then
    steps=6 pictures=8 samples=6 unseen=24 rate=3e-4 warmup=2
else
    steps=22 pictures=16 samples=8 unseen=96 rate=1.5e-4 warmup=5
fi

if [ -n "${OUT:-}" ]; then
    mkdir -p "$OUT"
else
    OUT=$(mktemp -d)
    trap 'rm -rf "$OUT"' EXIT
fi
trap 'exit 75' INT TERM

# describe MODEL FILE: captions of unseen pictures, and what the judge answers from them.
describe() {
    caption -m "$1" --temperature 0 --max-tokens 128 --root "$world" --limit "$unseen" \
        "$world/test.jsonl" > "$OUT/captions.jsonl"
    reward -m pocket-judge --answer text "$OUT/captions.jsonl" > "$2"
}

say() {
    printf '%s\n' "$*" >&2
}

say "1. The captioner describes $unseen pictures that it has not seen, and the judge is asked about them."
describe pocket "$OUT/base.jsonl"

say "2. It learns from $((steps * pictures)) others: $steps steps of $pictures pictures, $samples captions each."
# Five questions a picture, others for each.
jq -c --slurp 'to_entries[] | .key as $i | .value | (.qa | length) as $n
    | .qa |= ([.[], .[]] | .[$i % $n:$i % $n + ([5, $n] | min)])' "$world/train.jsonl" > "$OUT/train.jsonl"
CAPTION='--max-tokens 128' REWARD='--answer text --token-cost 0.0005' STEP='--aggregate token-mean --weight-decay 0' \
    "$here/rl.sh" -m pocket -j pocket-judge -d "$OUT/train.jsonl" -R "$world" -o "$OUT" \
    -b $pictures -n $samples -s $steps -l $rate -w $warmup -r "$seed" -c 100

say "3. The same $unseen pictures again."
describe "$OUT/policy" "$OUT/rl.jsonl"

jq -c '{image, caption: (.facts | join(" "))}' "$OUT/base.jsonl" > "$OUT/facts.jsonl"
say "4. All questions about them, as a benchmark: Prism."
"$here/pocket-prism.sh" "$OUT/base.jsonl" "$world" "all drawn facts=$OUT/facts.jsonl" \
    "before=$OUT/base.jsonl" "after=$OUT/rl.jsonl" > "$OUT/prism.txt"

echo
jq -rn --slurpfile before "$OUT/base.jsonl" --slurpfile after "$OUT/rl.jsonl" --rawfile prism "$OUT/prism.txt" '
    def sentences: [match("[^ .][^.]*\\."; "g").string];
    def fixed($n): . * pow(10; $n) | round / pow(10; $n);
    def mean: add / length;
    def wrapped($indent):
        reduce splits(" ") as $word ([""];
            if (last + $word | length) < 92 - ($indent | length)
            then .[-1] += (if last == "" then "" else " " end) + $word else . + [$word] end)
        | join("\n" + $indent);
    # How good captions are: the judge'"'"'s probability of the right answers; sentences that are
    # facts of the picture; facts that are said.
    def measures:
        [.[] | (.caption | sentences) as $said | .facts as $facts | {
            acc: .captions[0].reward.acc, tokens: .captions[0].tokens, said: ($said | length),
            true: ($said | map(select(IN($facts[]))) | length),
            recall: (($facts | map(select(IN($said[]))) | length) / ($facts | length))}]
        | {acc: (map(.acc) | mean), precision: ((map(.true) | add) / ([map(.said) | add, 1] | max)),
           recall: (map(.recall) | mean), tokens: (map(.tokens) | mean)}
        | map_values(fixed(4));
    def padded($n): tostring | . + " " * ($n - length);
    ($before | measures) as $base | ($after | measures) as $rl
    | ([range($before | length) as $i | {kind: $before[$i].kind, b: $before[$i], a: $after[$i]}]
        | group_by(.kind)[][0] | "\(.b.image)\n"
            + "  before  \(.b.caption | wrapped("          "))\n"
            + "  after   \(.a.caption | wrapped("          "))\n"
            + "  the judge right \(.b.captions[0].reward.acc | fixed(2)) before, \(.a.captions[0].reward.acc | fixed(2)) after\n"),
      "                            before   after",
      "judge'"'"'s accuracy            \($base.acc | padded(8)) \($rl.acc)",
      "sentences that are true     \($base.precision | padded(8)) \($rl.precision)",
      "facts that are said         \($base.recall | padded(8)) \($rl.recall)",
      "tokens                      \($base.tokens | padded(8)) \($rl.tokens)",
      "", $prism,
      ({base: $base, rl: $rl} | tojson)'

#!/bin/sh
# The pocket captioner on its sample pictures, judged by the pocket judge: each caption, which
# of the drawn facts it states, misses and invents, what it is worth to a judge that does not
# see the picture, and which questions that judge answers from it and which not. Then the same
# as a table of benchmarks (prism.sh), beside all drawn facts as captions, and none.
# Usage: pipelines/samples.sh
set -eu

here=$(dirname "$0")
PATH=$here/../bin:$PATH
share=${CAPMILL_SHARE:-$here/../share}
[ -d "$share" ] || share=$here/../../../capmill # installed, in share/doc/capmill
samples=$share/pocket/samples

green='' red='' gray='' plain=''
if [ -t 1 ]; then
    green=$(printf '\033[32m') red=$(printf '\033[31m')
    gray=$(printf '\033[90m') plain=$(printf '\033[0m')
fi

caption -m pocket --temperature 0 --root "$samples" "$samples/samples.jsonl" |
    reward -m pocket-judge --answer text --explain |
    jq -rn --arg green "$green" --arg red "$red" --arg gray "$gray" --arg plain "$plain" '
        # A caption is made of sentences; a fact counts as stated when one equals it.
        def sentences: [match("[^ .][^.]*\\."; "g").string];
        def lines($colour; $mark): .[] | "  \($colour)\($mark) \(.)\($plain)";
        # Questions in lines of 88 characters at most, the mark before the first.
        def wrapped($colour; $mark):
            reduce (join(" ") | splits(" ")) as $word ([];
                if length > 0 and (last + " " + $word | length) <= 88
                then .[-1] += " " + $word else . + [$word] end)
            | .[0] as $first | .[] | "  \($colour)\(if . == $first then $mark else "        " end) \(.)\($plain)";
        def fixed($n): . * pow(10; $n) | round / pow(10; $n);

        reduce inputs as $row ({stated: 0, facts: 0, sentences: 0, pictures: 0};
            ($row.caption | sentences) as $said
            | ($row.facts) as $facts
            | $row.captions[0].reward as $reward
            | ($reward.answers | map(select(.right)) | length) as $answered
            | .pictures += 1
            | .facts += ($facts | length)
            | .sentences += ($said | length)
            | .stated += ($facts | map(select(IN($said[]))) | length)
            | .invented += ($said | map(select(IN($facts[]) | not)) | length)
            | .answered += $answered
            | .questions += ($row.qa | length)
            | .reward += $reward.total
            | .text += [
                "\($row.image)  \($row.caption)",
                ($facts | map(select(IN($said[]))) | lines($green; "states  ")),
                ($facts | map(select(IN($said[]) | not)) | lines($gray; "misses  ")),
                ($said | map(select(IN($facts[]) | not)) | lines($red; "invents ")),
                "  reward   \($reward.total | fixed(3)); of \($row.qa | length) questions, the judge",
                ([$reward.answers[] | select(.right) | $row.qa[.q].question]
                    | wrapped($green; "answers ")),
                ([$reward.answers[] | select(.right | not) | $row.qa[.q].question]
                    | wrapped($gray; "lacks   ")),
                ""])
        | .text[],
          "\(.pictures) pictures: \(.sentences) sentences, \(.sentences - .invented) of them true; "
          + "\(.stated) of \(.facts) drawn facts stated.",
          "The judge, which sees captions only, answers \(.answered) of \(.questions) questions; "
          + "mean reward \(.reward / .pictures | fixed(3)) (accuracy + 0.2 for the length)."'

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
jq -c '{image, caption: .caption_full}' "$samples/samples.jsonl" > "$made/full.jsonl"
jq -c '.caption = ""' "$made/full.jsonl" > "$made/none.jsonl"
echo
"$here/pocket-prism.sh" "$samples/samples.jsonl" "$samples" \
    "no caption=$made/none.jsonl" "all drawn facts=$made/full.jsonl" pocket=pocket

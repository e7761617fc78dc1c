#!/bin/sh
# The pocket captioner on its sample pictures: each caption, and which of the drawn facts it
# states, misses and invents. Usage: pipelines/demo.sh (make demo builds first).
set -eu

here=$(dirname "$0")
PATH=$here/../bin:$PATH
share=${CAPMILL_SHARE:-$here/../share}
samples=$share/pocket/samples

green='' red='' gray='' plain=''
if [ -t 1 ]; then
    green=$(printf '\033[32m') red=$(printf '\033[31m')
    gray=$(printf '\033[90m') plain=$(printf '\033[0m')
fi

caption -m pocket --temperature 0 --root "$samples" "$samples/samples.jsonl" |
    jq -rn --arg green "$green" --arg red "$red" --arg gray "$gray" --arg plain "$plain" '
        # A caption is made of sentences; a fact counts as stated when one equals it.
        def sentences: [match("[^ .][^.]*\\."; "g").string];
        def lines($colour; $mark): .[] | "  \($colour)\($mark) \(.)\($plain)";

        reduce inputs as $row ({stated: 0, facts: 0, sentences: 0, pictures: 0};
            ($row.caption | sentences) as $said
            | ($row.facts) as $facts
            | .pictures += 1
            | .facts += ($facts | length)
            | .sentences += ($said | length)
            | .stated += ($facts | map(select(IN($said[]))) | length)
            | .invented += ($said | map(select(IN($facts[]) | not)) | length)
            | .text += [
                "\($row.image)  \($row.caption)",
                ($facts | map(select(IN($said[]))) | lines($green; "states  ")),
                ($facts | map(select(IN($said[]) | not)) | lines($gray; "misses  ")),
                ($said | map(select(IN($facts[]) | not)) | lines($red; "invents ")),
                ""])
        | .text[],
          "\(.pictures) pictures: \(.sentences) sentences, \(.sentences - .invented) of them true; "
          + "\(.stated) of \(.facts) drawn facts stated."'

#!/bin/bash
# answer-score by kind, one core: rows with a question, four options and replies of many
# forms; for math the reference's own pairs. Usage: tests/bench-answer.sh BUILD BIN.
# Prints a JSON object: rows a second.
set -eu
cd "$(dirname "$0")/.."
build=$1 bin=$2 core=0
work=$build/bench
mkdir -p "$work"
choices=$work/answer-choices.jsonl math=$work/answer-math.jsonl
# the same rows each time
awk 'BEGIN {
    srand(7)
    n = split("red blue green a cat on the mat two dogs near house 42 percent Paris", word, " ")
    m = split("L|L.|(L)|The answer is L.|L) T|T|It says T, so the answer is L|unclear|**L**|<think>so T</think>\\nL", form, "|")
    for (i = 0; i < 200000; i++) {
        pick = int(rand() * 4)
        list = ""
        for (k = 0; k < 4; k++) {
            text = word[1 + int(rand() * n)] " " word[1 + int(rand() * n)] " " k
            if (k == pick) picked = text
            list = list (k ? "," : "") "\"" text "\""
        }
        reply = form[1 + int(rand() * m)]
        gsub(/T$|T,|T</, picked "&", reply); gsub(/T$/, "", reply); sub(/T,/, ",", reply); sub(/T</, "<", reply)
        sub(/L/, substr("ABCD", pick + 1, 1), reply)
        printf "{\"id\":%d,\"question\":\"What is shown beside the %s?\",\"options\":[%s],\"answer\":\"%s\",\"kind\":\"choice\",\"prediction\":\"%s\"}\n", \
            i, word[1 + int(rand() * n)], list, substr("ABCD", 1 + int(rand() * 4), 1), reply
    }
}' >"$choices"
pairs=tests/data/goldens2/score/cases.jsonl
for _ in $(seq 50); do
    jq -c 'select(.kind == "math") | {prediction, answer: .gold, kind}' "$pairs"
done >"$math"

rate() { # ROWS OPTION...
    local rows=$1 seconds
    shift
    seconds=$("$build/tests/bench-run" 5 taskset -c $core "$bin/answer-score" "$@" "$rows" | jq .wall_min_s)
    jq -n --argjson rows "$(wc -l <"$rows")" --argjson seconds "$seconds" '$rows / $seconds'
}
cat "$choices" "$math" >/dev/null # into memory
jq -n --argjson choice "$(rate "$choices")" --argjson relaxed "$(rate "$choices" --kind relaxed)" \
    --argjson anls "$(rate "$choices" --kind anls)" --argjson vqa "$(rate "$choices" --kind vqa)" \
    --argjson exact "$(rate "$choices" --kind exact)" --argjson math "$(rate "$math")" \
    '$ARGS.named'

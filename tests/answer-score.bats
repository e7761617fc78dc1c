# answer-score: each kind's score, several golds and predictions, judges, and what is an
# error and never a zero.
# shellcheck disable=SC2016
setup() {
    load common
    load server
}
teardown() { stop_servers || true; }

# The scores of rows on stdin.
scores() { answer-score "$@" | jq -c .score | tr '\n' ' '; }
# A row of kind, prediction, answer.
row() { jq -nc --arg k "$1" --arg p "$2" --arg a "$3" '{kind: $k, prediction: $p, answer: $a}'; }

@test "each kind scores by its rule; the row keeps every byte" {
    {
        row choice '(B)' B
        row relaxed 41 42
        row relaxed 39 42
        row anls 'New Yorc' 'new york'
        row vqa 'Two cats.' 'the 2 cats'
        row math '$\frac{1}{2}$' '0.5'
        row exact ' Paris ' Paris
        row exact paris Paris
    } > rows
    [ "$(scores < rows)" = "1 1 0 0.875 1 1 1 0 " ]
    echo '{ "prediction" : "\u0042", "z":1.0e0 ,"answer":"B","kind":"choice","score": 7 , "a":[ ] } ' > odd
    run --separate-stderr -0 answer-score odd
    [ "$output" = '{ "prediction" : "\u0042", "z":1.0e0 ,"answer":"B","kind":"choice","score": 1 , "a":[ ] } ' ]
    [ "$stderr" = "" ]
}

@test "the reference rows score as they say, also through rows" {
    score="$ROOT/tests/data/goldens2/score/cases.jsonl"
    check() { # KIND ROW-KIND OPTION...
        local kind=$1 as=$2
        shift 2
        jq -c --arg k "$kind" --arg to "$as" 'select(.kind == $k) | {prediction, answer: .gold, kind: $to, want: .expected}' "$score" > rows
        [ "$(wc -l < rows)" -ge 60 ]
        answer-score "$@" rows > out
        jq -se 'all(.[]; (.score - .want | fabs) <= 1e-9)' out
    }
    check relaxed relaxed
    check anls anls
    check vqa_match vqa
    check mc_first_char choice --letter first-char
    check mc_first_letter choice --letter anywhere
    check prism_math math --rules published
    check prism_math choice --rules published
    check prism_chart relaxed --rules published
    check prism_info anls --rules published
}

@test "the best of several golds counts, and --kind overrides the row's" {
    echo '{"prediction":"NYC","answer":["New York","NYC"],"kind":"exact"}' > row
    [ "$(scores row)" = "1 " ]
    [ "$(scores --kind anls row)" = "1 " ]
    echo '{"prediction":"B","answer":"B"}' > row
    [ "$(scores --kind choice row)" = "1 " ]
}

@test "options: words before letters, letters taken off, ten of them" {
    [ "$(scores <<<'{"kind":"choice","prediction":"A blue bus.","answer":"B","options":["a dog","a blue bus"]}')" = "1 " ]
    [ "$(scores <<<'{"kind":"choice","prediction":"a cat","answer":"B","choices":["A. a dog","B. a cat"]}')" = "1 " ]
    [ "$(scores <<<'{"kind":"choice","prediction":"J","answer":"ten","options":["1","2","3","4","5","6","7","8","9","ten"]}')" = "1 " ]
}

@test "predictions: a score, letter and flags in each, their mean, the best; errors stay out" {
    echo '{"kind":"choice","answer":"B","predictions":[{"text":"B","x":1},{"text":"<think>B","score":1},{"error":{"class":"http"}},{"text":"A","flags":["cut"]}]}' > row
    run --separate-stderr -0 answer-score row
    [ "$output" = '{"kind":"choice","answer":"B","predictions":[{"text":"B","x":1,"score":1,"letter":"B"},{"text":"<think>B","score":0,"flags":["no_answer","cut"],"letter":null},{"error":{"class":"http"}},{"text":"A","score":0,"letter":"A"}],"score":0.3333333333333333,"best":1}' ]
    run --separate-stderr -1 answer-score <<<'{"kind":"choice","answer":"B","predictions":[{"error":{}}]}'
    [[ "$output" == *'"class":"missing"'* ]]
}

@test "a row that cannot be scored is an error that says why, never a zero" {
    cat > rows <<'EOF'
{"id":1,"prediction":"x","answer":"x"}
{"id":2,"prediction":"x","kind":"exact"}
{"id":3,"answer":"x","kind":"exact"}
{"id":4,"prediction":"x","answer":[],"kind":"exact"}
{"id":5,"prediction":"x","answer":5,"kind":"exact"}
{"id":6,"prediction":"x","answer":"x","kind":"best"}
{"id":7,"prediction":"x","answer":"C","kind":"choice","options":["a","b"]}
{"id":8,"prediction":"x","answer":"x","kind":"judge"}
{"id":9,"prediction":"x","answer":"","kind":"math"}
{"id":10,"predictions":[],"answer":"x","kind":"exact"}
{"id":11,"predictions":["x"],"answer":"x","kind":"exact"}
{"id":12,"prediction":7,"answer":"x","kind":"exact"}
{"id":13,"prediction":"x","answer":["x",1],"kind":"exact"}
{"id":14,"prediction":"x","answer":"x","kind":"exact"}
EOF
    run --separate-stderr -1 answer-score rows
    [ "$(jq -r '.error.class // .score' <<<"$output" | tr '\n' ' ')" = "missing missing missing missing type type type refused type missing type type type 1 " ]
    [ "${stderr_lines[0]}" = 'answer-score: rows:1 (id=1): no "kind", and no --kind is given' ]
    [ "${stderr_lines[6]}" = 'answer-score: rows:7 (id=7): answer: C, and there are 2 options' ]
    [ "${stderr_lines[12]}" = 'answer-score: rows:13 (id=13): "answer": element 2: not a string' ]
}

@test "hostile predictions are plain wrong scores" {
    {
        row math "$(head -c 100000 /dev/zero | tr '\0' '{')" 3
        row math '$10^{10^{10^{10}}}!$' 3
        row math "\$$(printf '\\frac{%.0s' $(seq 10000))\$" 3
        row relaxed NaN 3
        row anls "$(head -c 100000 /dev/zero | tr '\0' 'x')" 'three'
        row choice $'\u202eB' B
        echo '{"kind":"exact","prediction":"3\u0000","answer":"3"}'
        echo '{"kind":"vqa","prediction":"\u202e3","answer":"3"}'
    } > rows
    run --separate-stderr -0 answer-score rows
    [ "$(jq -c .score <<<"$output" | tr '\n' ' ')" = "0 0 0 0 0 0 0 0 " ]
}

@test "published: a gold that does not parse is worth 1, chart and infographic forms" {
    x='x</think><answer>\boxed{41}</answer>'
    [ "$(row math "$x" '' | scores --rules published)" = "1 " ]
    [ "$(row math "$x" '42' | scores --rules published)" = "0 " ]
    [ "$(row relaxed "$x" "['42', '7']" | scores --rules published)" = "1 " ]
    [ "$(row relaxed "$x" "4200" | scores --rules published)" = "1 " ]
    [ "$(row anls 'x</think><answer>\boxed{parix}</answer>' "Paris" | scores --rules published)" = "0.8 " ]
    [ "$(row relaxed 'x</think><answer>\boxed{parix}</answer>' "Paris" | scores --rules published)" = "0 " ]
}

@test "--stats and -v say what the rows come to" {
    { row exact a a; row exact a b; row choice dunno B; row choice '<think>' B; echo '{"kind":"exact"}'; echo '{"error":{"class":"x"}}'; } > rows
    run --separate-stderr -1 answer-score -v --stats stats.json rows
    [ "$(jq -c '[.complete, .rules, .rows, .score, .scored, .predictions, .kinds.exact, .flags]' stats.json)" = '[true,"ours",{"in":6,"failed":1,"passed":1,"before":0},0.25,4,{"scored":4,"failed":0},{"score":0.5,"best":0.5,"scored":2},{"no_answer":2,"fuel":0,"cut":1}]' ]
    [[ "$stderr" == *'score 0.25 over 4 rows: choice 0 (2), exact 0.5 (2); no_answer: 2; cut: 1'* ]]
    answer-score --stats stats.json < /dev/null
    [ "$(jq -c '[.score, .scored]' stats.json)" = '[null,0]' ]
    run -2 answer-score --stats rows rows
}

@test "bad usage is told" {
    for bad in '--kind best' '--rules mine' '--letter last' '--scale ten' '--score x' '--kind judge' '--kind exact -m pocket-judge'; do
        read -ra words <<<"$bad"
        run --separate-stderr -2 answer-score "${words[@]}" /dev/null
        [[ "${stderr_lines[0]}" == *"${words[0]}"* || "${stderr_lines[0]}" == *-m* ]]
    done
}

# What a judge would say: each request of a batch gets the next line of a file.
judge_says() { # ROWS REPLIES OPTION...
    local rows=$1 replies=$2
    shift 2
    rm -f requests results
    answer-score --kind judge -m http://127.0.0.1:9/v1#j --batch-out requests "$@" "$rows" > none
    paste -d '\t' requests "$replies" | jq -Rc 'split("\t") | {custom_id: (.[0] | fromjson.custom_id),
        response: {status_code: 200, body: {choices: [{index: 0, finish_reason: "stop", message: {role: "assistant", content: .[1]}}]}}}' > results
    answer-score --kind judge -m http://127.0.0.1:9/v1#j --batch-in results "$@" "$rows"
}

@test "a judge's reply is read on its scale; a reply without a grade is an error" {
    for i in 1 2 3 4 5 6; do echo '{"id":'$i',"question":"Who?","answer":"Ann","prediction":"Anna"}'; done > rows
    printf '%s\n' 'Yes.' '**no**' 'The answer is: yes, it does' 'Maybe' 'Notable' '<think>no</think>YES' > replies
    run --separate-stderr -1 judge_says rows replies
    [ "$(jq -r '.error.class // .score' <<<"$output" | tr '\n' ' ')" = "1 0 1 parse parse 1 " ]
    [[ "${stderr_lines[0]}" == *'(id=4): the judge'"'"'s reply has no grade: "Maybe"' ]]
    printf '%s\n' '5' 'Grade: 4/5' 'The score is 1.' '3.5' '10' '\boxed{2}' > replies
    run --separate-stderr -1 judge_says rows replies --scale five
    [ "$(jq -r '.error.class // .score' <<<"$output" | tr '\n' ' ')" = "1 0.75 0 parse parse 0.25 " ]
    printf '%s\n' 0 1 2 3 -1 '"2"' > replies
    run --separate-stderr -1 judge_says rows replies --scale three
    [ "$(jq -r '.error.class // .score' <<<"$output" | tr '\n' ' ')" = "0 0.5 1 parse parse 1 " ]
}

@test "the judge sees question, answers and prediction; an empty prediction is not asked about" {
    cat > rows <<'EOF'
{"id":1,"kind":"judge","question":"Who {caption}?","answer":["Ann","Anne"],"predictions":[{"text":"<think>hm</think>Anna"},{"text":""},{"text":"<think>"}]}
{"id":2,"kind":"exact","answer":"x","prediction":"x"}
{"id":3,"kind":"judge","answer":"x","prediction":"x"}
EOF
    run --separate-stderr -1 answer-score -m http://127.0.0.1:9/v1#j --batch-out requests rows
    [ "$(wc -l < requests)" = 1 ]
    text=$(jq -r '.body.messages[-1].content | if type == "string" then . else map(.text) | join("") end' requests)
    [[ "$text" == *'Question: Who {caption}?'*$'\nAnn\nAnne\n'*$'answered:\nAnna\n'*'yes or no'* ]]
    [ "$(jq -c '[.id, .score, .error.class]' <<<"$output" | tr '\n' ' ')" = '[2,1,null] [3,null,"missing"] ' ]
}

@test "a local judge's score is the mean over its grades by probability" {
    echo '{"kind":"judge","question":"What color is it?","answer":"red","predictions":[{"text":"It is red."},{"text":"no idea"}]}' > row
    for scale in binary three five; do
        answer-score -m pocket-judge --scale $scale row > out
        jq -e '.predictions | all(.[]; .score > 0 and .score < 1)' out
        jq -e '(.score - (.predictions | map(.score) | add / 2) | fabs) < 1e-12 and .best == (.predictions | map(.score) | max)' out
        answer-score -m pocket-judge --scale $scale --threads 1 row | cmp - out
    done
    echo 'Q: {question} A: {answer} P: {prediction} ' > prompt
    answer-score -m pocket-judge --prompt-file prompt row | jq -e '.score > 0'
    echo 'Q: {question} P: {prediction}' > prompt
    run --separate-stderr -2 answer-score -m pocket-judge --prompt-file prompt row
    [[ "$stderr" == *'no {answer} in it'* ]]
}

@test "a judge at an endpoint that says anything else is an error row" {
    start_server --mode echo
    echo '{"kind":"judge","question":"q?","answer":"a","prediction":"p"}' > row
    run --separate-stderr -1 answer-score -m "$SERVER_URL#x" row
    [ "$(jq -r .error.class <<<"$output")" = parse ]
}

@test "empty input, a full disk, resume" {
    run --separate-stderr -0 answer-score /dev/null
    [ "$output$stderr" = "" ]
    for i in $(seq 2000); do row exact a a; done > rows
    run -75 bash -c 'answer-score rows > /dev/full'
    answer-score -o out rows
    answer-score -o out --resume rows
    [ "$(wc -l < out)" = 2000 ]
}

@test "the man page's example runs as printed" {
    sed -n 's/^\$ \(echo .*\)/\1/p' "$ROOT/man/answer-score.1" > example
    bash example | cmp - <(sed -n '/^\$ echo/{n;p}' "$ROOT/man/answer-score.1")
}

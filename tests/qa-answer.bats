setup() {
    load common
    load server
}
teardown() { stop_servers; }

# What the pocket model can answer: in words, about its own world.
answer() { qa-answer -m pocket --answer text --root "$WORLD" "$@"; }

# A row about a picture of the world with one question: row ID OPTION... (the first is right)
row() {
    local id=$1
    shift
    jq -nc --arg id "$id" '{id: $id, image: "images/test-0003.png", qa: [{question: "What color is the background?", options: $ARGS.positional, answer: "A"}]}' --args "$@"
}

@test "each question gets its accuracy with the picture and without it" {
    head -8 "$WORLD/test.jsonl" > rows
    run --separate-stderr -0 answer rows
    [ "$stderr" = "" ]
    jq -se 'length == 8 and all(.[].qa[]; (.visual | keys_unsorted) == ["acc","n","answers","p"]
        and (.text | keys_unsorted) == ["acc","n","answers","p"] and .visual.n == 1
        and .visual.acc == .visual.p[0] and .visual.acc >= 0 and .visual.acc <= 1)' <<<"$output"
    # seeing helps
    jq -se '[.[].qa[]] | (map(.visual.acc) | add / length) > 0.8 and (map(.text.acc) | add / length) < 0.4' <<<"$output"
}

@test "all the world's test questions: accuracies, and what qa-filter keeps" {
    answer --score sampled --temperature 0 "$WORLD/test.jsonl" > sampled
    answer "$WORLD/test.jsonl" > expected
    for score in sampled expected; do
        jq -sc '[.[].qa[]] | [length, (map(.visual.acc) | add / length), (map(.text.acc) | add / length)]' $score > $score.mean
        echo "# $score: questions, with, without: $(cat $score.mean); qa-filter keeps $(qa-filter $score | jq -s '[.[].qa[]] | length')" | tee -a figures >&3
    done
    # words exactly right: 0.894 and 0.171 of another 64 pictures, by share/pocket/README.md
    jq -e '.[0] == 998 and (.[1] - 0.894 | fabs) < 0.03 and (.[2] - 0.171 | fabs) < 0.03' sampled.mean
    # and most are kept
    [ "$(qa-filter sampled | jq -s '[.[].qa[]] | length > 998 / 2')" = true ]
    [ "$(qa-filter expected | jq -s '[.[].qa[]] | length > 998 / 2')" = true ]
}

@test "by letters: as many orders as --rotations says, answers in the row's own letters" {
    row a white red blue gray > rows
    row b white red blue >> rows
    qa-answer -m pocket --root "$WORLD" rows > out
    jq -se 'map(.qa[0].visual.n) == [4, 3]' out
    qa-answer -m pocket --root "$WORLD" --rotations 2 rows > out
    jq -se 'map(.qa[0].visual.n) == [2, 2] and all(.[].qa[0]; .visual.acc == (.visual.p | add / length))' out
    # the option a likeliest letter stands for is the same row letter in every order of a
    # model that reads options: the loopback judge does
    start_server --bodies bodies
    jq -c 'del(.image)' rows | qa-answer -m "$SERVER_URL#m" --with text --temperature 0 > out
    jq -se 'all(.[].qa[0].text; .n == (.answers | length) and (has("p") | not))' out
    [ "$(jq -r '.messages[-1].content | if type == "string" then . else .[-1].text end | select(contains("D)"))' bodies | grep -c '^[A-D]) white')" = 4 ]
    [ "$(jq -r '.messages[-1].content | if type == "string" then . else .[-1].text end | select(contains("D)"))' bodies | grep '^[A-D]) white' | sort | tr -d '\n')" = 'A) whiteB) whiteC) whiteD) white' ]
}

@test "other bytes of the row and of its questions stay; older results are replaced in place" {
    printf '%s\n' '{ "id":1.0 ,"image" : "images/test-0003.png", "qa" : [ {"question":"What color is the background?" , "fact":1e2,"options":["white","red"],"text":"old","answer":"A" } ] , "z":"\ud83d"}' > rows
    answer rows > out
    sed -E 's/"text":\{[^}]*\}/"text":"old"/; s/,"visual":\{[^}]*\}//' out | cmp - rows
    answer out | cmp - out
    answer --with image rows > image
    grep -q '"text":"old","answer":"A" ,"visual":{"acc":0.9' image
}

@test "--with text needs no picture, --with image asks nothing else" {
    jq -c 'del(.image)' <(row a white red blue gray) > rows
    answer --with text rows | jq -e '.qa[0] | has("text") and (has("visual") | not)'
    row a white red blue gray | answer --with image | jq -e '.qa[0] | has("visual") and (has("text") | not)'
    run --separate-stderr -1 answer rows
    [ "$stderr" = 'qa-answer: rows:1 (id=a): no "image", "images" or "messages"' ]
    [ "$(field .error.class <<<"$output")" = '"missing"' ]
}

@test "published rows: ground_truth and lettered choices, pictures in messages" {
    cat > rows <<'JSON'
{"id":1,"messages":[{"role":"user","content":[{"type":"image","image":"images/test-0003.png"},{"type":"text","text":"Describe."}]}],"reward_model":{"ground_truth":[{"question":"What color is the background?","choices":["A) white","B) red"],"answer":"A"}]}}
{"id":2,"image_path":"images/test-0003.png","reward_model":{"ground_truth":[{"question":"What color is the background?","choices":["A. white","B. red"],"answer":"A"}]}}
JSON
    answer rows > out
    jq -se 'all(.[]; .qa[0].visual.acc > 0.9 and .qa[0].choices[1][1:3] != "" and .reward_model.ground_truth[0].visual == null)' out
    # and what comes out is read again
    answer out | cmp - out
}

@test "one question that fails takes no other along; the row is told and counted" {
    local long
    long=$(head -c 9000 /dev/zero | tr '\0' 'x')
    row a white red | jq -c --arg long "$long" '.qa += [{question: $long, options: ["a","b"], answer: "B", visual: {acc: 1}}] + .qa' > rows
    row b white red >> rows
    run --separate-stderr -1 answer rows
    [[ "$stderr" == "qa-answer: rows:1 (id=a): qa[1]: "*tokens* ]]
    jq -se '.[0].error == null and (.[0].qa | map(has("visual")) == [true, false, true])
        and (.[0].qa[1] | .error.class == "too_long" and (.error.message | length > 0) and (has("text") | not))
        and .[0].qa[0] == .[0].qa[2] and .[1].qa[0].visual == .[0].qa[0].visual' <<<"$output"
    # --retry-errors does it again; rerun, an error that is gone leaves no trace
    answer -o out rows || true
    head -1 out | jq -c '.qa[1].question = "What color is the background?"' | answer > mended
    jq -e '.qa[1] | has("error") | not' mended
    run -1 answer -o out --resume --retry-errors rows
    [ "$(wc -l < out)" = 2 ]
    # twice over is too often
    cat rows rows > twice
    run -3 answer --max-errors 1 twice
}

@test "one way after the other: a question that failed the first time keeps its error" {
    local long
    long=$(head -c 9000 /dev/zero | tr '\0' 'x')
    row a white red | jq -c --arg long "$long" '.qa += [{question: $long, options: ["a","b"], answer: "B"}]' > rows
    run --separate-stderr -1 answer --with image rows
    # as if the other model took longer questions
    jq -c '.qa[1].question = "What color is the background?"' <<<"$output" > image
    answer --with text image > both
    jq -e '(.qa[0] | has("visual") and has("text") and (has("error") | not))
        and (.qa[1] | has("text") and .error.class == "too_long" and (has("visual") | not))' both
    qa-filter --visual-above -1 --text-below 2 both | jq -e '.qa | length == 1'
    # put again with success, it is rid of it
    answer --with image both | jq -e '.qa[1] | has("visual") and has("text") and (has("error") | not)'
}

@test "bad rows: no questions, no answer, a picture that is none; others go on" {
    { echo '{"id":1,"image":"images/test-0003.png"}'
      row 2 white red | jq -c 'del(.qa[0].answer)'
      row 3 white red | jq -c '.image = "../test.jsonl"'
      row 4 white red | jq -c '.image = "none.png"'
      row 5 white red | jq -c '.qa = []'
      row 6 white red
    } > rows
    run --separate-stderr -1 answer rows
    [ "$(field .error.class <<<"$output" | tr '\n' ' ')" = '"missing" "missing" "media" "media" null null ' ]
    [ "$(sed -n 5p <<<"$output")" = "$(sed -n 5p rows)" ]
    [[ "${stderr_lines[1]}" == 'qa-answer: rows:2 (id=2): '*'qa[0].answer'* ]]
}

@test "a reply without a letter is null and wrong" {
    row a white red blue gray > rows
    echo 'Question: {question} {{{options}}}' > ask
    start_server --mode echo # says "Reply ..."
    qa-answer -m "$SERVER_URL#m" --score sampled --root "$WORLD" --prompt-file ask rows > out
    jq -e '.qa[0].visual | .acc == 0 and .n == 4 and .answers == [null,null,null,null] and (has("p") | not)' out
}

@test "equal seeds draw alike, whatever is in the batch" {
    head -4 "$WORLD/test.jsonl" > rows
    answer --score sampled --seed 5 rows > a
    answer --score sampled --seed 5 --max-batch 1 rows > b
    answer --score sampled --seed 5 --limit 1 rows > c
    cmp a b
    head -1 a | cmp - c
}

@test "an endpoint: sampled by default, expected with letters where it tells probabilities" {
    row a white red blue gray > rows
    start_server --sure 0.7 --bodies bodies
    qa-answer -m "$SERVER_URL#m" --root "$WORLD" rows > out
    jq -e '.qa[0] | (.visual | .n == 4 and (has("p") | not)) and .text.n == 4' out
    jq -se 'length == 8 and all(.[]; .temperature == 0.6 and .max_tokens == 10)' bodies
    [ "$(jq -s '[.[] | select(.messages[-1].content | tostring | contains("image_url"))] | length' bodies)" = 4 ]
    qa-answer -m "$SERVER_URL#m" --root "$WORLD" --score expected rows > out
    jq -e '.qa[0].visual | .p | length == 4' out
    run --separate-stderr -2 qa-answer -m "$SERVER_URL#m" --root "$WORLD" --score expected --answer text rows
    [[ "$stderr" == *"--score sampled"* ]]
    stop_servers
    start_server --no-logprobs
    run --separate-stderr -1 qa-answer -m "$SERVER_URL#m" --root "$WORLD" --score expected rows
    jq -e '.qa[0] | has("error") and (has("visual") or has("text") | not)' <<<"$output"
}

@test "a request that fails for good costs its question; all down ends the run, resumable" {
    row a white red blue gray | jq -c '.qa[0].question = "marker:bad Which?" | .qa += [{question: "Which?", options: ["white","red"], answer: "A"}]' > rows
    start_server --fault 400=always --only marker:bad
    run --separate-stderr -1 qa-answer -m "$SERVER_URL#m" --with text rows
    jq -e '.qa[0].error.class != null and (.qa[0] | has("text") | not) and .qa[1].text.n == 2' <<<"$output"
    stop_servers
    run --separate-stderr -75 qa-answer -m "$SERVER_URL#m" --with text --retries 1 -o out rows
    [ ! -s out ]
    start_server
    qa-answer -m "$SERVER_URL#m" --with text --retries 1 -o out --resume rows
    jq -e '.qa | all(has("text"))' out
}

@test "a batch: requests out, replies in" {
    { row a white red blue gray; row b red white; } > rows
    start_server --bodies bodies
    qa-answer -m "$SERVER_URL#m" --with text --temperature 0 rows > want
    run --separate-stderr -0 qa-answer -m "$SERVER_URL#m" --with text --temperature 0 --batch-out batch rows
    [ "$output" = "" ]
    [ "$(jq -r .custom_id batch | sort -u | wc -l)" = 6 ]
    jq -c .body batch | while read -r body; do curl -s "$SERVER_URL/chat/completions" -H 'Content-Type: application/json' -d "$body"; echo; done > replies
    paste -d '\n' <(jq -c '{custom_id}' batch) replies | jq -c -n 'reduce inputs as $x ([]; . + [$x]) | range(0; length; 2) as $i | {custom_id: .[$i].custom_id, response: {status_code: 200, body: .[$i + 1]}}' | tac > results
    qa-answer -m "$SERVER_URL#m" --with text --temperature 0 --batch-in results rows | cmp - want
}

@test "--dry-run says rows, questions and requests; --prompt-file and its places" {
    head -3 "$WORLD/test.jsonl" > rows
    n=$(jq -s '[.[].qa[]] | length' rows)
    run --separate-stderr -0 qa-answer -m pocket --dry-run rows
    [ "$output" = "" ]
    [ "$stderr" = "qa-answer: 3 rows, $n questions: $((n * 8)) requests" ]
    run --separate-stderr -0 qa-answer -m pocket --answer text --with text --dry-run rows
    [ "$stderr" = "qa-answer: 3 rows, $n questions: $n requests" ]
    printf 'Question: {question}\nAnswer in words.' > ask
    answer --prompt-file ask rows | cmp - <(answer rows)
    run --separate-stderr -2 qa-answer -m pocket --prompt-file ask rows
    [ "$stderr" = 'qa-answer: ask: no {options} in it' ]
}

@test "empty input, a full disk, no model, bad values" {
    run --separate-stderr -0 answer /dev/null
    [ "$output$stderr" = "" ]
    row a white red > rows
    run --separate-stderr -75 bash -c "qa-answer -m pocket --with text rows >/dev/full"
    [[ "$stderr" == *"No space left"* ]]
    run --separate-stderr -2 qa-answer rows
    [[ "$stderr" == *"-m MODEL"* ]]
    run --separate-stderr -2 qa-answer -m pocket --with sound rows
    [[ "$stderr" == *"--with sound: not one of both|image|text"* ]]
    run --separate-stderr -2 qa-answer -m pocket --score 1 rows
    run --separate-stderr -2 qa-answer -m pocket --answer x rows
    run --separate-stderr -2 qa-answer -m pocket --letter x rows
    run --separate-stderr -2 qa-answer -m pocket --rotations 0 rows
}

@test "the man page's examples run as printed" {
    cd "$ROOT"
    sed -n 's/^\.Dl //p' man/qa-answer.1 > "$BATS_TEST_TMPDIR/example"
    run --separate-stderr -0 bash "$BATS_TEST_TMPDIR/example"
    [ "${#lines[@]}" = 96 ]
    sed -n '/^\.Bd/,/^\.Ed/p' man/qa-answer.1 | sed '1d;$d;s/\\e/\\/g;s|kept.jsonl|"$BATS_TEST_TMPDIR/kept.jsonl"|' > "$BATS_TEST_TMPDIR/example"
    run --separate-stderr -0 bash "$BATS_TEST_TMPDIR/example"
    [ "$(wc -l < "$BATS_TEST_TMPDIR/kept.jsonl")" -gt 48 ]
}

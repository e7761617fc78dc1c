setup() {
    load common
    load server
}
teardown() { stop_servers; }

@test "pictures and folders become rows with qa_response, the reply as it is" {
    mkdir -p album
    cp "$SAMPLES/images/0001.png" "$SAMPLES/images/0002.png" album
    run --separate-stderr -0 qa-gen -m pocket --max-tokens 40 "$SAMPLES/images/0000.png" album
    [ "$stderr" = "" ]
    [ "$(field 'keys_unsorted' <<<"$output" | sort -u)" = '["id","image","qa_response"]' ]
    [ "$(field '.id' <<<"$output" | sed "s|$SAMPLES|S|" | tr '\n' ' ')" = '"S/images/0000.png" "album/0001.png" "album/0002.png" ' ]
    [ "$(field '.qa_response | length > 0' <<<"$output" | sort -u)" = true ]
}

@test "row text passes byte for byte, an older qa_response is replaced where it stands" {
    printf '%s\n' '{ "id" : 1.0 , "qa_response":"old","image":"images/0000.png" , "s":"\ud83d" }' > rows
    qa-gen -m pocket --max-tokens 5 --root "$SAMPLES" rows > out
    sed -E 's/"qa_response":"([^"\\]|\\.)*"/"qa_response":"old"/' out | cmp - rows
    [ "$(jq -r .qa_response out)" != old ]
}

@test "the same row, model and seed give the same bytes; another seed others" {
    qa-gen -m pocket --temperature 1 --seed 3 --max-tokens 60 "$SAMPLES/images/" > a
    qa-gen -m pocket --temperature 1 --seed 3 --max-tokens 60 --max-batch 1 --threads 1 "$SAMPLES/images/" > b
    qa-gen -m pocket --temperature 1 --seed 4 --max-tokens 60 "$SAMPLES/images/" > c
    cmp a b
    run ! cmp -s a c
}

@test "the prompt is the same for each row; what a row says itself is not asked" {
    printf '%s\n' '{"id":"x","image":"images/0000.png"}' > plain
    printf '%s\n' '{"id":"x","image":"images/0000.png","prompt":"Please describe this image in detail."}' > prompt
    printf '%s\n' '{"id":"x","messages":[{"role":"user","content":[{"type":"text","text":"Please describe:"},{"type":"image","image":"images/0000.png"}]}]}' > messages
    for form in plain prompt messages; do
        qa-gen -m pocket --max-tokens 30 --root "$SAMPLES" "$form" | jq .qa_response > "$form.out"
        cmp plain.out "$form.out"
    done
}

@test "the question prompt is filled and sent, its defaults as published" {
    start_server --bodies bodies
    qa-gen -m "$SERVER_URL#m" "$SAMPLES/images/0000.png" > out
    jq -e '.temperature == 0.1 and .max_tokens == 2048 and .repetition_penalty == 1.05 and (.n // 1) == 1' bodies
    jq -r '.messages[-1].content[-1].text' bodies > sent
    sed 's/{n}/5/g' "$ROOT/share/prompts/qa-gen.txt" | cmp - sent
    [ "$(jq -r '.messages[-1].content[0].type' bodies)" = image_url ]
    # and the answer is in a form that is read
    qa-extract out | jq -e '.qa | length == 5'
}

@test "the prompt's own worked examples are two questions without a flaw" {
    jq -Rs '{id:1, qa_response: .}' "$ROOT/share/prompts/qa-gen.txt" | jq -c . | qa-extract > out
    jq -e '(.qa | length == 2) and .qa_rejects == [] and all(.qa[]; (.options | length == 4) and (has("warnings") | not))' out
}

@test "a prompt file of one's own: {n} is filled, other places are refused" {
    printf 'Write %s multiple-choice questions about this image.\n' '{n}' > ask
    qa-gen -m pocket --prompt-file ask --questions 5 --max-tokens 30 "$SAMPLES/images/0000.png" > a
    echo 'Write 5 multiple-choice questions about this image.' > ask5
    qa-gen -m pocket --prompt-file ask5 --max-tokens 30 "$SAMPLES/images/0000.png" > b
    cmp a b
    printf 'a\n{caption}\n' > wrong
    run --separate-stderr -2 qa-gen -m pocket --prompt-file wrong "$SAMPLES/images/0000.png"
    [ "$stderr" = 'qa-gen: wrong:2: {caption}: not a place of this prompt ({n}; {{ is a brace)' ]
}

@test "bad rows: no picture, a finished prompt, a list; they name what helps, others go on" {
    cat > rows <<'JSON'
{"id":1}
{"id":2,"image":"images/0000.png","prompt":"<|im_start|>user\nx<|im_end|>"}
{"id":3,"image":"images/0000.png","prompt":[{"role":"user","content":"<image> x"}]}
{"id":4,"image":"nowhere.png"}
{"id":5,"messages":[{"role":"user","content":"no picture"}]}
{"id":6,"image":"images/0000.png"}
JSON
    run --separate-stderr -1 qa-gen -m pocket --max-tokens 3 --root "$SAMPLES" rows
    [ "$(field '.error.class' <<<"$output" | tr '\n' ' ')" = '"missing" "type" "type" "media" "missing" null ' ]
    [[ "${stderr_lines[1]}" == "qa-gen: rows:2 (id=2): "*"examples/prompt-to-messages.jq" ]]
    [[ "${stderr_lines[2]}" == "qa-gen: rows:3 (id=3): "*"examples/prompt-to-messages.jq" ]]
}

@test "--dry-run and --explain say sizes and tokens and ask nothing" {
    run --separate-stderr -0 qa-gen -m pocket --dry-run --explain "$SAMPLES/images/0000.png"
    [ "$output" = "" ]
    [[ "$stderr" == *"96x96 scaled to 96x96"* ]]
    [[ "$stderr" == *"1 rows, 1 pictures: 1 requests"*"at most 2048 new tokens"* ]]
}

@test "-v tells of a reply that was cut short" {
    run --separate-stderr -0 qa-gen -v -m pocket --max-tokens 3 "$SAMPLES/images/0000.png"
    [[ "$stderr" == *"the reply ended by length after 3 tokens"* ]]
}

@test "empty input, a full disk, no model, samples it does not take" {
    run --separate-stderr -0 qa-gen -m pocket /dev/null
    [ "$output$stderr" = "" ]
    run --separate-stderr -75 bash -c "qa-gen -m pocket --max-tokens 3 '$SAMPLES/images/0000.png' >/dev/full"
    [[ "$stderr" == *"No space left"* ]]
    run --separate-stderr -2 qa-gen "$SAMPLES/images/0000.png"
    [[ "$stderr" == *"-m MODEL"* ]]
    run --separate-stderr -2 qa-gen -m pocket -n 2 "$SAMPLES/images/0000.png"
    run --separate-stderr -2 qa-gen -m pocket --questions 0 "$SAMPLES/images/0000.png"
}

@test "an endpoint that is down: nothing is lost, the run goes on with --resume" {
    start_server
    stop_servers
    seq 4 | sed 's|.*|{"id":&,"image":"images/0000.png"}|' > rows
    run --separate-stderr -75 qa-gen -m "$SERVER_URL#m" --retries 1 --root "$SAMPLES" -o out rows
    [[ "$stderr" == *"every endpoint is down"* ]]
    [ ! -s out ]
    start_server
    qa-gen -m "$SERVER_URL#m" --retries 1 --root "$SAMPLES" -o out --resume rows
    [ "$(jq -c '[.id, (.qa_response | length > 0)]' out | tr '\n' ' ')" = '[1,true] [2,true] [3,true] [4,true] ' ]
}

@test "the man page's example runs as printed" {
    cd "$ROOT"
    sed -n 's/^\.Dl //p' man/qa-gen.1 > "$BATS_TEST_TMPDIR/example"
    run --separate-stderr -0 bash "$BATS_TEST_TMPDIR/example"
    [ "$(field '.qa_response | length > 0' <<<"$output")" = true ]
}

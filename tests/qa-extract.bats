# qa-extract: text into questions, refusals with reasons. The rules: tests/c/extract-test.c.
setup() { load common; }

good='#### 1. **What is on the mat?**\n   - A) a dog\n   - B) a cat\n\n**Answer:** B) a cat\n------\n\n'
row() { printf '{"id":%s,"image":"a.png",  "qa_response":"%s","n":1.50}\n' "$1" "$2"; }

@test "questions and refusals are added, everything else stays as it came" {
    row 7 "Sure!\\n${good}#### 2. **Which?**\\n- A) x\\n- B) x\\nAnswer: A) z\\n### 3. None\\n" > rows
    run --separate-stderr -0 qa-extract rows
    [ "$stderr" = "" ]
    before=$(cat rows)
    [ "$output" = "${before%\}}"',"qa":[{"question":"What is on the mat?","options":["a dog","a cat"],"answer":"B"},{"question":"Which?","options":["x","x"],"answer":"A","warnings":["duplicate_option_text","answer_text_differs"]}],"qa_rejects":[{"n":3,"reason":"too_few_options","text":"### 3. None"}]}' ]
}

@test "both lists are written where they are empty, and take the place of older ones" {
    { row 1 "$good"; row 2 '# 1. Q'; } > rows
    run --separate-stderr -0 qa-extract rows
    [ "$(jq -c '[(.qa | length), (.qa_rejects | length)]' <<<"$output" | tr '\n' ' ')" = '[1,0] [0,1] ' ]
    run --separate-stderr -0 qa-extract <<<'{"qa":7,"qa_response":"# 1. Q","qa_rejects":8,"x":9}'
    [ "$output" = '{"qa":[],"qa_response":"# 1. Q","qa_rejects":[{"n":1,"reason":"too_few_options","text":"# 1. Q"}],"x":9}' ]
}

@test "a text without questions, no text, a text that is none: error rows, and the run goes on" {
    { row 1 "I cannot see the picture."; row 2 ''; echo '{"id":3}'; echo '{"id":4,"qa_response":null}'
      echo '{"id":5,"qa_response":["x"]}'; echo 'no row'; row 7 "$good"; } > rows
    run --separate-stderr -1 qa-extract rows
    [ "$(jq -c .error.class <<<"$output" | tr '\n' ' ')" = '"parse" "parse" "missing" "missing" "type" "json" null ' ]
    [ "$(jq -c 'has("qa")' <<<"$output" | tr '\n' ' ')" = 'false false false false false false true ' ]
    [ "${stderr_lines[0]}" = 'qa-extract: rows:1 (id=1): no question in "qa_response": no line such as "#### 1. What is it?"' ]
    [ "${stderr_lines[2]}" = 'qa-extract: rows:3 (id=3): no "qa_response"' ]
    [ "${stderr_lines[4]}" = 'qa-extract: rows:5 (id=5): "qa_response" is a list, not a string' ]
}

@test "rows as they are published need no id" {
    run --separate-stderr -0 qa-extract <<<'{"qa_response":"#### 1. **Q?**\n   - A) x\n   - B) y\n\n**Answer:** A) x","image_path":"a/b.png"}'
    [ "$(jq -c '[.image_path, .qa[0].answer]' <<<"$output")" = '["a/b.png","A"]' ]
}

@test "a row that came in with an error passes untouched" {
    run --separate-stderr -0 qa-extract <<<'{"id":1, "error":{"class":"http"}}'
    [ "$output" = '{"id":1, "error":{"class":"http"}}' ]
}

@test "every reference case, through the program" {
    jq -c '{qa_response: .output}' "$ROOT/tests/data/goldens2/extract/cases.jsonl" > rows
    qa-extract rows > out || [ $? = 1 ]
    jq -c '{valid: [.qa[]? | .warnings //= []], rejected: [.qa_rejects[]? | {number: .n, reason}]}' out > have
    jq -c '.expected | .valid |= map({question, options, answer, warnings}) | {valid, rejected}' \
        "$ROOT/tests/data/goldens2/extract/cases.jsonl" > want
    [ "$(wc -l < have)" = 120 ]
    cmp have want
}

@test "what is extracted is read as questions: the letter and the texts agree" {
    row 1 '#### 1. **Q**\n- A) A. Smith\n- B) \ud83d\ude00 \u0000\n- C) \"c\"\nAnswer: C' > rows
    [ "$(qa-extract rows | jq -c '.qa[0].options')" = '["A. Smith","😀 \u0000","\"c\""]' ]
}

@test "control bytes and odd numbers in a refused block stay readable JSON" {
    run --separate-stderr -0 qa-extract <<<'{"qa_response":"# 00987654321987654321. \u0001"}'
    [[ "$output" == *'"qa_rejects":[{"n":987654321987654321,'* ]]
    jq -e '.qa_rejects[0].text == "# 00987654321987654321. \u0001"' <<<"$output"
    run --separate-stderr -0 qa-extract <<<'{"qa_response":"# 1. \ud800"}'
    [[ "$output" == *'"text":"# 1. �"'* ]]
}

@test "a text of half a million questions takes seconds" {
    { printf '{"qa_response":"'; yes "$good" | head -n 500000 | tr -d '\n'; printf '"}\n'; } > rows
    timeout 60 qa-extract -o out rows
    [ "$(grep -o '"answer":"B"' out | wc -l)" = 500000 ]
}

@test "empty input gives empty output" {
    run --separate-stderr -0 qa-extract /dev/null
    [ "$output$stderr" = "" ]
}

@test "a full disk: status 75 and a message" {
    row 1 "$good" > rows
    run --separate-stderr bash -c 'qa-extract rows > /dev/full'
    [ "$status" = 75 ]
    [[ "$stderr" == *"No space left"* ]]
}

@test "-o and --resume: every row once" {
    for i in $(seq 300); do row "$i" "$good"; done > rows
    qa-extract -o want rows
    qa-extract -o out --limit 120 rows
    qa-extract -o out --resume rows
    cmp out want
}

@test "the man page's examples" {
    sed -n '/^\.Bd/,/^\.Ed/p' "$ROOT/man/qa-extract.1" | sed '1d;$d;s/\\e/\\/g' > example
    run --separate-stderr -0 bash example
    [ "$output" = '[{"question":"What is on the mat?","options":["a dog","a cat"],"answer":"B"}]' ]
    sed -n 's/^\.Dl //p' "$ROOT/man/qa-extract.1" > second
    run --separate-stderr -0 bash second
    [ "$(jq -c '.qa | length' <<<"$output")" = 1 ]
}

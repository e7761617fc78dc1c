# qa-filter: which questions stay, what is counted, and that nothing is lost.
setup() { load common; }

# A row: row ID VISUAL:TEXT... with a question for each pair of accuracies.
row() {
    local id=$1 pair sep=''
    shift
    printf '{"id":%s,"qa":[' "$id"
    for pair; do
        printf '%s{"question":"is it %s?","answer":"B","visual":{"acc":%s},"text":{"acc":%s}}' \
            "$sep" "$pair" "${pair%:*}" "${pair#*:}"
        sep=,
    done
    printf ']}\n'
}
# The questions that are left, as VISUAL:TEXT
left() { jq -r '.qa[]? | "\(.question[6:-1])"' | tr '\n' ' '; }

@test "what is answered with the picture and not without it stays" {
    run --separate-stderr -0 qa-filter < <(row 1 1:0 1:1 0:0 0:1 0.8:0.2)
    [ "$(left <<<"$output")" = "1:0 0.8:0.2 " ]
    [ "$stderr" = "" ]
    [ "${#lines[@]}" = 1 ]
}

@test "the limits are strict: 0.75 and 0.25 are dropped, their neighbours are not" {
    row 1 0.75:0 0.7500000000000001:0 1:0.25 1:0.24999999999999997 > rows
    [ "$(qa-filter rows | left)" = "0.7500000000000001:0 1:0.24999999999999997 " ]
    row 1 0.5:0 0.51:0 1:0.5 1:0.49 > rows
    [ "$(qa-filter --visual-above .5 --text-below .5 rows | left)" = "0.51:0 1:0.49 " ]
    [ "$(qa-filter --visual-above -1 --text-below 2 < <(row 1 0:1 0:0) | left)" = "0:1 0:0 " ]
    for bad in 'visual-above 2' 'text-below -1' 'visual-above x' 'drop-similar=2'; do
        read -ra words <<<"--$bad"
        run --separate-stderr -2 qa-filter "${words[@]}" rows
        [[ "${stderr_lines[0]}" == *"${words[0]%=*}"* ]]
    done
}

@test "numbers are read in every form JSON has" {
    row 1 1e0:0.0 1.0E+0:-0 10e-1:0e9 75e-2:0 76e-2:2.5e-1 760000000000000000000e-21:24e-2 > rows
    [ "$(qa-filter rows | left)" = "1e0:0.0 1.0E+0:-0 10e-1:0e9 760000000000000000000e-21:24e-2 " ]
    [ "$(LC_ALL=de_DE.UTF-8 qa-filter rows | md5sum)" = "$(qa-filter rows | md5sum)" ]
}

@test "kept questions and the rest of the row are copied byte for byte" {
    echo '{ "a" : 1.0e0,  "qa" : [ {"x":"\ud83d\u0000é",  "visual" : {"acc":1 , "acc":1},"text":{"acc":0}, "n":1E400} , {"visual":{"acc":0},"text":{"acc":0}} ] ,"a":2, "z":[ ] }  ' > rows
    run -0 qa-filter rows
    [ "$output" = '{ "a" : 1.0e0,  "qa" : [{"x":"\ud83d\u0000é",  "visual" : {"acc":1 , "acc":1},"text":{"acc":0}, "n":1E400}] ,"a":2, "z":[ ] }  ' ]
    # nothing dropped: nothing changed
    sed 's/,"visual":{"acc":0}/,"visual":{"acc":1}/; s/{"visual":{"acc":0}/{"visual":{"acc":1}/' rows > all
    qa-filter all | cmp - all
}

@test "of duplicate keys the last one counts; escaped keys are keys" {
    echo '{"qa":[{"visual":{"acc":0},"visual":{"acc":1},"text":{"acc":1,"acc":0}}]}' > rows
    qa-filter rows | cmp - rows
    echo '{"qa":[{"visual":{"acc":1},"text":{"acc":0}}],"qa":[{"visual":{"acc":0},"text":{"acc":0}}]}' > rows
    run -0 qa-filter rows
    [ "$output" = "" ]
    echo '{"q\u0061":[{"v\u0069sual":{"\u0061cc":1},"text":{"acc":0}},{"visual":{"acc":0},"text":{"acc":0}}]}' > rows
    run -0 qa-filter rows
    [ "$output" = '{"q\u0061":[{"v\u0069sual":{"\u0061cc":1},"text":{"acc":0}}]}' ]
}

@test "a row left without a question is left out, one that came with none, too" {
    { row 1 0:0; echo '{"id":2,"qa":[]}'; row 3 1:0; } > rows
    [ "$(qa-filter --stats stats rows | jq -c .id)" = 3 ]
    [ "$(jq -c .rows stats)" = '{"in":3,"out":1,"empty":2,"failed":0,"passed":0,"before":0}' ]
}

@test "a bad row is named and handed on with its error, the status is 1" {
    run --separate-stderr -1 qa-filter <<<'{"id":2,"qa":[{"visual":{"acc":1}}]}'
    [ "$(jq -c .error.class <<<"$output")" = '"missing"' ]
    [ "$stderr" = 'qa-filter: stdin:1 (id=2): qa[0]: no number "text.acc"' ]
}

@test "what lacks an accuracy fails the row, whatever its other questions are" {
    good='{"visual":{"acc":1},"text":{"acc":0}}'
    check() { # QUESTION CLASS MESSAGE
        run --separate-stderr -1 qa-filter <<<"{\"qa\":[$good,$1,$good]}"
        [ "$(jq -r .error.class <<<"$output")" = "$2" ]
        [ "$(jq -r .error.message <<<"$output")" = "$3" ]
        [ "$(jq '.qa|length' <<<"$output")" = 3 ]
    }
    check '{}' missing 'qa[1]: no number "visual.acc"'
    check '{"visual":{"acc":null},"text":{"acc":0}}' missing 'qa[1]: no number "visual.acc"'
    check '{"visual":1,"text":{"acc":0}}' missing 'qa[1]: no number "visual.acc"'
    check '{"visual":{"acc":0},"text":{}}' missing 'qa[1]: no number "text.acc"'
    check '{"visual":{"acc":"1"},"text":{"acc":0}}' type 'qa[1]: "visual.acc" is no number'
    check '{"visual":{"acc":1e999},"text":{"acc":0}}' type 'qa[1]: "visual.acc" is no number'
    check '{"visual":{"acc":87.5},"text":{"acc":0}}' type 'qa[1]: "visual.acc" is 87.5, not a fraction from 0 to 1'
    check '"x"' type 'qa[1] is no object'
    check '{"error":null}' missing 'qa[1]: no number "visual.acc"'
    for row in '{"id":1}:missing' '{"qa":null}:missing' '{"qa":"x"}:type' '{"qa":{}}:type' 'x:json' '[1]:json'; do
        run --separate-stderr -1 qa-filter <<<"${row%:*}"
        [ "$(jq -r .error.class <<<"$output")" = "${row##*:}" ]
    done
}

@test "a question that could not be put is dropped and counted" {
    echo '{"qa":[{"error":{"class":"http"}},{"visual":{"acc":1},"text":{"acc":0}},{"visual":{"acc":1},"text":{"acc":0},"error":{}}]}' > rows
    run --separate-stderr -0 qa-filter --stats stats rows
    [ "$output" = '{"qa":[{"visual":{"acc":1},"text":{"acc":0}}]}' ]
    [ "$(jq -c '[.questions.in, .questions.kept, .questions.dropped.error]' stats)" = '[3,1,2]' ]
}

@test "rows that come in with an error pass untouched" {
    echo '{"id":1,  "qa":[{}], "error":{"stage":"x","class":"media","message":"m"}}' > rows
    run --separate-stderr -0 qa-filter --stats stats rows
    [ "$output" = "$(cat rows)" ]
    [ "$stderr" = "" ]
    [ "$(jq -c .rows stats)" = '{"in":1,"out":0,"empty":0,"failed":0,"passed":1,"before":0}' ]
}

@test "empty input: no rows, status 0, statistics of nothing" {
    run --separate-stderr -0 qa-filter --stats stats /dev/null
    [ "$output$stderr" = "" ]
    jq -e '.complete and .rows.in == 0 and .visual.mean == null and .questions.effective == 0' stats
}

@test "a full disk: status 75, and the statistics say that they are not complete" {
    for i in $(seq 3000); do row "$i" 1:0 1:0; done > rows
    run --separate-stderr bash -c 'qa-filter --stats stats rows > /dev/full'
    [ "$status" = 75 ]
    [[ "$stderr" == *"No space left"* ]]
    jq -e '.complete == false' stats
    # one row, that is written at the very end
    run --separate-stderr bash -c 'head -1 rows | qa-filter --stats stats > /dev/full'
    [ "$status" = 75 ]
    jq -e '.complete == false' stats
    # no room for the statistics themselves
    run --separate-stderr -75 qa-filter --stats /dev/full rows
    [[ "$stderr" == *"/dev/full: No space left"* ]]
    [ "${#lines[@]}" = 3000 ]
}

@test "--stats: reasons, letters, histograms, effective number" {
    q() { # QUESTION ANSWER VISUAL LETTERS TEXT LETTERS
        printf '{"question":"%s","answer":"%s","visual":{"acc":%s,"answers":%s},"text":{"acc":%s,"answers":%s}}' "$@"
    }
    {
        echo "{\"qa\":[$(q one A 1 '["A","B"]' 0 '["C",null]'),$(q two B 0.5 '["B"]' 0 '[]')]}"
        echo "{\"qa\":[$(q one C 0.8 '["C"]' 0.3 '["Z"]'),$(q two D 0 '["I"]' 1 '["D","x"]')]}"
        echo "{\"qa\":[$(q one B 1 null 0.15 '["B"]'),$(q three J 0.95 '[]' 0.2 '[7]')]}"
        echo 'bad'
    } > rows
    run --separate-stderr -1 qa-filter --stats stats rows
    jq -c . stats
    [ "$(jq -c .rows stats)" = '{"in":4,"out":2,"empty":1,"failed":1,"passed":0,"before":0}' ]
    [ "$(jq -c '[.questions.in,.questions.kept,.questions.dropped[]]' stats)" = '[6,3,1,1,1,0,0]' ]
    [ "$(jq -c '.letters | map(to_entries | map(select(.value > 0)) | from_entries)' stats)" = \
        '[{"A":1,"B":2,"C":1,"D":1,"other":1},{"A":1,"B":1,"other":1},{"A":1,"B":2,"C":1,"I":1},{"B":1,"C":1,"D":1,"none":1,"other":3}]' ]
    [ "$(jq -c '.visual.histogram | to_entries | map(select(.value > 0) | [.key, .value])' stats)" = '[[0,1],[10,1],[16,1],[19,3]]' ]
    [ "$(jq -c '.text.histogram | to_entries | map(select(.value > 0) | [.key, .value])' stats)" = '[[0,2],[3,1],[4,1],[6,1],[19,1]]' ]
    # two texts, kept 2 and 1 times: exp(ln 3 - (2 ln 2)/3)
    jq -e '(.questions.effective - 1.8898815748) | fabs < 1e-9' stats
    jq -e '(.visual.mean - 4.25 / 6 | fabs) < 1e-12 and (.text.mean - 1.65 / 6 | fabs) < 1e-12' stats
}

@test "--stats is replaced as a whole, never an input or output of the run" {
    row 1 1:0 > rows
    echo old > stats
    qa-filter --stats stats rows > out
    jq -e .complete stats
    [ "$(ls)" = "$(printf 'out\nrows\nstats')" ]
    run --separate-stderr -2 qa-filter --stats rows rows
    run --separate-stderr -2 qa-filter -o stats.out --stats stats.out rows
    run --separate-stderr -2 qa-filter -o stats.out --stats ./stats.out rows
    run --separate-stderr -2 qa-filter -o stats.out --errors bad --stats "$PWD/bad" rows
    [ ! -e stats.out ]
    run --separate-stderr -2 qa-filter --stats no/such/folder rows
    run --separate-stderr -2 qa-filter --stats . rows
    [ "$(jq -c .id rows)" = 1 ]
    shm=$(mktemp -d -p /dev/shm 2> /dev/null) || return 0 # files there are files
    run --separate-stderr qa-filter -o /dev/null --stats "$shm/stats" rows
    jq -e .complete "$shm/stats" && rm -r "$shm"
}

@test "--drop-similar keeps the first of questions that are nearly the same" {
    cat > rows <<'END'
{"qa":[{"question":"What colour is the car?","visual":{"acc":1},"text":{"acc":0}},{"question":"what colour is  the CAR","visual":{"acc":1},"text":{"acc":0}},{"question":"What colour is the cat?","visual":{"acc":1},"text":{"acc":0}},{"question":"How many dogs are there?","visual":{"acc":1},"text":{"acc":0}}]}
{"qa":[{"question":"What colour is the car?","visual":{"acc":0},"text":{"acc":0}},{"question":"What colour is the car?","visual":{"acc":1},"text":{"acc":0}}]}
END
    qa-filter rows | head -1 | cmp - <(head -1 rows)
    run -0 qa-filter --drop-similar --stats stats rows
    [ "$(jq -c '[.qa[].question]' <<<"${lines[0]}")" = '["What colour is the car?","What colour is the cat?","How many dogs are there?"]' ]
    [ "$(jq -c '.qa|length' <<<"${lines[1]}")" = 1 ] # the first was not kept
    [ "$(jq -c '.questions.dropped.duplicate' stats)" = 1 ]
    run -0 qa-filter --drop-similar=0.8 rows
    [ "$(jq -c '.qa|length' <<<"${lines[0]}")" = 2 ]
    run -0 qa-filter --drop-similar=1 rows
    [ "$(jq -c '.qa|length' <<<"${lines[0]}")" = 3 ]
    run --separate-stderr -1 qa-filter --drop-similar <<<'{"qa":[{"visual":{"acc":1},"text":{"acc":0}}]}'
    [[ "$stderr" == *'qa[0]: no text "question"' ]]
}

@test "how alike two questions are is what the man page says" {
    printf '%s\n' '{"qa":[{"question":"What colour is the car?","visual":{"acc":1},"text":{"acc":0}},{"question":"What color is the car?","visual":{"acc":1},"text":{"acc":0}}]}' > rows
    said=$(grep -oE '^are 0\.[0-9]+ alike' "$ROOT/man/qa-filter.1" | grep -oE '0\.[0-9]+')
    [ "$(qa-filter --drop-similar="$(jq -n "$said - 0.005")" rows | jq '.qa|length')" = 1 ]
    [ "$(qa-filter --drop-similar="$(jq -n "$said + 0.005")" rows | jq '.qa|length')" = 2 ]
}

@test "--resume gives the same bytes; its statistics say what they do not cover" {
    for i in $(seq 300); do row "$i" 1:0 "0.$((i % 10)):0" 1:0.5; done > rows
    qa-filter -o want --stats whole rows
    qa-filter -o out --limit 100 rows
    qa-filter -o out --resume --stats rest rows
    cmp out want
    jq -e '.rows.before == 0 and .rows.in == 300' whole
    jq -e '.complete and .rows.before == 100 and .rows.in == 200 and .questions.in == 600' rest
}

@test "an interrupted run writes its statistics, marked as partial" {
    mkfifo pipe
    qa-filter --stats stats pipe > out & pid=$!
    exec 7> pipe
    row 1 1:0 >&7
    eventually test -s out
    kill -TERM $pid
    status=0; wait $pid || status=$?
    exec 7>&-
    [ "$status" = 75 ]
    jq -e '.complete == false and .rows.in == 1 and .questions.kept == 1' stats
}

@test "--shard parts make the whole" {
    for i in $(seq 50); do row "$i" 1:0 "0.$((i % 10)):0"; done > rows
    qa-filter rows | sort > whole
    for i in 0 1 2; do qa-filter --shard $i/3 rows; done | sort | cmp - whole
}

@test "a long line, many questions, deep nesting: linear and whole" {
    { printf '{"qa":['; for _ in $(seq 20000); do printf '{"visual":{"acc":1},"text":{"acc":0}},{"visual":{"acc":0},"text":{"acc":0}},'; done
        printf '{"visual":{"acc":1},"text":{"acc":0},"big":"'; head -c 20000000 /dev/zero | tr '\0' 'x'; printf '"}]}\n'; } > rows
    [ "$(qa-filter rows | jq '.qa|length')" = 20001 ]
    { printf '{"qa":[],"d":'; head -c 100000 /dev/zero | tr '\0' '['; printf '\n'; } > deep
    run -1 qa-filter deep
}

@test "the man page's example" {
    mandoc -T ascii "$ROOT/man/qa-filter.1" > /dev/null
    sed -n '/^\$ cat > rows/,/^\.Ed/p' "$ROOT/man/qa-filter.1" > page
    sed -n 2p page > rows.jsonl
    qa-filter --stats stats.json rows.jsonl | cmp - <(sed -n 4p page)
    jq -c .questions stats.json | cmp - <(sed -n 6p page)
}

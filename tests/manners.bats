# What every program does with rows, options and files.
setup() { load common; }

# Rows with a text each: model-tokenize is the quickest program that writes fields.
texts() { seq "$1" | sed 's/.*/{"id":&,"text":"row number &"}/'; }
tokenize() { model-tokenize -m pocket "$@"; }

@test "not JSON, not an object, missing field: error rows, others go on" {
    printf '%s\n' 'not json' '[1]' '{"id":3}' '{"id":4,"text":5}' '{"id":5,"text":"x"}' > rows
    run --separate-stderr -1 tokenize rows
    [ "${#lines[@]}" = 5 ]
    [ "$(jq -c '[.error.class, .input, .ids != null]' <<<"$output" | tr '\n' ' ')" = '["json","not json",false] ["json","[1]",false] ["missing",null,false] ["type",null,false] [null,null,true] ' ]
    [[ "${stderr_lines[0]}" == "model-tokenize: rows:1: "* ]]
    [[ "${stderr_lines[2]}" == "model-tokenize: rows:3 (id=3): "*text* ]]
}

@test "raw NUL bytes, invalid UTF-8 and NaN are refused, the line is kept readable" {
    printf '{"id":1,"text":"a\0b"}\n{"id":2,"text":"\xff"}\n{"id":3,"text":"x","n":NaN}\n' > rows
    run --separate-stderr -1 tokenize rows
    [ "$(jq -c '.error.class' <<<"$output" | tr '\n' ' ')" = '"json" "json" "json" ' ]
    [[ "${lines[0]}" == *'"input":"{\"id\":1,\"text\":\"a\u0000b\"}"'* ]]
    [[ "${lines[1]}" == *'"input":"{\"id\":2,\"text\":\"�\"}"'* ]]
}

@test "lone surrogates, NUL escapes, duplicate keys, integers over 2^53, odd floats pass byte for byte" {
    printf '%s\n' '{"id":9007199254740993,"text":"\ud83d x","a":1E400,"a":-0.0,"b":1.0e-7,"c":"\u0000"}' > rows
    run -0 tokenize rows
    [[ "$output" == '{"id":9007199254740993,"text":"\ud83d x","a":1E400,"a":-0.0,"b":1.0e-7,"c":"\u0000","ids":['* ]]
    echo '{"text":"one","text":"two"}' | tokenize > out
    [ "$(model-tokenize -m pocket -d < out | jq -r .text)" = two ]
}

@test "CRLF, BOM, blank lines, a JSON array, gzip and zstd are read" {
    texts 3 > plain
    tokenize plain > want
    sed 's/$/\r/' plain | tokenize | tr -d '\r' | cmp - want
    { printf '\xef\xbb\xbf'; cat plain; } | tokenize | cmp - want
    sed 's/$/\n/' plain | tokenize | cmp - want
    jq -s . plain > array; tokenize array | jq -c '[.id,.ids]' | cmp - <(jq -c '[.id,.ids]' want)
    gzip -c plain > packed; tokenize packed | cmp - want
    zstd -q -c plain > packed.z; tokenize packed.z | cmp - want
    printf '%s' "$(cat plain)" | tokenize | cmp - want # no last line end
}

@test "empty input gives empty output and status 0" {
    run --separate-stderr -0 tokenize /dev/null
    [ "$output$stderr" = "" ]
}

@test "a 64 MB line and a million empty lines" {
    { printf '{"id":1,"big":"'; head -c 67108864 /dev/zero | tr '\0' 'x'; printf '","text":"x"}\n'; } > rows
    tokenize rows > out
    [ "$(wc -c < out)" -gt 67108864 ]
    [ "$(tail -c 30 out | grep -c '"tokens":1}')" = 1 ]
    { yes '' | head -n 1000000; echo '{"text":"x"}'; } | tokenize | jq -e .ids
}

@test "deep nesting is refused without harm" {
    { printf '{"text":"x","d":'; head -c 100000 /dev/zero | tr '\0' '['; printf '\n'; } > rows
    run -1 tokenize rows
}

@test "--shard parts are disjoint, whole, and equal to the whole run's rows" {
    texts 23 > rows
    tokenize rows | sort > whole
    for n in 1 2 3 5; do
        for ((i = 0; i < n; i++)); do tokenize --shard $i/$n rows; done | sort | cmp - whole
    done
    [ "$(tokenize --shard 1/3 rows | head -1 | jq .id)" = 2 ]
    [ "$(tokenize --shard 1/3 --limit 2 rows | jq .id | tr '\n' ' ')" = '2 5 ' ]
    run -2 tokenize --shard 3/3 rows
    run -2 tokenize --shard 0/0 rows
}

@test "--errors takes failed rows away, --max-errors ends the run with 3" {
    { texts 3; echo bad; texts 3; } > rows
    run --separate-stderr -1 tokenize --errors bad.jsonl rows
    [ "${#lines[@]}" = 6 ]
    [ "$(jq -r .input bad.jsonl)" = bad ]
    { yes bad | head -50; texts 3; } > worse
    run --separate-stderr -3 tokenize --max-errors 5 worse
    run --separate-stderr -3 tokenize --max-errors 50% worse
    run --separate-stderr -1 tokenize --max-errors 60 worse
}

@test "rows that come in with an error pass untouched and leave the status alone" {
    echo '{"id":1,  "error":{"stage":"x","class":"media","message":"m"}}' > rows
    run --separate-stderr -0 tokenize rows
    [ "$output" = "$(cat rows)" ]
    [ "$stderr" = "" ]
}

@test "-o refuses to overwrite, --force does, --resume on a finished file ends 0" {
    texts 5 > rows
    tokenize -o out.jsonl rows
    run --separate-stderr -2 tokenize -o out.jsonl rows
    [[ "$stderr" == *out.jsonl* ]]
    cp out.jsonl want
    tokenize -o out.jsonl --force rows; cmp out.jsonl want
    tokenize -o out.jsonl --resume rows; cmp out.jsonl want
    run --separate-stderr -2 tokenize -o out.jsonl --resume --special rows
    [[ "$stderr" == *option* ]]
    head -1 out.jsonl.journal | jq -e '.program == "model-tokenize"'
}

@test "the journal's first line is what --stamp adds to a row: hashes and the seed" {
    caption -m pocket --temperature 0 --max-tokens 2 --seed 4 --stamp -o out "$SAMPLES/images/0000.png"
    head -1 out.journal > first
    jq -e '(keys_unsorted == ["program","version","options","model","prompt","seed","given"])
        and (.options|length) == 32 and (.model|length) == 32 and (.prompt|length) == 32 and .seed == 4' first
    jq -c '._run[0]' out | cmp - <(jq -c 'del(.given)' first)
    # without --stamp too
    caption -m pocket --temperature 0 --max-tokens 2 --seed 4 -o plain "$SAMPLES/images/0000.png"
    [ "$(head -1 plain.journal | jq -c 'del(.options,.given)')" = "$(jq -c 'del(.options,.given)' first)" ]
    echo '{"text":"a","_run":5}' > rows
    run --separate-stderr -1 tokenize --stamp rows
    [ "$(field '[._run,.error.class]' <<<"$output")" = '[5,"type"]' ]
}

@test "--resume takes numbers by their value, and names the options that differ" {
    job=(caption -m pocket --max-tokens 2 -o out "$SAMPLES/images/0000.png")
    "${job[@]}" --temperature 0
    "${job[@]}" --temperature 0.0 --resume
    run --separate-stderr -2 "${job[@]}" --temperature 0 --top-k 3 --max-tokens 4 --resume
    [[ "$stderr" == *"to be resumed: --top-k --max-tokens (give"* ]] || [[ "$stderr" == *"to be resumed: --max-tokens --top-k (give"* ]]
    run --separate-stderr -2 "${job[@]}" --resume
    [[ "$stderr" == *"to be resumed: --temperature (give"* ]]
    run --separate-stderr -2 "${job[@]}" -m "$CAPMILL_SHARE/pocket/captioner" --temperature 0 --prompt Hm --resume
    [[ "$stderr" == *" prompt (give"* ]]
    run ! grep -q Hm out.journal
}

@test "a journal without its file is not run over" {
    texts 3 > rows
    tokenize -o out rows
    mv out kept
    run --separate-stderr -2 tokenize -o out rows
    [[ "$stderr" == *"out.journal: exists without out"*--resume* ]]
    [ -s out.journal ]
    mv kept out
    tokenize -o out --resume rows
    rm out
    tokenize -o out --force rows
}

@test "--dry-run writes no file and no row" {
    printf '%s\n' '{"image":"none.png"}' '{"image":"images/0000.png"}' > rows
    run --separate-stderr -1 caption -m pocket --root "$SAMPLES" --dry-run -o out --errors bad rows
    [ "$output" = "" ]
    [[ "$stderr" == *"1 request"* ]]
    [ ! -e out ] && [ ! -e out.journal ] && [ ! -e bad ]
}

@test "binary data on standard input or in a file of rows: one message" {
    for input in 0000.png 0001.png; do
        run --separate-stderr -2 caption -m pocket < "$SAMPLES/images/$input"
        [ "$output" = "" ]
        [ "$stderr" = "caption: stdin: binary data, not rows (pictures are named as arguments)" ]
    done
    run --separate-stderr -2 tokenize "$SAMPLES/images/0000.png"
    [ "${#stderr_lines[@]}" = 1 ]
    [[ "$stderr" == *"0000.png: binary data, not rows" ]]
}

@test "--errors - and a value apart from its option are refused with what to write" {
    run --separate-stderr -2 tokenize --errors - <<<''
    [[ "$stderr" == *"--errors -"*"-o FILE"* ]]
    run --separate-stderr -2 tokenize -o "" <<<''
    [[ "$stderr" == *"--output: the name is empty"* ]]
    run --separate-stderr -2 caption -m pocket --logprobs 5 "$SAMPLES/images/0000.png"
    [[ "${stderr_lines[0]}" == *"--logprobs=5"* ]]
}

@test "a torn tail is cut, and the run goes on to the same bytes" {
    texts 200 > rows
    tokenize -o want rows
    run -0 tokenize -o out --limit 120 rows
    printf '{"id":121,"te' >> out
    sed -i '$!b' out.journal
    tokenize -o out2 rows; cmp out2 want
}

@test "stdout closed early ends quietly" {
    texts 100000 > rows
    run --separate-stderr bash -c 'model-tokenize -m pocket rows | head -1'
    [ "$stderr" = "" ]
    [ "${#lines[@]}" = 1 ]
}

@test "a full disk on stdout and on -o: status 75 and a message" {
    texts 20000 > rows
    run --separate-stderr bash -c 'model-tokenize -m pocket rows > /dev/full'
    [ "$status" = 75 ]
    [[ "$stderr" == *"No space left"* ]]
    run --separate-stderr -75 tokenize -o /dev/full rows
    [[ "$stderr" != *--resume* ]] # goes on with files
    # a file size limit stands in for a small disk
    run --separate-stderr bash -c 'trap "" XFSZ; ulimit -f 100; model-tokenize -m pocket -o out rows'
    [ "$status" = 75 ]
    tokenize -o out --resume rows
    tokenize -o want rows
    cmp out want
}

@test "SIGTERM leaves a resumable state: status 75" {
    for i in $(seq 300); do echo '{"id":'"$i"',"image":"images/0000.png"}'; done > rows
    caption -m pocket -n 4 --seed 3 --root "$SAMPLES" -o out rows & pid=$!
    eventually test -s out
    kill -TERM $pid
    status=0; wait $pid || status=$?
    [ "$status" = 75 ]
    caption -m pocket -n 4 --seed 3 --root "$SAMPLES" -o out --resume rows
    caption -m pocket -n 4 --seed 3 --root "$SAMPLES" -o want rows
    cmp out want
}

@test "kill -9 at random moments and --resume: nothing lost, doubled or torn" {
    for i in $(seq 60); do echo '{"id":'"$((i % 50))"',"image":"images/00'"$(printf %02d $((i % 12)))"'.png"}'; done > rows
    echo broken >> rows
    job=(caption -m pocket -n 4 --seed 3 --root "$SAMPLES" rows)
    run -1 "${job[@]}" -o want
    RANDOM=20 kills=0 ended=0 rounds=20
    [ -z "${LONG:-}" ] || rounds=300
    while [ $kills -lt $rounds ]; do
        "${job[@]}" -o out --resume 2> log & pid=$!
        sleep "0.$(printf %03d $((RANDOM % 700)))"
        running=1
        kill -9 $pid 2>/dev/null || running=0 # it may have ended by itself
        status=0
        wait $pid || status=$?
        [ $running = 1 ] || [ $status -le 1 ]
        if [ $status = 137 ]; then
            kills=$((kills + 1))
        else # it had come to its end: 1, for the broken row, or 0, all having been done
            [ $status -le 1 ] || { cat log; false; }
            cmp out want
            rm -f out out.journal
            ended=$((ended + 1))
            [ $ended -lt $((20 * rounds)) ]
        fi
    done
    status=0
    "${job[@]}" -o out --resume 2> log || status=$?
    [ $status -le 1 ]
    cmp out want
    echo "# $kills kills, $ended runs to the end" >&3
}

@test "--help, --version, --completion; -- ends options" {
    for program in $(cd "$ROOT/cmd" && basename -s .c -- *.c); do
        run --separate-stderr -0 "$program" --help
        [[ "${lines[0]}" == *"$program"* ]]
        [ "$stderr" = "" ]
        [ "$(wc -L <<<"$output")" -le 80 ]
        run -0 "$program" --version
        [[ "$output" == "$program "* || "$output" == capmill* ]]
        run -0 bash -c "$program --completion bash | bash -n"
    done
    echo '{"text":"x"}' > ./-odd
    run -0 tokenize -- -odd
}

@test "each man page lists exactly the program's own options" {
    for program in "$ROOT"/cmd/*.c; do
        program=$(basename "$program" .c)
        $program --options | sort > have
        sed -nE 's/^\.It Fl ([a-z0-9] , )?-([a-z0-9-]+).*/\2/p' "$ROOT/man/$program.1" \
            "$ROOT/man/capmill.7" | sort -u > listed
        comm -23 have listed > missing
        [ ! -s missing ] || { echo "$program: man page lacks: $(cat missing)"; false; }
        sed -nE 's/^\.It Fl ([a-z0-9] , )?-([a-z0-9-]+).*/\2/p' "$ROOT/man/$program.1" | sort -u > own
        comm -13 have own > extra
        [ ! -s extra ] || { echo "$program: man page has too many: $(cat extra)"; false; }
    done
}

@test "/dev/stdout and /dev/stderr in a file that others write to, too: nothing is written over" {
    printf '%s\n' '{"text":"a"}' '{"text":7}' > rows
    model-tokenize -m pocket --errors failed rows > want 2> /dev/null || true
    (echo first; model-tokenize -m pocket -o /dev/stdout --errors /dev/null rows || true; echo last) > got 2> /dev/null
    diff <(echo first; cat want; echo last) got
    (echo first; model-tokenize -m pocket -o out --errors /dev/stdout rows || true; echo last) > got 2> /dev/null
    diff <(echo first; cat failed; echo last) got
}

setup() { load common; }

@test "text to ids and back" {
    printf '%s\n' '{"text":"The sky is blue."}' '{"text":"a\u0000b é \ud83d\ude00 \n"}' '{"text":""}' > rows
    model-tokenize -m pocket rows | jq -c '{ids}' | model-tokenize -m pocket -d | jq -c .text |
        cmp - <(jq -c .text rows)
}

@test "added tokens are characters unless --special, --special=keep takes those not special" {
    echo '{"text":"<|im_end|>"}' > rows
    [ "$(model-tokenize -m pocket rows | jq .tokens)" -gt 1 ]
    [ "$(model-tokenize -m pocket --special rows | jq -c .ids)" = '[689]' ]
    [ "$(model-tokenize -m pocket --special=keep rows | jq .tokens)" -gt 1 ]
}

@test "ids that are no token ids are error rows" {
    printf '%s\n' '{"ids":[1,"x"]}' '{"ids":[-1]}' '{"ids":[1.5]}' '{"ids":3}' '{"ids":[99999999]}' > rows
    run --separate-stderr -1 model-tokenize -m pocket -d rows
    [ "$(jq -c '[.error.class, .text]' <<<"$output" | tr '\n' ' ')" = '["type",null] ["type",null] ["type",null] ["type",null] [null,""] ' ]
}

@test "a tokenizer.json alone is enough" {
    cp "$ROOT/share/pocket/captioner/tokenizer.json" t.json
    run -0 model-tokenize -m t.json <<<'{"text":"x"}'
    echo '{}' > t.json
    run --separate-stderr -2 model-tokenize -m t.json <<<'{"text":"x"}'
    [[ "$stderr" == "model-tokenize: t.json: "* ]]
}

@test "the man page's example" {
    run -0 bash -c "echo '{\"text\":\"The sky is blue.\"}' | model-tokenize -m pocket"
    jq -e '.tokens == (.ids|length)' <<<"$output"
}

# Threads of a program that has read one row and waits for more.
threads_of() {
    mkfifo in
    "$@" < in > out & local pid=$!
    echo '{"text":"x"}' > row
    exec 7> in
    cat row >&7
    eventually test -s out
    find /proc/$pid/task -mindepth 1 -maxdepth 1 | wc -l
    exec 7>&-
    wait $pid
    rm in out
}

@test "all processors are those that it may use: bound to one it has no workers" {
    cpu=$(sed -n 's/^Cpus_allowed_list:\s*\([0-9]*\).*/\1/p' /proc/self/status)
    alone=$(threads_of model-tokenize -m pocket --threads 1)
    [ "$(threads_of taskset -c "$cpu" model-tokenize -m pocket)" = "$alone" ]
}

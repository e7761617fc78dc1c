setup() {
    load common
    PATH=$ROOT/pipelines:$PATH
}

@test "pretrain.sh: three stages on the pocket world, figures before and after; again changes nothing" {
    run --separate-stderr -0 pretrain.sh -o out -n 24
    [ "$stderr" = "" ]
    [ "${#lines[@]}" = 4 ]
    [[ "${lines[0]}" =~ ^before:\ recall\ 0\.3[0-9]*\ precision\ 1$ ]]
    [[ "${lines[3]}" =~ ^sft:\ recall\ 0\.[0-9]+\ precision\ [01](\.[0-9]+)?$ ]]
    [ "$(jq -r .state.train out/align/latest/state/state.json)" = merger ]
    for stage in align caption sft; do jq -s -e 'length > 0 and all(.failed == 0)' "out/$stage.metrics.jsonl"; done
    jq -s -e 'map(.rows) | add == 48' out/sft.metrics.jsonl
    cp out/sft/latest/model.safetensors before
    first=$output
    run --separate-stderr -0 pretrain.sh -o out -n 24
    [ "$output" = "$first" ]
    cmp before out/sft/latest/model.safetensors
}

@test "pretrain.sh: killed in a stage, the same line ends in the same bits" {
    mkdir conf
    for stage in align caption; do printf -- '--train merger # a remark\n--batch-tokens 256\n--save 1\n' > conf/$stage.conf; done
    jq -c '{id,image,caption:(.facts|join(" "))}' "$WORLD/train.jsonl" | head -n 12 > rows.jsonl
    # a function that becomes the script, so that the process can be killed
    train() { pretrain.sh -m pocket -c conf -r "$WORLD" -o "$1" align=rows.jsonl caption=rows.jsonl; }
    train whole
    setsid bash -c "exec pretrain.sh -m pocket -c conf -r '$WORLD' -o part align=rows.jsonl caption=rows.jsonl" & local pid=$!
    until [ -s part/caption.metrics.jsonl ]; do sleep 0.02; done
    kill -9 -- "-$pid"
    wait "$pid" || true
    train part
    cmp whole/caption/latest/model.safetensors part/caption/latest/model.safetensors
}

@test "pretrain.sh: figures are of all rows, or there are none" {
    run --separate-stderr -2 pretrain.sh -m pocket -o out -e nonesuch align=rows.jsonl
    [ "$output" = "" ]
    [ ! -e out/before.figures ]
    { head -n 2 "$WORLD/test.jsonl"; echo '{"image":"none.png","facts":["A fact."]}'; } > rows.jsonl
    run --separate-stderr -2 pretrain.sh -m pocket -o out -e rows.jsonl -r "$WORLD" more=rows.jsonl
    [[ "${lines[0]}" == "before: recall 0."*" precision "* ]]
}

@test "pretrain.sh: no folder, a stage without a configuration: usage" {
    run -2 pretrain.sh
    run --separate-stderr -2 pretrain.sh -o out more=rows.jsonl
    [[ "$stderr" == "pretrain.sh: more=rows.jsonl: no STAGE=ROWS with "*/STAGE.conf ]]
}

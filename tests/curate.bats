setup() {
    load common
    load server
    PATH=$ROOT/pipelines:$PATH
    export CURATE=$ROOT/pipelines/curate.sh
    pictures=$SAMPLES/images
}
teardown() { stop_servers; }

same_rows() { diff <(sort "$1") <(sort "$2"); }

@test "curate.sh: questions that need the picture, once; again asks nobody" {
    start_server
    model=$SERVER_URL#pocket
    run --separate-stderr -0 curate.sh -m "$model" -o out "$pictures"
    [ "$stderr" = "" ]
    [ "$(wc -l < out/generated.jsonl)" = 12 ]
    jq -s -e 'length > 6 and all(.[].qa[]; .visual.acc > 0.75 and .text.acc < 0.25)' out/qa.jsonl
    jq -e '.complete and .questions.kept > 0 and .questions.dropped.text + .questions.dropped.visual > 0' out/stats.json
    requests=$(asked)
    [ "$requests" -gt 100 ]
    cp out/qa.jsonl before
    run -0 curate.sh -m "$model" -o out "$pictures"
    cmp out/qa.jsonl before
    [ "$(asked)" = "$requests" ]
}

@test "curate.sh: interrupted, status 75; the same line goes on to the same rows" {
    start_server
    curate.sh -m "$SERVER_URL#pocket" -o want "$pictures"
    start_server --delay 20
    ANSWER='--concurrency 1' curate.sh -m "$SERVER_URL#pocket" -o out "$pictures" & pid=$!
    eventually test -s out/answered.jsonl
    pkill -TERM -P $pid
    status=0; wait $pid || status=$?
    [ $status = 75 ]
    [ ! -e out/qa.jsonl ]
    ANSWER='--concurrency 8' curate.sh -m "$SERVER_URL#pocket" -o out "$pictures"
    cmp out/qa.jsonl want/qa.jsonl
}

@test "curate.sh: failed rows are kept apart, status 1; -r tries them again" {
    start_server
    model=$SERVER_URL#pocket
    printf '%s\n' '{"id":1,"image":"late.png"}' '{"id":2,"image":"there.png"}' > rows
    cp "$pictures/0003.png" there.png
    status=0; curate.sh -m "$model" -o out rows 2> log || status=$?
    [ $status = 1 ]
    [ "$(cat log)" = "qa-gen: rows:1 (id=1): late.png: no such file" ]
    jq -e '.id == 1 and .error.class == "media"' out/errors.generated.jsonl
    cp "$pictures/0004.png" late.png
    requests=$(asked)
    curate.sh -r -m "$model" -o out rows
    [ ! -s out/errors.generated.jsonl ]
    [ "$(jq -s 'map(.id) | unique' -c out/answered.jsonl)" = "[1,2]" ]
    [ "$(asked)" -gt "$requests" ]
    run -2 curate.sh -m "$SERVER_URL#pocket"
    [[ "$output" == usage* ]]
}

@test "curate.mk, GNU parallel and a Slurm array make what one run makes" {
    start_server
    model=$SERVER_URL#pocket
    curate.sh -m "$model" -o one "$pictures"
    make -s -j2 -f "$ROOT/pipelines/curate.mk" MODEL="$model" PICTURES="$pictures" OUT=mk SHARDS=3
    same_rows mk/qa.jsonl one/qa.jsonl
    requests=$(asked)
    make -s -j2 -f "$ROOT/pipelines/curate.mk" MODEL="$model" PICTURES="$pictures" OUT=mk SHARDS=3
    [ "$(asked)" = "$requests" ]
    "$ROOT/examples/curate-parallel.sh" "$model" 3 2 parallel "$pictures"
    same_rows parallel/qa.jsonl one/qa.jsonl
    # another number of shards does not gather what the first one made, too
    "$ROOT/examples/curate-parallel.sh" "$model" 2 2 parallel "$pictures"
    same_rows parallel/qa.jsonl one/qa.jsonl
    for task in 0 1 2; do
        MODEL=$model PICTURES=$pictures OUT=slurm SLURM_ARRAY_TASK_ID=$task SLURM_ARRAY_TASK_COUNT=3 \
            "$ROOT/examples/curate.sbatch"
    done
    cat slurm/shard-*-of-3/qa.jsonl > slurm.jsonl
    same_rows slurm.jsonl one/qa.jsonl
}

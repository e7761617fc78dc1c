# The ring: rl-feed | caption --follow | reward | rl-step, by pipelines/rl.sh.
setup() {
    load common
    PATH=$ROOT/pipelines:$PATH
    export REWARD='--answer text --token-cost 0.0005' CAPTION='--max-tokens 24'
    # short rows: two questions each
    head -n 24 "$WORLD/train.jsonl" | jq -c '.qa |= .[:2]' > rows
}
# Versions in memory go with the test, whatever became of it.
teardown() {
    kill_all rl-feed rl-step reward caption
    for policy in */policy.d; do
        work=$(readlink "$policy"/v* 2> /dev/null | head -n 1)
        case $work in /dev/shm/capmill-*) rm -rf "${work%/*}" ;; esac
    done
}

# ring FOLDER [option ...]: four steps of two pictures. start_ring, for the background: rl.sh
# itself is the process.
start_ring() {
    local out=$1
    shift
    mkdir -p temporary
    TMPDIR=$PWD/temporary exec rl.sh -m pocket -j pocket-judge -d rows -R "$WORLD" -o "$out" -b 2 -n 3 -s 4 -l 1e-3 -c 2 -q "$@"
}
ring() { (start_ring "$@"); }

# The processes that this test has under way, by what they are: pids_of NAME ...
pids_of() {
    local pid
    for pid in $(pgrep -x "$(echo "$*" | tr " " "|")"); do
        [ "$(readlink "/proc/$pid/cwd")" != "$BATS_TEST_TMPDIR" ] || echo "$pid"
    done
}
# kill_all NAME ...: -9 to all of these.
kill_all() {
    pids_of "$@" | xargs -r kill -KILL
}

# Has everything of a ring ended?
gone() { [ -z "$(pids_of rl-feed caption reward rl-step tee rl.sh)" ]; }

# The steps that count: of those done twice the last one. Without times.
steps_of() {
    jq -s -c 'map(select(.reward)) | group_by(.step) | map(last | del(.step_time, .wait_time))[]' "$1"
}

@test "rl.sh: a step for each batch, the rollout's log-probabilities are the trainer's, the policy moves" {
    ring out
    [ "$(jq -c 'select(.reward) | .step' out/metrics.jsonl | tr '\n' ' ')" = "1 2 3 4 " ]
    jq -s -e 'map(select(.reward)) | all(.logprob_gap_max == 0 and .groups == 2)' out/metrics.jsonl
    [ "$(readlink out/policy)" = policy.d/v000004 ]
    [ ! -L out/policy.d/v000004 ] # on the disk
    [ -z "$(ls temporary)" ]
    caption -m out/policy --temperature 0 --max-tokens 8 "$SAMPLES/images/0000.png" | jq -e .caption
    # again: nothing is left to do
    cp out/policy/model.safetensors before
    run --separate-stderr -0 ring out
    [ "$output$stderr" = "" ]
    cmp out/policy/model.safetensors before
    # more steps
    ring out -s 5
    [ "$(readlink out/policy)" = policy.d/v000005 ]
    # the same run in one piece, on one thread
    STEP='--threads 1' CAPTION="$CAPTION --threads 1" ring whole -s 5
    cmp whole/policy/model.safetensors out/policy/model.safetensors
    diff <(steps_of whole/metrics.jsonl) <(steps_of out/metrics.jsonl)
}

@test "rl.sh: a line a step for a person" {
    run --separate-stderr -0 rl.sh -m pocket -j pocket-judge -d rows -R "$WORLD" -o out -b 2 -n 2 -s 2
    [ "$output" = "" ]
    [ "${stderr_lines[0]}" = "from version 0" ]
    [[ "${stderr_lines[2]}" =~ ^step\ 2:\ reward\ .*,\ length\ .*,\ entropy\ .*\ tokens/s,\ .*\ s\ \(processors:\ caption\ .*,\ reward\ .*,\ rl-step\ .*\)$ ]]
    run ! grep 'processors:.* -' <<< "$stderr" # of a program that has ended, too
}

# Has a file so many lines? A ring that ended has them all.
has_lines() { [ "$(wc -l < "$2")" -ge "$1" ]; }

# kill_rounds N [option ...]: N times, a ring of which one process is killed at some moment ends,
# when the same line is given again, as one that was left alone.
kill_rounds() {
    local rounds=$1 n victim job pid status kills=0 names=(rl-feed caption reward rl-step tee)
    shift
    ring want "$@"
    steps_of want/metrics.jsonl > want.steps
    for ((n = 0; kills < rounds; n++)); do
        [ $n -lt $((5 * rounds)) ] # now and then a ring ends before it is killed
        RANDOM=$n
        victim=${names[$((RANDOM % 5))]}
        rm -rf out
        start_ring out "$@" > /dev/null 2> log & job=$!
        eventually test -e out/metrics.jsonl
        eventually has_lines $((RANDOM % 5)) out/metrics.jsonl # a hello and four steps
        sleep "0.$(printf "%03d" $((RANDOM % 400)))"
        pid=$(pids_of "$victim" | head -n 1)
        status=0
        if [ -n "$pid" ] && kill -KILL "$pid" 2> /dev/null; then
            kills=$((kills + 1))
            wait $job || status=$?
            [ $status = 75 ] || [ $status = 0 ]
        else
            wait $job
        fi
        ring out "$@" 2> log || { cat log >&2; return 1; }
        cmp out/policy/model.safetensors want/policy/model.safetensors
        steps_of out/metrics.jsonl | diff want.steps -
    done
}

@test "kill -9 of any process of the ring at any moment: the same line ends in the same bits" {
    if [ -n "${LONG:-}" ]; then kill_rounds 60; else kill_rounds 8; fi
}

@test "kill -9 in a ring that samples a batch ahead: the same bits" {
    if [ -n "${LONG:-}" ]; then kill_rounds 20 -k 1; else kill_rounds 3 -k 1; fi
}

@test "metrics rows that a kill took on their way are written again from the checkpoint" {
    ring out
    steps_of out/metrics.jsonl > want.steps
    cp out/metrics.jsonl before
    # rows of steps that are not made again: lost, torn; and the file itself
    head -n 3 before > out/metrics.jsonl
    ring out
    steps_of out/metrics.jsonl | diff want.steps -
    truncate -s -9 out/metrics.jsonl
    ring out
    steps_of out/metrics.jsonl | diff want.steps -
    rm out/metrics.jsonl
    ring out
    steps_of out/metrics.jsonl | diff <(tail -n 2 want.steps) - # what may be on its way
    # no row is there twice
    [ "$(jq -c 'select(.reward)' out/metrics.jsonl | wc -l)" = 2 ]
}

@test "kill -9 of rl.sh itself: its programs end, nothing stays behind, the same line goes on to the same bits" {
    ring want -s 12
    steps_of want/metrics.jsonl > want.steps
    start_ring out -s 12 2> log & line=$!
    eventually grep -qs '"step":2' out/metrics.jsonl
    kill -KILL $line
    wait $line || true
    eventually gone
    emptied() { [ -z "$(ls temporary)" ]; }
    eventually emptied
    run ! grep -q '"step":12' out/metrics.jsonl # nobody had it go on alone
    ring out -s 12
    cmp out/policy/model.safetensors want/policy/model.safetensors
    steps_of out/metrics.jsonl | diff want.steps -
}

@test "SIGTERM: status 75, and the same line goes on to the same bits" {
    ring want
    start_ring out 2> log & line=$!
    eventually grep -qs '"step":2' out/metrics.jsonl
    kill -TERM $line
    status=0; wait $line || status=$?
    [ $status = 75 ]
    [ -z "$(pids_of rl-feed caption reward rl-step)" ]
    ring out
    cmp out/policy/model.safetensors want/policy/model.safetensors
}

@test "SIGTERM as soon as there is a process to tell: nothing hangs, nothing stays behind" {
    local i
    for ((i = 0; i < (${LONG:-0} ? 100 : 10); i++)); do
        start_ring out 2> log & line=$!
        sleep "0.$(printf "%03d" $((RANDOM % 150)))"
        kill -TERM $line
        status=0; wait $line || status=$?
        [ $status = 75 ] || [ $status = 143 ] # 143: it had not begun
        eventually gone
        [ -z "$(ls temporary)" ]
    done
}

@test "what a reboot takes is written again from the last checkpoint" {
    ring want
    start_ring out -s 3 2> log & line=$!
    eventually grep -qs '"step":3' out/metrics.jsonl
    kill_all rl-step caption || true
    wait $line || true
    work=$(readlink out/policy.d/v* | head -n 1 || true)
    [ -z "$work" ] || rm -rf "${work%/*}"
    ring out
    cmp out/policy/model.safetensors want/policy/model.safetensors
}

@test "what a kill kept a run from doing after a checkpoint is done when it goes on" {
    ring out
    local checkpoints=out/policy.d/checkpoints
    ln -sfn v000002 $checkpoints/latest
    mkdir $checkpoints/.making-000006
    ring out
    [ "$(readlink $checkpoints/latest)" = v000004 ]
    [ ! -e $checkpoints/.making-000006 ]
}

@test "--ahead 1: sampled from the version before, the same each time" {
    ring one -k 1
    ring two -k 1
    cmp one/policy/model.safetensors two/policy/model.safetensors
    run ! cmp -s one/policy/model.safetensors <(cat two/policy/config.json)
    ring other
    run ! cmp -s one/policy/model.safetensors other/policy/model.safetensors
}

@test "a judge that is down: status 75, nothing is lost, the ring goes on when it is back" {
    load server
    start_server
    export REWARD='--len-weight 0' # the stub's letters
    job=(rl.sh -m pocket -d rows -R "$WORLD" -b 2 -n 2 -s 3 -l 1e-3 -q)
    "${job[@]}" -o want -j "$SERVER_URL#judge"
    url=$SERVER_URL
    stop_servers
    status=0
    "${job[@]}" -o out -j "$url#judge" 2> log || status=$?
    [ $status = 75 ]
    start_server
    "${job[@]}" -o out -j "$SERVER_URL#judge"
    stop_servers
    [ "$(readlink out/policy)" = policy.d/v000003 ]
    cmp out/policy/model.safetensors want/policy/model.safetensors
}

@test "a full disk, for metrics or for a checkpoint: status 75, and the same line goes on to the same bits" {
    ring want
    mkdir out
    ln -s /dev/full out/metrics.jsonl
    run --separate-stderr -75 ring out
    [[ "$stderr" == *"No space left"* ]]
    rm out/metrics.jsonl
    (ulimit -f 10000; start_ring out) 2> log && false
    grep -q "File too large" log
    [ ! -e out/policy.d/checkpoints/v000004 ]
    ring out
    cmp out/policy/model.safetensors want/policy/model.safetensors
}

@test "a picture that is missing: told, its group left out, the step goes on; status 1" {
    sed -i "1s|images/|nowhere/|" rows
    run --separate-stderr -1 ring out -s 12
    [[ "$stderr" == "caption: stdin:"*": nowhere/"*": no such file" ]]
    jq -s -e "map(select(.reward)) | length == 12 and (map(.groups_skipped) | add) == 1" out/metrics.jsonl
}

@test "demo.sh, rl-ablation.sh: captions of some of the pictures, when the captioner was killed, are no measure" {
    mkdir pipelines killed
    cp "$ROOT"/pipelines/{demo,rl-ablation}.sh pipelines # which have no programs beside them
    cat > killed/caption << 'END'
#!/bin/sh
PATH=${PATH#*:}
head -n 2 | caption "$@"
kill -KILL $$
END
    chmod +x killed/caption
    PATH=$PWD/killed:$PATH
    run ! pipelines/rl-ablation.sh -o out -t 4
    [ ! -e out/base.jsonl ]
    OUT=demo QUICK=1 run --separate-stderr ! pipelines/demo.sh
    [[ "$stderr" != *"2. It learns"* ]]
}

@test "two rings in one folder: the second is refused and the first goes on" {
    start_ring out 2> log & line=$!
    eventually grep -qs '"step":1' out/metrics.jsonl
    run --separate-stderr -2 ring out
    [[ "$stderr" == *"another run is at work there"* ]]
    wait $line
}

@test "a second ring leaves the first one's metrics as they are, also rows that are on their way" {
    ring out
    head -n 3 out/metrics.jsonl > before
    cp before out/metrics.jsonl
    exec 9< out/policy.d
    flock 9 # as the first ring's rl-step has it
    run --separate-stderr -2 ring out
    [[ "$stderr" == *"another run is at work there"* ]]
    cmp before out/metrics.jsonl
}

@test "a mistake in an option, a judge that is not there: status 2, named" {
    run --separate-stderr -2 ring out -b 0
    [[ "$stderr" == *"rl-feed: --batch 0"* ]]
    run --separate-stderr -2 rl.sh -m pocket -j nowhere -d rows -o out
    [[ "$stderr" == *"reward: nowhere"* ]]
    run --separate-stderr -2 rl.sh -m pocket -d rows -o out
    [[ "$stderr" == usage* ]]
}

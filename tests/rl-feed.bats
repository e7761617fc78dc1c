# rl-feed: which rows a tick lets in.
setup() {
    load common
    seq 1 10 | sed 's/.*/{"id":"r&", "n":1.0}/' > data.jsonl
    hello='{"hello":true,"step":0,"version":0}'
}
ticks() { printf '%s\n' "$@"; }
feed() { rl-feed --data data.jsonl --batch 4 "$@"; }
# [step, i, of, version, id] of the rows on stdin
places() { jq -c '[._rl.step,._rl.i,._rl.of,._rl.version,.id]'; }

@test "a batch a tick: rows byte for byte with _rl, each once an epoch" {
    # 10 rows twice are 5 batches of 4, the third of them across the end of the epoch
    ticks "$hello" '{"step":1,"version":1}' '{"step":2,"version":2}' '{"step":3,"version":3}' \
        '{"step":4,"version":4}' '{"step":5,"version":5}' | feed --epochs 2 > out
    [ "$(wc -l < out)" = 20 ]
    [ "$(head -10 out | jq .id | sort -u | wc -l)" = 10 ]
    [ "$(tail -10 out | jq .id | sort -u | wc -l)" = 10 ]
    [ "$(head -10 out | jq .id)" != "$(tail -10 out | jq .id)" ]
    [ "$(jq -c '[._rl.step,._rl.i,._rl.of,._rl.version]' out | sed -n '1p;4p;5p;20p' | tr '\n' ' ')" = '[1,0,4,0] [1,3,4,0] [2,0,4,1] [5,3,4,4] ' ]
    grep -qxE '\{"id":"r[0-9]+", "n":1.0,"_rl":\{"step":1,"i":0,"of":4,"version":0\}\}' out
}

@test "after a restart the hello alone says where to go on" {
    ticks "$hello" '{"step":1}' '{"step":2}' '{"step":3}' '{"step":4}' '{"step":5}' | feed --epochs 2 > whole
    ticks '{"hello":true,"step":3,"version":3}' '{"step":4}' '{"step":5}' | feed --epochs 2 > rest
    tail -8 whole | cmp - rest
    run --separate-stderr -0 feed --epochs 2 <<<'{"hello":true,"step":5,"version":5}'
    [ "$output$stderr" = "" ]
}

@test "--ahead lets so many batches in before their turn" {
    run --separate-stderr -75 feed --epochs 2 --ahead 1 <<<"$hello"
    [ "$(places <<<"$output" | jq -c '.[0,3]' | uniq | tr '\n' ' ')" = '1 0 1 0 1 0 1 0 2 0 2 0 2 0 2 0 ' ]
    [[ "$stderr" == "rl-feed: no more ticks: "*"step 0 of 5"* ]]
    run --separate-stderr -75 feed --epochs 2 --ahead 2 < <(ticks "$hello" '{"step":1,"version":1}')
    [ "$(places <<<"$output" | jq -c '[.[0],.[3]]' | uniq | tr '\n' ' ')" = '[1,0] [2,0] [3,0] [4,1] ' ]
    # the batches are the same ones
    run --separate-stderr -75 feed --epochs 2 < <(ticks "$hello" '{"step":1}' '{"step":2}')
    [ "$(jq -c '[.id,._rl.step]' <<<"$output")" = "$(feed --epochs 2 --ahead 2 <<<"$hello" 2> /dev/null | jq -c '[.id,._rl.step]')" ]
}

@test "a version that is not there yet lets nothing in" {
    run --separate-stderr -75 feed < <(ticks '{"step":7,"error":{"stage":"x"}}')
    [ "$output" = "" ]
    run --separate-stderr -75 feed --epochs 2 < <(ticks "$hello" '{"step":1,"version":0}')
    [ "$(wc -l <<<"$output")" = 4 ]
}

@test "more rows of a step: those not in its batch, the same after a restart" {
    ticks "$hello" '{"step":1,"want":3}' '{"step":1,"want":2}' | feed --epochs 2 > out 2> log || true
    [ "$(places < out | sed -n '5,9p' | jq -c '.[0:4]' | tr '\n' ' ')" = '[1,4,7,0] [1,5,7,0] [1,6,7,0] [1,7,9,0] [1,8,9,0] ' ]
    [ "$(jq .id out | sort -u | wc -l)" = 9 ]
    ticks "$hello" '{"step":1,"want":3}' | feed --epochs 2 2> /dev/null | cmp - <(head -7 out)
    # all of them, and then again
    ticks "$hello" '{"step":1,"want":16}' | feed 2> /dev/null > again || true
    [ "$(head -10 again | jq .id | sort -u | wc -l)" = 10 ]
    [ "$(wc -l < again)" = 20 ]
}

@test "several files, blank lines, CRLF and a byte order mark; a bad line is named, status 1" {
    printf '\xef\xbb\xbf{"id":1}\r\n\r\n{"id":2}\n' > one.jsonl
    printf '{"id":3}\nno row\n{"id":4,"error":{}}\n{"id":5}' > two.jsonl
    run --separate-stderr -1 rl-feed --data one.jsonl --data two.jsonl --batch 4 < <(ticks "$hello" '{"step":1}')
    [ "$(jq -s -c 'map(.id) | sort' <<<"$output")" = '[1,2,3,5]' ]
    [[ "$stderr" == "rl-feed: two.jsonl:2: "* ]]
    [ "${#stderr_lines[@]}" = 1 ]
}

@test "lists, packed files, pipes, too few rows, no data: refused with what to do" {
    echo '[{"id":1}]' > list.json
    run --separate-stderr -2 rl-feed --data list.json
    [[ "$stderr" == *"list.json: a list"*jq* ]]
    gzip -k data.jsonl
    run --separate-stderr -2 rl-feed --data data.jsonl.gz
    [[ "$stderr" == *"data.jsonl.gz: packed"* ]]
    run --separate-stderr -2 rl-feed --data <(cat data.jsonl)
    [[ "$stderr" == *"no regular file"* ]]
    run --separate-stderr -2 feed --batch 11 <<<"$hello"
    [[ "$stderr" == *"10 rows are fewer than the 11 of one step"* ]]
    run --separate-stderr -2 rl-feed --data none.jsonl
    [[ "$stderr" == *"none.jsonl: No such file"* ]]
    : > empty
    run --separate-stderr -2 rl-feed --data empty
    [[ "$stderr" == *"no row to train on"* ]]
    run --separate-stderr -2 rl-feed
    [[ "$stderr" == *"give --data FILE"* ]]
    run --separate-stderr -2 rl-feed data.jsonl
    [[ "$stderr" == *"named by --data"* ]]
}

@test "data that changes while it is used ends the run" {
    mkfifo tick
    feed --epochs 2 < tick > out 2> log & pid=$!
    exec 7> tick
    echo "$hello" >&7
    eventually [ -s out ]
    sed -i 's/1\.0/2.0/' data.jsonl
    echo '{"step":1}' >&7
    status=0; wait $pid || status=$?
    exec 7>&-
    [ $status = 2 ]
    [ "$(cat log)" = "rl-feed: data.jsonl: has changed since the run began" ]
    [ "$(wc -l < out)" = 4 ]
}

@test "ticks of no known form are named, and change nothing" {
    run --separate-stderr -1 feed --steps 1 < <(ticks 'no json' '{"x":1}' "$hello" '{"step":9,"want":1}' '{"step":1}')
    [ "$(wc -l <<<"$output")" = 4 ]
    [ "${#stderr_lines[@]}" = 3 ]
    [[ "${stderr_lines[1]}" == "rl-feed: stdin:2: no tick: "* ]]
}

@test "a seed has an order of its own; empty input is a ring that stopped" {
    one=$(feed <<<"$hello" 2> /dev/null | jq .id)
    [ "$(feed --seed 1 <<<"$hello" 2> /dev/null | jq .id)" != "$one" ]
    [ "$(feed <<<"$hello" 2> /dev/null | jq .id)" = "$one" ]
    run --separate-stderr -75 feed < /dev/null
    [ "$output" = "" ]
}

@test "a full disk: status 75 and a message; a reader that goes: quiet" {
    run --separate-stderr bash -c "rl-feed --data data.jsonl --batch 4 <<<'$hello' > /dev/full"
    [ "$status" = 75 ]
    [[ "$stderr" == *"No space left"* ]]
    seq 1 100000 | sed 's/.*/{"id":&}/' > data.jsonl
    run --separate-stderr bash -c "rl-feed --data data.jsonl --batch 90000 <<<'$hello' | head -n 1 > /dev/null; exit \${PIPESTATUS[0]}"
    [ "$status" = 75 ]
    [ "$stderr" = "" ]
}

@test "SIGTERM ends the wait for a tick and for a reader: status 75" {
    mkfifo tick rows
    rl-feed --data data.jsonl --batch 4 < tick > out & pid=$!
    exec 7> tick
    echo "$hello" >&7
    eventually [ -s out ]
    kill -TERM $pid
    status=0; wait $pid || status=$?
    exec 7>&-
    [ $status = 75 ]
    seq 1 100000 | sed 's/.*/{"id":&}/' > data.jsonl
    rl-feed --data data.jsonl --batch 90000 <<<"$hello" > rows & pid=$!
    exec 7< rows
    read -r -u 7
    kill -TERM $pid
    status=0; wait $pid || status=$?
    exec 7<&-
    [ $status = 75 ]
}

@test "--dry-run, and the man page's example" {
    run --separate-stderr -0 feed --epochs 2 --dry-run < /dev/null
    [ "$output" = "" ]
    [ "$stderr" = "rl-feed: 10 rows, 4 a step: 5 steps" ]
    cd "$ROOT"
    example=$(sed -n 's/^\.Dl //p' man/rl-feed.1)
    run --separate-stderr bash -c "$example"
    [ "$(jq -c '.[1]' <<<"$output" | tr '\n' ' ')" = '{"step":1,"i":0,"of":2,"version":0} {"step":1,"i":1,"of":2,"version":0} ' ]
}

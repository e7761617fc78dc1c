# Calls of the C library that fail: memory, threads, files. LONG=1 tries every call.
setup_file() {
    export SHIM=$BATS_FILE_TMPDIR/fault-shim.so
    cc -std=c11 -D_GNU_SOURCE -O1 -shared -fPIC -o "$SHIM" "$BATS_TEST_DIRNAME/c/fault-shim.c" -ldl
}
setup() {
    load common
    # the sanitizers bring an allocator of their own, which no shim can replace
    case $CAPMILL_BIN in */san/*) skip "not beside a sanitizer" ;; esac
    for i in 1 2 3 4 5; do echo '{"id":'$i',"text":"row number '$i'"}'; done > texts
    for i in 0 1; do echo '{"id":'$i',"image":"images/000'$i'.png"}'; done > pictures
}

# fault CALL:N:HOW COMMAND...: its status in $status, its messages in err; no run hangs.
fault() {
    status=0
    rm -f count
    timeout 20 env FAULT="$1" FAULT_COUNT=count LD_PRELOAD="$SHIM" "${@:2}" < /dev/null > out 2> err || status=$?
}
# points N TOTAL: N of the calls from 1 to TOTAL, another choice each time; LONG=1: all.
points() {
    if [ -n "${LONG:-}" ]; then seq "$2"; else shuf -i "1-$2" -n "$1" | sort -n; fi
}
# A failed call ends the run in order: a known status, and a reason unless all is well. One
# abort is glibc's own: it loads libgcc_s when the first thread of OpenMP ends, and gives up
# if that finds no memory.
orderly() {
    case $status in
    0) ;;
    1 | 2 | 75) grep -qE '^[a-z-]+: [[:print:]]+$' err || { echo "$*: status $status without a message"; return 1; } ;;
    134) grep -qx 'libgcc_s.so.1 must be installed for pthread_exit to work' err || { echo "$*: aborted: $(cat err)"; return 1; } ;;
    *) echo "$*: status $status: $(cat err)"; return 1 ;;
    esac
}
# resumes WANT COMMAND...: the run that was cut off goes on to WANT's bytes.
resumes() {
    "${@:2}" --resume --retry-errors < /dev/null || { echo "cannot be resumed"; return 1; }
    cmp file "$1"
}
# strike KIND HOW POINTS COMMAND...: with -o file; each failure leaves what can be resumed.
strike() {
    rm -f file*
    "${@:4}" && mv file want && rm -f file*
    fault "$1:0:12" "${@:4}"
    [ "$(cat count)" -gt 0 ]
    for n in $(points "$3" "$(cat count)"); do
        rm -f file*
        fault "$1:$n:$2" "${@:4}"
        if ! orderly "$1:$n:$2" || ! resumes want "${@:4}"; then
            echo "at $1:$n:$2"
            return 1
        fi
    done
}

@test "a failed allocation: an orderly end, whole rows, a resumable file" {
    strike alloc 12 40 model-tokenize -m pocket -o file texts
    for i in 1 2 3; do echo '{"id":'$i',"qa_response":"# 1. Q\r\n- A) x\n- B) y\nAnswer: B\n# 2. R"}'; done > texts
    strike alloc 12 40 qa-extract -o file texts
    strike alloc 12 40 caption -m pocket --temperature 0 --max-tokens 4 --root "$SAMPLES" -o file pictures
}

@test "memory that stays out: a message all the same, no torn row on standard output" {
    fault alloc:0:12 model-tokenize -m pocket texts
    [ "$(cat count)" -gt 0 ]
    for n in $(points 60 "$(cat count)"); do
        [ "$n" -gt 4 ] || continue # before main()
        fault "alloc:$n+:12" model-tokenize -m pocket texts
        orderly "alloc:$n+"
        ! grep -qv '^{.*}$' out || { echo "alloc:$n+: torn"; return 1; }
    done
}

@test "model-info out of memory: never an empty answer with status 0" {
    fault alloc:0:12 model-info --json pocket
    cp out want
    [ "$(cat count)" -gt 0 ]
    total=$(cat count)
    for n in $(seq $((total - 12)) "$total") $(points 20 "$total"); do
        fault "alloc:$n:12" model-info --json pocket
        orderly "alloc:$n"
        [ "$status" != 0 ] || cmp out want
    done
}

@test "endpoints: memory, threads and files that fail, an orderly end all the same" {
    load server
    start_server
    for i in 1 2 3 4 5; do echo '{"id":'$i',"messages":[{"role":"user","content":"say '$i'"}]}'; done > talks
    job=(caption -m "$SERVER_URL#any" --retries 1 --timeout 5 talks)
    strike alloc 12 40 "${job[@]}" -o file
    strike thread 11 6 "${job[@]}" -o file
    for how in 28 short; do strike write $how 12 "${job[@]}" -o file; done
    # a batch is whole, or has no name
    "${job[@]}" --batch-out whole
    for fault in alloc:12 write:28 write:5 fsync:5; do
        fault "${fault%:*}:0:12" "${job[@]}" --batch-out batch --force
        rm -f batch
        for n in $(points 12 "$(cat count)"); do
            fault "${fault%:*}:$n:${fault#*:}" "${job[@]}" --batch-out batch
            orderly "$fault at $n"
            [ "$status" != 75 ] || [ ! -e batch ] || cmp batch whole
            [ "$status" != 0 ] || cmp batch whole
            rm -f batch batch.part
        done
    done
    stop_servers || true
}

@test "files fail once: full, broken, interrupted, short: nothing is lost" {
    for how in 28 5 4 11 short; do
        strike write $how 12 model-tokenize -m pocket -o file texts
    done
    for call in open fsync ftruncate; do
        strike $call 28 12 model-tokenize -m pocket -o file texts
    done
    strike open 24 12 caption -m pocket --temperature 0 --max-tokens 4 --root "$SAMPLES" -o file pictures
}

# killed MORE...: a run with these options beside -o, killed before each call that changes a
# file and gone on with, ends in want. begin: what leads up to the run.
killed() {
    rm -f file*
    begin
    fault disk:0:kill "${job[@]}" "$@"
    local n=0 total
    total=$(cat count)
    [ "$total" -gt 0 ]
    while [ $((n += 1)) -le "$total" ]; do
        rm -f file*
        begin
        { fault "disk:$n:kill" "${job[@]}" "$@"; } 2> /dev/null # "Killed"
        [ "$status" = 137 ] || [ "$status" -le 1 ] # fewer calls: rows came together
        status=0
        "${job[@]}" --resume 2> err || status=$?
        if [ "$status" -gt 1 ] || ! cmp file want || { [ -e want.bad ] && ! cmp file.bad want.bad; } ||
            [ -e file.redo ] || [ -e file.redo.journal ]; then
            echo "$*: killed before call $n of $total: status $status: $(cat err)"
            return 1
        fi
    done
}

@test "kill -9 before any call that changes a file, and --resume: nothing lost, nothing left over" {
    sed -i '2s/.*/{"id":2}/; 4s/.*/broken/' texts
    for apart in "" "--errors file.bad"; do
        rm -f file* want*
        # shellcheck disable=SC2206 # two words
        job=(model-tokenize -m pocket -o file $apart texts)
        run -1 "${job[@]}"
        mv file want
        [ -z "$apart" ] || mv file.bad want.bad
        begin() { :; }
        killed
        begin() { "${job[@]}" --limit 3 2> err || true; }
        killed --resume
        begin() { "${job[@]}" 2> err || true; }
        killed --resume --retry-errors
        killed --force
    done
}

# train FAULT|"" OUT: a small run that saves each step; it had a bad row.
train() {
    rows=("${@:3}")
    local call=(sft-step -m "$GOLDENS/models/qwen3" --batch-tokens 30 --save 1 --keep 2 --threads 1 --schedule constant --errors bad --out "$2" "${rows[@]}")
    if [ -n "$1" ]; then fault "$1" "${call[@]}"; else "${call[@]}" > out 2> err || [ "$?" = 1 ]; fi
}

@test "training: memory fails, disks are full, the run ends in order and goes on to the same bits" {
    printf '%s\n' '{"messages":[{"role":"user","content":"Hello"},{"role":"assistant","content":"Who is it?"}]}' 'no json' \
        '{"messages":[{"role":"user","content":"Say yes"},{"role":"assistant","content":"yes"}]}' > rows
    train "" whole rows
    local kind how n
    for kind in "io 28" "io short" "alloc 12"; do
        how=${kind#* } kind=${kind% *}
        rm -rf part bad
        train "$kind:0:12" part rows
        for n in $(points 12 "$(cat count)"); do
            rm -rf part bad
            train "$kind:$n:$how" part rows
            [ "$status" = 1 ] || orderly "$kind:$n:$how" # 1: of the bad row, whose message may be what fails
            train "" part --resume rows
            cmp whole/latest/model.safetensors part/latest/model.safetensors
            cmp whole/latest/state/optimizer.safetensors part/latest/state/optimizer.safetensors
            [ "$(wc -l < bad)" = 1 ]
            [ -z "$(find part -name '.making*')" ]
        done
    done
}

@test "no thread, no mapping: an orderly end" {
    strike thread 11 12 caption -m pocket --temperature 0 --max-tokens 4 --root "$SAMPLES" -o file pictures
    strike map 12 12 caption -m pocket --temperature 0 --max-tokens 4 --root "$SAMPLES" -o file pictures
}

@test "a journal that cannot be written: the message names the output" {
    fault write:1:28 model-tokenize -m pocket -o file texts
    [ "$status" = 75 ]
    grep -q '^model-tokenize: file: No space left' err
}

@test "odd values of options are refused by name" {
    for value in "--top-p=0" "--top-p=nan" "--seed=	1" "--seed=-1" "--id-key=" "--max-tokens=0" "--stop=" \
        "--logprobs=x" "--shard=1" "--max-errors=5%%" "--samples=99999999" "--temperature=nan"; do
        run --separate-stderr -2 caption -m pocket "$value" pictures
        [[ "$stderr" == *"${value%%=*}"* ]]
    done
}

#!/bin/bash
# The tests on a GPU: each operation against the CPU's, reference numbers in fp32 and in
# bf16, equal bits, and compute-sanitizer over small runs.
# Usage: tests/gpu.sh BUILD [NAME...]: from BUILD/gpu-kit.tar.gz (make gpu-kit), which may have
# been made on another machine. NAME: only the parts so named. CAPMILL_TEST_DEVICE: cuda, cuda:N.
# Each part has TEST_GPU_LIMIT seconds (600), the whole of it TEST_GPU_TIME (no end): what
# hangs is ended and told, parts that have no time left are told, too, and what was found
# by then is printed as it is found.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
packed=$1/gpu-kit.tar.gz
shift
only=("$@")
[ -e "$packed" ] || {
    echo "test-gpu: no $packed: make gpu-kit first" >&2
    exit 2
}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
kit=$work/kit
mkdir "$kit" && tar -C "$kit" -xzf "$packed" || exit 2
export CAPMILL_TEST_DEVICE=${CAPMILL_TEST_DEVICE:-cuda}
export CAPMILL_CUDA=${CAPMILL_CUDA:-$kit/lib/capmill-cuda.so}
export CAPMILL_SHARE=$PWD/share LC_ALL=C.UTF-8
limit=${TEST_GPU_LIMIT:-600} all=${TEST_GPU_TIME:-0} passed=0 failed=0 left_out=0

wanted() { [ ${#only[@]} -eq 0 ] || [[ " ${only[*]} " == *" $1 "* ]]; }

# Seconds that the next part has; none: the part is left out.
seconds() {
    local left=$limit
    [ "$all" = 0 ] || [ $((all - SECONDS)) -ge "$limit" ] || left=$((all - SECONDS))
    [ "$left" -gt 0 ] && echo "$left"
}

# The kit's libraries are for its own programs alone, not for this machine's.
in_kit() { LD_LIBRARY_PATH=$kit/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} timeout -k 10 "$@"; }

leave_out() { # NAME
    echo "# $1: no time left"
    left_out=$((left_out + 1))
}

result() { # STATUS NAME
    if [ "$1" = 0 ]; then
        echo "ok $2"
        passed=$((passed + 1))
    else
        echo "not ok $2"
        failed=$((failed + 1))
    fi
}

# A C test, all of whose cases count.
cases() { # NAME PROGRAM
    [ -e "$kit/tests/$2" ] || return 0
    wanted "$1" || return 0
    local from=$SECONDS time status
    time=$(seconds) || { leave_out "$1"; return 0; }
    in_kit "$time" "$kit/tests/$2" 2>"$work/said" | tee "$work/cases" | sed -unE "s/^(not ok|ok) /\1 $1: /p"
    status=${PIPESTATUS[0]}
    if [ "$status" -gt 1 ] || { [ "$status" != 0 ] && ! grep -q '^not ok' "$work/cases"; }; then
        echo "not ok $2 ends with status $status" | tee -a "$work/cases" # 124: it took too long
    fi
    grep -q '^not ok' "$work/cases" && head -40 "$work/said"
    passed=$((passed + $(grep -c '^ok' "$work/cases")))
    failed=$((failed + $(grep -c '^not ok' "$work/cases")))
    echo "# $1: $((SECONDS - from)) s"
}

check() { # NAME COMMAND...
    local name=$1 from=$SECONDS time status
    wanted "${name%%[ :]*}" || return 0
    time=$(seconds) || { leave_out "$name"; return 0; }
    shift
    "$@" >"$work/out" 2>&1
    status=$?
    result $status "$name"
    [ $status = 0 ] || head -40 "$work/out"
    echo "# $name: $((SECONDS - from)) s"
}

# -- Each operation ------------------------------------------------------------------------
for t in kernels quant cuda cuda-activation cuda-matmul cuda-attention cuda-draw; do
    cases "$t" "$t-test"
done

# -- Whole models: reference numbers, equal bits -------------------------------------------
for compute in fp32 bf16; do
    export CAPMILL_TEST_COMPUTE=$compute
    for t in engine branches prefix vlm gguf-model llama trainer; do
        cases "$t-$compute" "$t-test"
    done
done

unset CAPMILL_TEST_COMPUTE
cases replay replay-test

# -- Programs ------------------------------------------------------------------------------
pictures=(share/pocket/samples/images/000[0-7].png)
caption() { in_kit "$time" "$kit/bin/caption" "$@"; }
greedy() { # COMPUTE BATCH [OPTION...]: captions, without what tells of the run
    local compute=$1 batch=$2
    shift 2
    caption -m pocket --temperature 0 --logprobs --device "$CAPMILL_TEST_DEVICE" --compute "$compute" \
        --max-batch "$batch" "$@" "${pictures[@]}" | sed -E 's/,"(run|gen)":\{[^}]*\}//'
}
same_text() {
    caption -m pocket --temperature 0 --text --device cpu "${pictures[@]}" >"$work/cpu" &&
        caption -m pocket --temperature 0 --text --device "$CAPMILL_TEST_DEVICE" --compute fp32 \
            "${pictures[@]}" >"$work/cuda" && cmp "$work/cpu" "$work/cuda"
}
repeats() {
    greedy "$1" 8 >"$work/a" && greedy "$1" 8 >"$work/b" && cmp "$work/a" "$work/b"
}
alone() {
    greedy "$1" 8 >"$work/a" && greedy "$1" 1 >"$work/b" && cmp "$work/a" "$work/b"
}
check "programs: captions in fp32 are the CPU's" same_text
for compute in fp32 bf16; do
    check "programs: a run in $compute repeats to the bit" repeats $compute
    check "programs: a batch of 8 in $compute has the bits of 8 runs alone" alone $compute
done

# Three strictly on-policy steps in bf16, versions going over as rl-step's options say:
# what was drawn, what rl-step made of it, what caption said.
ring() { # DRAWN METRICS LOG [OPTION...]
    local drawn=$1 metrics=$2 log=$3 on=(--device "$CAPMILL_TEST_DEVICE" --compute bf16 --gpu-mem 8) line step status
    shift 3
    rm -rf "$work/ring" && mkdir "$work/ring" && mkfifo "$work/tick.$$" || return 1
    # shellcheck disable=SC2094  # a fifo
    {
        exec 9<>"$work/tick.$$"
        while read -t "$time" -r line <&9; do
            step=$(sed -E 's/.*"step":([0-9]+).*/\1/' <<<"$line")
            [ "$step" -lt 3 ] || break
            printf '{"id":"a","messages":[{"role":"user","content":"Hello there"}],"_rl":{"step":%d,"i":0,"of":1,"version":%d}}\n' \
                $((step + 1)) "$step"
        done
    } | caption -v -m "$work/ring/policy" --follow -n 2 --logprobs --max-tokens 4 "${on[@]}" 2>"$log" | tee "$drawn" |
        sed -uE 's/\{"text":/{"reward":{"total":1},"text":/; s/,\{"text":/,{"reward":{"total":2},"text":/' |
        {
            in_kit "$time" "$kit/bin/rl-step" -m pocket "${on[@]}" --out "$work/ring/policy" --lr 1e-3 "$@" |
                tee "$metrics"
            status=$?
            trap '' PIPE
            echo '{"step":3}' 2>/dev/null # whatever it came to: nobody waits for more
            (exit $status)
        } >"$work/tick.$$"
    status=$?
    rm -f "$work/tick.$$"
    cat "$log"
    return $status
}
on_policy() { # of three steps each log-probability is caption's own
    [ "$(grep -cE '"logprob_gap_max":0[,}]' "$1")" = 3 ] || { cat "$1"; false; }
}
hand_over() {
    ring "$work/a" "$work/m" "$work/log" --hand-over gpu && on_policy "$work/m" &&
        [ "$(grep -c "from the trainer's memory" "$work/log")" = 2 ] &&
        ring "$work/b" "$work/m" "$work/log" && on_policy "$work/m" && cmp "$work/a" "$work/b"
}
check "programs: a policy goes over in the GPU's memory as in files, to the bit" hand_over

# -- compute-sanitizer ---------------------------------------------------------------------
sanitized() { # TOOL COMMAND...
    local tool=$1
    shift
    in_kit "$time" compute-sanitizer --tool "$tool" --error-exitcode 9 "$@" >"$work/said" 2>&1 ||
        { tail -30 "$work/said"; false; }
}
if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck synccheck initcheck; do
        for compute in fp32 bf16; do
            # in bf16 places of a page are read that nobody has written yet, and put aside
            [ "$tool $compute" != "initcheck bf16" ] || continue
            check "sanitizer: $tool, a caption in $compute" sanitized $tool "$kit/bin/caption" -m pocket \
                --temperature 0 --max-tokens 3 --device "$CAPMILL_TEST_DEVICE" --compute $compute "${pictures[0]}"
        done
    done
    check "sanitizer: memcheck, gradients" sanitized memcheck "$kit/tests/cuda-test"
    for t in matmul attention; do # all kernels that share memory by asynchronous copies
        check "sanitizer: racecheck, cuda-$t-test" sanitized racecheck "$kit/tests/cuda-$t-test"
    done
else
    echo "# compute-sanitizer is not here"
fi
rest=
[ "$left_out" = 0 ] || rest=", $left_out parts left out"
echo "$passed passed, $failed failed$rest"
[ "$failed" = 0 ] && [ "$left_out" = 0 ]

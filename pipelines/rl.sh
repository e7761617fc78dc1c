#!/bin/sh
# The ring: rl-feed | caption | reward | rl-step, whose steps let in the next batch. A line for
# each step on standard error; the same command goes on with a run that was stopped.
set -u

usage() {
    cat <<'END'
usage: rl.sh -m MODEL -j JUDGE -d ROWS [-d ROWS ...] -o FOLDER [option ...]

Trains MODEL to write captions from which JUDGE, which does not see the picture, answers the
picture's questions. The policy is FOLDER/policy, a link to its newest version; a row for each
step, behind a hello for each start, is added to FOLDER/metrics.jsonl. The same line again goes
on from the last checkpoint, to the bit; the policy of a run that has ended it does not change.

  -m MODEL   the captioner to begin with: a model folder, or a name (pocket)
  -j JUDGE   a model folder, a name, or http://host:port/v1#name[,http://...]
  -d ROWS    rows of pictures and questions, JSON lines; may be given again
  -o FOLDER  for what is made
  -R DIR     folder of the rows' relative picture paths (the current one)
  -b N       pictures a step (128)
  -n N       captions a picture (8)
  -s N       steps (as the epochs give)
  -e N       epochs, in place of steps (1)
  -l X       learning rate (1e-6)
  -w N       steps in which it rises (0)
  -c N       a checkpoint every N steps (10)
  -k K       sample K batches ahead of the trainer (0: strictly on policy)
  -r N       seed (0)
  -q         no line a step

More options of a program stand in the environment: FEED, CAPTION="--max-tokens 512",
REWARD="--answer text --token-cost 0.0005", STEP="--preset caprl --save 50". An interrupt or
SIGTERM stops the ring.

Exit status: 0; 1 if some rows failed; 2 usage or set-up; 75 stopped, the same line goes on.
END
}

# A signal stops those programs that are there; once all are, the others too.
stopped='' feed='' caption='' reward='' step=''
# shellcheck disable=SC2317  # called by the trap
stop() {
    stopped=75
    # shellcheck disable=SC2086  # there may be none
    kill -s TERM $feed $caption $reward $step 2> /dev/null
}
trap stop INT TERM HUP

model='' judge='' out='' root=. batch=128 samples=8 steps='' epochs='' rate='' warmup=''
save=10 ahead=0 seed=0 quiet=''
data=$(mktemp) || exit 2 # the names of ROWS, one a line
trap 'rm -f "$data"' EXIT
while getopts m:j:d:o:R:b:n:s:e:l:w:c:k:r:qh option; do
    case $option in
    m) model=$OPTARG ;;
    j) judge=$OPTARG ;;
    d) printf '%s\n' "$OPTARG" >> "$data" ;;
    o) out=$OPTARG ;;
    R) root=$OPTARG ;;
    b) batch=$OPTARG ;;
    n) samples=$OPTARG ;;
    s) steps=$OPTARG ;;
    e) epochs=$OPTARG ;;
    l) rate=$OPTARG ;;
    w) warmup=$OPTARG ;;
    c) save=$OPTARG ;;
    k) ahead=$OPTARG ;;
    r) seed=$OPTARG ;;
    q) quiet=yes ;;
    h) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
    esac
done
shift $((OPTIND - 1))
if [ $# -gt 0 ] || { [ -n "$steps" ] && [ -n "$epochs" ]; } || [ -z "$model" ] || [ -z "$judge" ] || [ -z "$out" ] || [ ! -s "$data" ]; then
    usage >&2
    exit 2
fi
while IFS= read -r file; do
    set -- "$@" --data "$file"
done < "$data"

here=$(dirname "$0")
[ ! -x "$here/../bin/rl-feed" ] || PATH=$here/../bin:$PATH
mkdir -p "$out" || exit 2
metrics=$out/metrics.jsonl policy=$out/policy

# Four programs share the processors: threads that have nothing to do do not spin for long.
export GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-1000}"

pipes=$(mktemp -d) || exit 75
trap 'rm -rf "$data" "$pipes"' EXIT

# connect: a pipe, as pipe(2) makes it: 6 to write to, 7 to read from. To open a named one waits for
# somebody at its other end, who may have been stopped before; but not while it is open both ways.
# shellcheck disable=SC2094  # it is meant
connect() {
    mkfifo "$pipes/pipe" && exec 8<> "$pipes/pipe" 6> "$pipes/pipe" 7< "$pipes/pipe" 8>&- &&
        rm "$pipes/pipe" || exit 75
}
# start PROGRAM [option ...]: it reads from the pipe before, and the next one reads what it writes.
start() {
    exec 3<&7
    connect
    "$@" <&3 >&6 3<&- 4>&- 6>&- 7<&- &
}

# rl-feed reads what the last one writes to 4: a metrics row lets in a batch.
connect
exec 4>&6
# shellcheck disable=SC2086  # a program's options are meant to be split
{
    start rl-feed "$@" --batch "$batch" --ahead "$ahead" --seed "$seed" \
        ${steps:+--steps "$steps"} ${epochs:+--epochs "$epochs"} ${FEED:-}
    feed=$!
    start caption -m "$policy" --follow -n "$samples" --logprobs --root "$root" --seed "$seed" \
        ${CAPTION:-}
    caption=$!
    start reward -m "$judge" --seed "$seed" ${REWARD:-}
    reward=$!
    start rl-step -m "$model" --out "$policy" --root "$root" --save "$save" --ahead "$ahead" \
        ${steps:+--steps "$steps"} ${rate:+--lr "$rate"} ${warmup:+--warmup "$warmup"} \
        ${STEP:-}
    step=$!
}
[ -z "$stopped" ] || stop

# Make good what a kill did to the metrics rows of the run before.
mend() {
    # a line that was torn
    if [ -s "$metrics" ] && [ "$(tail -c 1 "$metrics")" != "" ]; then
        sed -i '$d' "$metrics" || return 75
    fi
    # rows of the newest checkpoint that were lost on their way: their steps are not made again
    for state in "$policy.d/checkpoints"/v*/state/state.json; do
        newest=$state # they are sorted
    done
    [ -e "$newest" ] || return 0
    jq -r '.state.metrics // empty' "$newest" 2> /dev/null | while IFS= read -r row; do
        [ -n "$row" ] || continue
        jq -e -n --argjson row "$row" 'any(inputs; .version == $row.version and (.hello | not))' \
            "$metrics" > /dev/null 2>&1 || printf '%s\n' "$row" >> "$metrics" || return 75
    done
}

# Metrics rows are kept before they let in a batch. With the first, a hello, rl-step says that no
# other ring is at work in the folder: until then nothing in it is touched.
keep() {
    IFS= read -r hello || return 0
    mend && { printf '%s\n' "$hello" && exec cat; } | tee -a --output-error=exit "$metrics"
}

# seconds PID LAST: the processor time that a program has used, in ticks; LAST if it has ended.
seconds() {
    if read -r line < "/proc/$1/stat"; then
        # shellcheck disable=SC2086  # fields of it, behind the name in parentheses
        set -- ${line##*) }
        echo $((${12} + ${13}))
    else
        echo "$2"
    fi 2> /dev/null
}

# Rows on their way to rl-feed; and of each a line. Times are what the programs used of the processors
# since the line before.
ticks_a_second=$(getconf CLK_TCK)
progress() {
    c0=0 r0=0 s0=0
    while IFS= read -r row; do
        printf '%s\n' "$row"
        [ -z "$quiet" ] || continue
        c=$(seconds "$caption" "$c0") r=$(seconds "$reward" "$r0") s=$(seconds "$step" "$s0")
        printf '%s\n' "$row" | jq -r --argjson hz "$ticks_a_second" \
            --argjson c $((c - c0)) --argjson r $((r - r0)) --argjson s $((s - s0)) '
            def fixed($n): . * pow(10; $n) | round / pow(10; $n);
            if .hello then "from version \(.version)"
            elif .step and .reward then
                "step \(.step): reward \(.reward | fixed(3))"
                + ", length \(."completions/mean_length" // 0 | fixed(1))"
                + ", entropy \(.entropy // 0 | fixed(2))"
                + ", \(.num_tokens / ([(.wait_time // 0) + .step_time, 0.001] | max) | round) tokens/s"
                + ", \((.wait_time // 0) + .step_time | fixed(1)) s (processors: caption \($c / $hz | fixed(1))"
                + ", reward \($r / $hz | fixed(1)), rl-step \($s / $hz | fixed(1)))"
            else empty end' >&2
        c0=$c r0=$r s0=$s
    done
}
{ keep | progress; } <&7 >&4 3<&- 4>&- 6>&- 7<&- &
progress=$!

# If this script is killed, its end of a pipe closes, and the programs end as by SIGTERM. The pipe is
# made last, so that nobody else has that end.
connect
(
    read -r _ || {
        kill -s TERM "$feed" "$caption" "$reward" "$step"
        rm -rf "$data" "$pipes"
    }
) <&7 3<&- 4>&- 6>&- 7<&- > /dev/null 2>&1 &
exec 9>&6 3<&- 4>&- 6>&- 7<&-

# finish PID: its status, however often a signal wakes us.
finish() {
    while :; do
        status=0
        wait "$1" || status=$?
        kill -0 "$1" 2> /dev/null || return "$status"
    done
}

# The worst of all: 2, 3, then 75 (a program that was killed too), then 1.
worst=0
for program in "rl-feed $feed" "caption $caption" "reward $reward" "rl-step $step" "progress $progress"; do
    name=${program% *}
    finish "${program#* }"
    status=$?
    case $status in
    0) rank=0 ;;
    1) rank=1 ;;
    2) rank=4 ;;
    3) rank=3 ;;
    75 | 141) rank=2 status=75 ;;
    *)
        rank=2
        [ -n "$stopped" ] || printf 'rl.sh: %s ended with status %s\n' "$name" "$status" >&2
        status=75
        ;;
    esac
    if [ $rank -gt "${worst_rank:-0}" ]; then
        worst=$status worst_rank=$rank
    fi
done
(echo >&9) 2> /dev/null # the end that it should have
exit "$worst"

# Several processes share a run: the weights are those of one process, whoever is lost ends
# the others, and a run goes on with as many as there are.
setup_file() {
    load common
    head -n 9 "$WORLD/train.jsonl" | caption -m pocket -n 4 --logprobs --root "$WORLD" |
        jq -c '.captions |= (to_entries | map(.value + {reward: {total: (.key * .key / 10), acc: (.key / 4), format: 0, len: 1}}))' |
        jq -c -n '[inputs] | to_entries[] | .value + {_rl: {step: ((.key / 3 | floor) + 1), i: (.key % 3), of: 3, version: 0}}' > "$BATS_FILE_TMPDIR/ring.jsonl"
}
setup() {
    load common
    DISTANCE=${CAPMILL_BUILD:-$ROOT/build}/tests/weights-driver
    jq -c '{id,image,caption:(.facts|join(" "))}' "$WORLD/train.jsonl" | head -n 48 > rows.jsonl
    head -n 12 "$WORLD/train.jsonl" |
        jq -c '{id,image,chosen:(.facts|join(" ")),rejected:(.facts|reverse|join(" ")|ascii_upcase|.[:40])}' > pairs.jsonl
    unset RANK WORLD_SIZE SLURM_PROCID SLURM_NTASKS OMPI_COMM_WORLD_RANK PMI_RANK
}

sft() { sft-step -m pocket --root "$WORLD" --lr 1e-3 --batch-tokens 1024 --steps 3 --dtype fp32 --threads 1 "$@"; }
sft_exec() { exec sft-step -m pocket --root "$WORLD" --lr 1e-3 --batch-tokens 1024 --dtype fp32 --threads 1 "$@"; }
dpo() { dpo-step -m pocket --root "$WORLD" --lr 3e-4 --batch-tokens 512 --steps 3 --dtype fp32 --threads 1 "$@"; }

rl() { rl-step -m pocket --root "${PICTURES:-$WORLD}" --work . --lr 1e-4 --ahead 9 --threads 1 "$@"; }
# rank 0 reads the ring's rows from its standard input; the others have none
rl_ring() { if [[ " $* " == *" --rank 0 "* ]]; then rl "$@" < ring.jsonl; else rl "$@" < /dev/null; fi; }

# N COMMAND...: as ranks 0 to N - 1 that meet at a socket. Rank 0's output is the output;
# rank I's, status and messages are in rankI.out, .status, .err. Fails unless all end 0.
ranks() {
    local n=$1 i bad=0
    shift
    rm -f rank?.*
    for ((i = 0; i < n; i++)); do
        ( status=0
          "$@" --ranks "$n" --rank "$i" --rendezvous ./meet > "rank$i.out" 2> "rank$i.err" || status=$?
          echo "$status" > "rank$i.status" ) 3>&- &
    done
    wait
    cat rank0.out
    for ((i = 0; i < n; i++)); do
        [ "$(cat "rank$i.status")" = 0 ] || { bad=1; echo "# rank $i: $(cat "rank$i.status") $(cat "rank$i.err")" >&2; }
    done
    return $bad
}
statuses() { cat rank?.status | tr '\n' ' '; }

# Two runs' weights: every tensor within 1e-5 of its length.
near() {
    "$DISTANCE" "$1/latest/model.safetensors" "$2/latest/model.safetensors" | tee distance
    awk '{exit !($1 <= 1e-5 && $3 > 100)}' distance
}
same() { cmp "$1/latest/model.safetensors" "$2/latest/model.safetensors" && cmp "$1/latest/state/optimizer.safetensors" "$2/latest/state/optimizer.safetensors"; }

@test "sft-step: 2 and 4 processes end in the weights of one, and twice in the same bits" {
    sft --out one rows.jsonl > one.jsonl
    for n in 2 4; do
        ranks "$n" sft --out "of$n" rows.jsonl > "of$n.jsonl"
        near one "of$n"
        "$DISTANCE" {one,"of$n"}/latest/state/optimizer.safetensors
        [ "$(jq -c '[.step,.rows,.num_tokens,.failed]' one.jsonl)" = "$(jq -c '[.step,.rows,.num_tokens,.failed]' "of$n.jsonl")" ]
        jq -s -e --slurpfile one one.jsonl '[., $one] | transpose | all((.[0].loss / .[1].loss - 1 | fabs) < 1e-5 and (.[0].grad_norm / .[1].grad_norm - 1 | fabs) < 1e-5)' "of$n.jsonl"
        for ((i = 1; i < n; i++)); do [ ! -s "rank$i.out" ]; done
        [ ! -s rank0.err ]
    done
    ranks 2 sft --out again rows.jsonl > /dev/null
    same of2 again
}

@test "dpo-step: 2 and 4 processes end in the weights of one" {
    dpo --out one --eval pairs.jsonl pairs.jsonl > one.jsonl
    for n in 2 4; do
        ranks "$n" dpo --out "of$n" --eval pairs.jsonl pairs.jsonl > "of$n.jsonl"
        near one "of$n"
        jq -s -e --slurpfile one one.jsonl '[., $one] | transpose | length >= 3 and all((.[0].loss / .[1].loss - 1 | fabs) < 1e-5 and (.[0]."rewards/margins" - .[1]."rewards/margins" | fabs) < 1e-5)' "of$n.jsonl"
        jq -s -e --slurpfile one one.jsonl '(.[-1].eval_loss / $one[-1].eval_loss - 1 | fabs) < 1e-5' "of$n.jsonl"
        # log-probabilities of the reference, whoever computed them
        jq -n -e --slurpfile a one/reference.json --slurpfile b "of$n/reference.json" '$a[0].weights == $b[0].weights and $a[0].examples == $b[0].examples
            and ([$a[0].pairs, $b[0].pairs] | transpose | length == 12 and all((.[0][0] - .[1][0] | fabs) < 1e-4 and (.[0][1] - .[1][1] | fabs) < 1e-4))'
    done
}

@test "pairs of low rank and 8-bit moments are shared too" {
    sft --lora 4,8,all --out one rows.jsonl > /dev/null
    ranks 3 sft --lora 4,8,all --out of3 rows.jsonl > /dev/null
    "$DISTANCE" {one,of3}/latest/adapter_model.safetensors | tee distance
    awk '{exit !($1 <= 1e-4)}' distance # half of them began as zeros: they are all update
    # 8 bits: a number at the edge of two codes may fall on either side
    sft --optimizer adamw8bit --out one8 rows.jsonl > one8.jsonl
    ranks 3 sft --optimizer adamw8bit --out of8 rows.jsonl > of8.jsonl
    "$DISTANCE" {one8,of8}/latest/model.safetensors | tee distance
    awk '{exit !($1 <= 1e-4)}' distance
    jq -s -e --slurpfile one one8.jsonl '[., $one] | transpose | all((.[0].loss / .[1].loss - 1 | fabs) < 1e-4)' of8.jsonl
    ranks 3 sft --optimizer adamw8bit --out again rows.jsonl > /dev/null
    same of8 again
    # the state's file is that of one process, and one process goes on from it
    [ "$(stat -c %s one8/latest/state/optimizer.safetensors)" = "$(stat -c %s of8/latest/state/optimizer.safetensors)" ]
    sft --optimizer adamw8bit --epochs 2 --steps 4 --resume --out of8 rows.jsonl | jq -s -e 'length == 1 and .[0].step == 4'
}

@test "a run goes on with another number of processes" {
    ranks 3 sft --steps 1 --schedule constant --out part rows.jsonl > /dev/null
    ranks 2 sft --steps 2 --schedule constant --resume --out part rows.jsonl | jq -e '.step == 2'
    sft --steps 3 --schedule constant --resume --out part rows.jsonl | jq -e '.step == 3'
    sft --schedule constant --out constant rows.jsonl > /dev/null
    near constant part
    # 2 processes on from a checkpoint end in the bits of 2 that never stopped
    ranks 2 sft --schedule constant --out whole rows.jsonl > /dev/null
    ranks 2 sft --schedule constant --steps 2 --out half rows.jsonl > /dev/null
    ranks 2 sft --schedule constant --resume --out half rows.jsonl > /dev/null
    same whole half
}

# start N OUT ...: ranks in the background; their ids in pids[].
start() {
    local n=$1 out=$2 i
    shift 2
    pids=()
    rm -f rank?.*
    for ((i = 0; i < n; i++)); do
        sft_exec --ranks "$n" --rank "$i" --rendezvous ./meet --epochs 4 --schedule constant --save 1 --out "$out" "$@" rows.jsonl > "rank$i.out" 2> "rank$i.err" 3>&- &
        pids+=($!)
    done
}
steps_done() { [ "$(wc -l < rank0.out)" -ge "$1" ]; }
end_of() { status=0; wait "$1" || status=$?; } # in the shell that started it

@test "a rank that is killed is named, the others end with 75, and the run goes on to the same bits" {
    ranks 3 sft --steps 6 --epochs 4 --schedule constant --out whole rows.jsonl > /dev/null
    for victim in 1 0; do
        rm -rf part
        start 3 part
        eventually steps_done 2
        kill -9 "${pids[victim]}"
        for i in 0 1 2; do
            end_of "${pids[i]}"
            echo "rank $i: $status $(cat "rank$i.err")"
            [ "$i" = "$victim" ] && continue
            [ "$status" = 75 ]
            [[ "$(cat "rank$i.err")" == "sft-step: "*"rank "[0-9]" of 3 is gone"*"--resume goes on"* ]]
        done
        grep -q "rank $victim of 3 is gone" rank?.err
        ranks 3 sft --steps 6 --epochs 4 --schedule constant --resume --out part rows.jsonl > rest.jsonl
        same whole part
    done
}

@test "SIGTERM to one rank ends all with a checkpoint of the last whole step" {
    ranks 2 sft --steps 6 --epochs 4 --schedule constant --out whole rows.jsonl > /dev/null
    start 2 part --save 100
    eventually steps_done 2
    kill -TERM "${pids[1]}"
    for i in 0 1; do
        end_of "${pids[i]}"
        echo "rank $i: $status $(cat "rank$i.err")"
        [ "$status" = 75 ]
    done
    [ "$(readlink part/latest)" = "v$(printf %06d "$(wc -l < rank0.out)")" ]
    ranks 2 sft --steps 6 --epochs 4 --schedule constant --resume --out part rows.jsonl > /dev/null
    same whole part
}

@test "rl-step: rank 0 is in the ring, 2 and 4 processes end in the weights of one" {
    cp "$BATS_FILE_TMPDIR/ring.jsonl" .
    for with in "" "--kl k3 --minibatches 2 --ppo-epochs 2 --entropy-coef 0.01" "--loss dapo --kl k1 --kl-in reward"; do
        rm -rf one one.d of?  of?.d
        # shellcheck disable=SC2086 # words
        rl $with --out one < ring.jsonl > one.jsonl
        [ "$(wc -l < one.jsonl)" = 4 ]
        for n in 2 4; do
            # shellcheck disable=SC2086
            ranks "$n" rl_ring $with --out "of$n" > "of$n.jsonl"
            "$DISTANCE" "$(readlink -f one)/model.safetensors" "$(readlink -f "of$n")/model.safetensors" | tee distance
            awk '{exit !($1 <= 1e-5 && $3 > 100)}' distance
            cmp <(jq -c '[.hello,.step,.version,.reward,.reward_std,."completions/mean_length",.groups,.groups_skipped,.updates,.num_tokens]' one.jsonl) <(jq -c '[.hello,.step,.version,.reward,.reward_std,."completions/mean_length",.groups,.groups_skipped,.updates,.num_tokens]' "of$n.jsonl")
            jq -s -e --slurpfile one one.jsonl '.[1].logprob_gap_max == 0 and ([.[1:], $one[1:]] | transpose | all((.[0].grad_norm / .[1].grad_norm - 1 | fabs) < 1e-4
                and (.[0].loss - .[1].loss | fabs) < 1e-5 and (.[0].entropy / .[1].entropy - 1 | fabs) < 1e-4 and ((.[0].kl // 0) - (.[1].kl // 0) | fabs) < 1e-6))' "of$n.jsonl"
            for ((i = 1; i < n; i++)); do [ ! -s "rank$i.out" ]; done
        done
    done
}

@test "rl-step: a picture that is gone, an input that ends inside a batch, a run that goes on" {
    cp -r "$WORLD" world
    head -n 5 "$BATS_FILE_TMPDIR/ring.jsonl" > ring.jsonl # a step and two thirds
    rm "world/$(sed -n 2p ring.jsonl | jq -r .image)"
    PICTURES=$PWD/world
    run -75 rl --out one < ring.jsonl
    run -1 ranks 3 rl_ring --out of3
    [ "$(statuses)" = "75 75 75 " ]
    grep -q "rl-step: the input ends inside the batch of step 2, with 2 of 3 rows" rank0.err
    grep -q "rank 0: the input ends inside the batch of step 2" rank2.err
    [ "$(cat rank?.err | grep -c 'the group is left out')" = 1 ]
    jq -s -e '.[1] | .groups == 2 and .groups_skipped == 1' rank0.out
    cp "$BATS_FILE_TMPDIR/ring.jsonl" all.jsonl
    tail -n +4 all.jsonl > ring.jsonl
    rl --out one < ring.jsonl > one.jsonl
    ranks 2 rl_ring --out of3 > of3.jsonl # with another number of processes
    jq -s -e '.[0] == {hello: true, step: 1, version: 1} and length == 3' of3.jsonl
    "$DISTANCE" "$(readlink -f one)/model.safetensors" "$(readlink -f of3)/model.safetensors" | tee distance
    awk '{exit !($1 <= 1e-5 && $3 > 100)}' distance
}

@test "rl-step: a rank that is lost while rows are waited for ends the others with 75" {
    cp "$BATS_FILE_TMPDIR/ring.jsonl" .
    mkfifo rows
    for victim in 1 0; do
        rm -rf policy policy.d
        ( exec rl-step -m pocket --root "$WORLD" --work . --ahead 9 --threads 1 --ranks 2 --rank 0 --rendezvous ./meet --out policy < rows > rank0.out 2> rank0.err 3>&- ) &
        pids=($!)
        ( exec rl-step -m pocket --root "$WORLD" --work . --ahead 9 --threads 1 --ranks 2 --rank 1 --rendezvous ./meet --out policy < /dev/null > rank1.out 2> rank1.err 3>&- ) &
        pids+=($!)
        exec 4> rows
        eventually steps_done 1 # the hello
        sleep 0.2
        kill -9 "${pids[victim]}"
        end_of "${pids[victim]}"
        head -n 3 ring.jsonl >&4 2> /dev/null || true # rank 0 sees it when it has rows
        end_of "${pids[1 - victim]}"
        exec 4>&-
        cat "rank$((1 - victim)).err"
        [ "$status" = 75 ]
        grep -q "rank $victim of 2 is gone" "rank$((1 - victim)).err"
    done
}

@test "ranks of other options, rows, models or numbers are refused, with the reason" {
    sft --ranks 2 --rank 1 --rendezvous ./meet --lr 2e-3 --out out rows.jsonl 2> rank1.err & local pid=$!
    run --separate-stderr -2 sft --ranks 2 --rank 0 --rendezvous ./meet --out out rows.jsonl
    end_of "$pid"
    [ "$status" = 2 ]
    [ "$stderr" = "sft-step: rank 1 has another set of options than rank 0" ]
    [ ! -e out/latest ]
    head -n 40 rows.jsonl > fewer.jsonl
    sft --ranks 2 --rank 1 --rendezvous ./meet --out out fewer.jsonl 2> rank1.err & pid=$!
    run --separate-stderr -2 sft --ranks 2 --rank 0 --rendezvous ./meet --out out rows.jsonl
    end_of "$pid"
    [ "$status" = 2 ]
    [ "$stderr" = "sft-step: rank 1 has another set of rows than rank 0" ]
    [ "$(cat rank1.err)" = "$stderr" ]
    sft --ranks 3 --rank 1 --rendezvous ./meet --out out rows.jsonl 2> rank1.err & pid=$!
    run --separate-stderr -2 sft --ranks 2 --rank 0 --rendezvous ./meet --out out rows.jsonl
    end_of "$pid"
    [ "$status" = 2 ]
    [ "$stderr" = "sft-step: rank 1 was begun as one of 3 ranks, rank 0 as one of 2" ]
    run --separate-stderr -2 sft --ranks 2 --rank 0 --rendezvous ./meet --rank-timeout 1 --out out rows.jsonl
    [[ "$stderr" == "sft-step: ./meet: of 2 ranks there did not come 1 within 1 s" ]]
    run --separate-stderr -2 sft --ranks 2 --rank 2 --rendezvous ./meet --out out rows.jsonl
    [[ "$stderr" == *"--rank 2: there are ranks 0 to 1"* ]]
    sft --ranks 2 --rank 1 --rendezvous ./meet --out out 2> rank1.err < /dev/null & pid=$!
    run --separate-stderr -2 sft --ranks 2 --rank 0 --rendezvous ./meet --out out < rows.jsonl
    end_of "$pid"
    [ "$status" = 2 ]
    [[ "$stderr" == *"with --ranks they are in files, not in a pipe" ]]
}

@test "rows that fail are told once, and counted, whoever learns from them" {
    cp "$WORLD/$(head -n 1 rows.jsonl | jq -r .image)" gone.png
    { echo 'no json'; head -n 12 rows.jsonl; jq -n -c --arg i "$PWD/gone.png" '{id:"gone",image:$i,caption:"x"}'; } > mixed.jsonl
    cp mixed.jsonl rows.jsonl
    sft --out one rows.jsonl --errors bad.jsonl > one.jsonl 2> one.err || [ $? = 1 ]
    start 3 out --errors bad3.jsonl
    eventually steps_done 1
    rm gone.png # whoever has the row in the epochs to come says so
    for i in 0 1 2; do
        end_of "${pids[i]}"
        [ "$status" = 1 ]
    done
    cmp bad.jsonl bad3.jsonl
    head -n 1 rank0.err | cmp - one.err
    jq -s -e 'map(.failed) as $f | $f == ($f | sort) and $f[0] == 1 and $f[-1] >= 3' rank0.out
    # 13 rows an epoch, learnt from or told
    told=$(cat rank?.err | grep -c 'gone.png')
    jq -s -e --argjson told "$told" '(map(.rows) | add) + $told == 4 * 13 and .[-1].failed == 1 + $told' rank0.out
}

@test "a launcher's environment is heeded where --ranks env says so, over TCP too" {
    SLURM_PROCID=1 SLURM_NTASKS=2 sft --out alone rows.jsonl > alone.jsonl # not asked: one process
    port=$((20000 + RANDOM % 20000))
    export MASTER_ADDR=127.0.0.1 MASTER_PORT=$port
    SLURM_PROCID=1 SLURM_NTASKS=2 sft --ranks env --out two rows.jsonl > rank1.out & local pid=$!
    SLURM_PROCID=0 SLURM_NTASKS=2 sft --ranks env --out two rows.jsonl > two.jsonl
    wait "$pid"
    near alone two
    [ ! -s rank1.out ]
    run --separate-stderr -2 sft --ranks env --out three rows.jsonl
    [[ "$stderr" == *"--ranks env: neither torchrun nor mpirun nor srun"* ]]
}

@test "the man page's example of two processes runs as printed" {
    cp rows.jsonl captions.jsonl
    awk '/^\.Bd -literal/ {block++; next} /^\.Ed/ {inside = 0} block == 2 && !/^\.Ed/ {print} /^\.Ed/ && block == 2 {exit}' "$ROOT/man/sft-step.1" > example
    [ "$(wc -l < example)" = 4 ]
    bash -e example 3>&- > metrics.jsonl
    jq -s -e 'length > 0 and all(.failed == 0)' metrics.jsonl
    model-info full/latest
}

#!/usr/bin/env bats
# --device cuda: the plug-in, its kernels run by the host compiler's code where there is no
# GPU (kernels/cuda/host/blocks.h), and why CUDA cannot be had.

setup() {
    load common
    export CAPMILL_CUDA=$CAPMILL_BUILD/cuda-on-host.so
    tiny=$GOLDENS/models/qwen3_vl
}

@test "a picture's caption is the same on the CUDA kernels: tower, prompt and every token" {
    picture=$SAMPLES/images/0003.png
    run --separate-stderr -0 caption -m pocket --temperature 0 --logprobs --device cuda --compute fp32 "$picture"
    [ "$(jq -c .captions[0].ids <<< "$output")" = \
        "$(caption -m pocket --temperature 0 --logprobs --device cpu "$picture" | jq -c .captions[0].ids)" ]
    caption -m pocket --temperature 0 --logprobs --device cpu "$picture" > cpu
    # log-probabilities: fp32 on both, sums in another order
    jq -ne --argjson a "$(jq -c .captions[0].logprobs <<< "$output")" \
        --argjson b "$(jq -c .captions[0].logprobs cpu)" \
        '[range($a | length)] | map(($a[.] - $b[.]) | fabs) | max < 1e-4'
}

# Greedy captions in bf16 of four pictures, without what tells of the run.
greedy_bf16() {
    caption -m pocket --temperature 0 --logprobs --max-tokens 8 --device cuda --compute bf16 "$@" "$SAMPLES"/images/000[0-3].png |
        sed -E 's/,"(run|gen)":\{[^}]*\}//'
}

@test "in bf16 captions are fp32's up to what 8 bits cannot tell, and a batch has the bits of each alone" {
    greedy_bf16 --max-batch 4 > together
    greedy_bf16 --max-batch 1 > alone
    cmp together alone
    greedy_bf16 --max-batch 4 --batch-invariant off > library
    caption -m pocket --temperature 0 --logprobs=2 --max-tokens 8 --device cpu "$SAMPLES"/images/000[0-3].png > cpu
    for way in together library; do
        # 0.01 in a log-probability: each activation is off by 0.2 % at most. Where a token
        # is another one, the CPU's two likeliest are that near.
        jq -n -e --slurpfile a $way --slurpfile b cpu '[range(4) as $i |
            $a[$i].captions[0] as $x | $b[$i].captions[0] as $y |
            ([range(8) | select($x.ids[.] != $y.ids[.])][0] // 8) as $same |
            {$same, gap: ([range($same) | $x.logprobs[.] - $y.logprobs[.] | fabs] | max),
             tie: (if $same < 8 then $y.top[$same][0][1] - $y.top[$same][1][1] else 0 end)}] |
            debug | all(.gap > 0 and .gap < 0.01 and .tie < 0.01) and (map(select(.same == 8)) | length >= 3)'
    done
}

reward_by_number() { jq -c --unbuffered '.captions |= (to_entries | map(.value + {reward: {total: (.key / 10)}}))'; }
# Are the numbers of two runs' metrics one but for the order in which sums are made?
same_metrics() {
    jq -n -e --slurpfile a "$1" --slurpfile b "$2" '[$a, $b | map(del(.step_time,.tokens_per_second,.peak_share,.wait_time,.logprob_gap_max))] as [$x, $y]
        | ($x | length) == ($y | length) and ([$x | paths(numbers)] | length > 4) and
        all($x | paths(numbers); . as $p | ($x | getpath($p)) as $u | ($y | getpath($p)) as $v | ($u - $v | fabs) <= 2e-6 + 1e-5 * ($u | fabs))'
}

@test "sft-step and dpo-step on the CUDA kernels have the CPU's losses" {
    cp "$SAMPLES/images/0003.png" .
    printf '%s\n' '{"image":"0003.png","caption":"A red star."}' \
        '{"messages":[{"role":"user","content":"And this?"},{"role":"assistant","content":"Two boxes, one blue."}]}' \
        '{"messages":[{"role":"user","content":"Where?"},{"role":"assistant","content":"Left of it."}]}' > rows
    echo '{"messages":[{"role":"user","content":"What is it?"}],"chosen":"A star.","rejected":"A red box."}' > pairs
    for device in cpu cuda; do
        sft-step -m "$tiny" --device $device --compute fp32 --max-pixels 4096 --batch-tokens 40 --lr 1e-3 --out sft-$device rows > sft-$device.metrics
        dpo-step -m "$tiny" --device $device --compute fp32 --epochs 2 --lr 1e-3 --lora 2,4,q,down --out dpo-$device pairs > dpo-$device.metrics
    done
    [ "$(wc -l < sft-cuda.metrics)" = 3 ]
    same_metrics sft-cpu.metrics sft-cuda.metrics
    same_metrics dpo-cpu.metrics dpo-cuda.metrics
    # what a GPU has trained, a CPU goes on with
    sft-step -m "$tiny" --max-pixels 4096 --batch-tokens 40 --lr 1e-3 --out sft-cuda --resume --epochs 2 rows | jq -s -e 'map(.step) == [4, 5, 6]'
    run --separate-stderr -2 sft-step -m "$tiny" --device tpu --out x rows
    [[ "$stderr" == *'--device tpu'* ]]
}

@test "in bf16 sft-step and rl-step compute with rounded matrices: losses near fp32's, log-probabilities caption's own" {
    cp "$SAMPLES/images/0003.png" .
    printf '%s\n' '{"image":"0003.png","caption":"A red star."}' \
        '{"messages":[{"role":"user","content":"Where?"},{"role":"assistant","content":"Left of it."}]}' > rows
    for way in "cpu --compute fp32" "cuda --compute bf16"; do
        # shellcheck disable=SC2086
        sft-step -m "$tiny" --device $way --max-pixels 4096 --batch-tokens 40 --lr 1e-3 --out "sft-${way%% *}" rows > "${way%% *}.metrics"
    done
    # numbers of 8 bits: 0.4 % each; a loss is a mean of many
    jq -n -e --slurpfile a cpu.metrics --slurpfile b cuda.metrics '($a | length) == 2 and all(range(2); ($a[.].loss / $b[.].loss - 1 | fabs) < 0.01 and ($a[.].grad_norm / $b[.].grad_norm - 1 | fabs) < 0.05)
        and $a[0].loss != $b[0].loss'
    printf '%s\n' '{"id":"a","messages":[{"role":"user","content":"Hello there"}]}' '{"id":"b","image":"0003.png"}' |
        caption -m "$tiny" -n 3 --logprobs --max-tokens 4 --max-pixels 4096 --device cuda --compute bf16 | reward_by_number > rewarded
    rl-step -m "$tiny" --device cuda --compute bf16 --train all --recompute --out policy --work . --lr 1e-3 rewarded |
        jq -s -e '.[1].logprob_gap_max == 0 and .[1].groups == 2 and .[1].grad_norm > 1'
}

@test "rl-step on the CUDA kernels: log-probabilities of caption's own to the bit, the CPU's loss" {
    cp "$SAMPLES/images/0003.png" .
    printf '%s\n' '{"id":"a","messages":[{"role":"user","content":"Hello there"}]}' '{"id":"b","image":"0003.png"}' |
        caption -m "$tiny" -n 2 --logprobs --max-tokens 4 --max-pixels 4096 --device cuda --compute fp32 |
        jq -c '.captions |= (to_entries | map(.value + {reward: {total: (.key * .key / 10)}}))' > rewarded
    for device in cpu cuda; do
        rl-step -m "$tiny" --device $device --compute fp32 --out policy-$device --work . --lr 1e-3 --kl k3 rewarded | tail -n 1 > $device.metrics
    done
    jq -e '.logprob_gap_max == 0 and .grad_norm > 1' cuda.metrics
    same_metrics cpu.metrics cuda.metrics
}

# Three strictly on-policy steps of caption and rl-step, with rl-step's other options.
row_of_step() { printf '{"id":"a","messages":[{"role":"user","content":"Hello there"}],"_rl":{"step":%d,"i":0,"of":1,"version":%d}}\n' $(($1 + 1)) "$1"; }
compute=bf16
follow() { caption -v -m policy --follow -n 2 --logprobs --max-tokens 4 --device cuda --compute $compute; }
rl_exec() { exec rl-step -v -m "$tiny" --device cuda --compute $compute --out policy --work . --lr 1e-3 "$@"; } # in the background: the process itself
rl() { rl-step -v -m "$tiny" --device cuda --compute $compute --out policy --work . --lr 1e-3 "$@"; }
ring() {
    rm -rf policy policy.d tick
    mkfifo tick
    { exec 9<> tick
      while read -t 300 -r line <&9; do
          step=$(jq .step <<< "$line")
          [ "$step" -lt 3 ] || break
          row_of_step "$step"
      done; } | follow 2> caption.log | tee drawn | reward_by_number | rl "$@" 2> rl.log | tee metrics > tick
}

@test "on one GPU a policy goes over in its memory: no file, and captions, weights and bits are those of files" {
    ring --hand-over gpu
    grep -c "from the trainer's memory" caption.log | grep -qx 2
    grep -qx "rl-step: versions were taken from GPU memory 2 times" rl.log
    jq -s -e 'length == 4 and (.[1:] | all(.logprob_gap_max == 0 and .grad_norm > 1))' metrics
    cp drawn drawn-gpu; cp policy/model.safetensors gpu.safetensors
    ring
    [ "$(grep -c "from the trainer's memory" caption.log)" = 0 ]
    cmp drawn drawn-gpu
    cmp policy/model.safetensors gpu.safetensors
    [ ! -e hand-over ]
    run --separate-stderr -2 rl-step -m "$tiny" --out other --hand-over gpu < /dev/null
    [[ "$stderr" == *'--hand-over: device "cpu '*'shares no memory'* ]]
    run --separate-stderr -2 rl --out other --hand-over gpu --ahead 1 < /dev/null
    [[ "$stderr" == *'--hand-over gpu keeps the newest version alone'* ]]
}

@test "a sampler on another GPU reads files, and says so once" {
    follow() { CUDA_HOST_BUS=9 caption -m policy --follow -n 2 --logprobs --max-tokens 4 --device cuda --compute $compute; }
    ring --hand-over both
    [ "$(cat caption.log)" = "caption: policy: weights are read from files: it is on the GPU at 0000:01:00.0, and cuda:0 is at 0000:09:00.0" ]
    grep -qx "rl-step: versions were taken from GPU memory 0 times" rl.log
    jq -s -e 'length == 4 and (.[1:] | all(.logprob_gap_max == 0))' metrics
}

@test "the trainer dies with a version in GPU memory alone: samplers wait, and the run goes on from its checkpoint" {
    mkfifo rows
    rl_exec --hand-over gpu --save 1 < rows > metrics 2> rl.log & pid=$!
    exec 7> rows
    eventually grep -q hello metrics
    row_of_step 0 | follow | reward_by_number >&7
    eventually grep -q '"version":1,' metrics
    [ -e policy.d/v000001/config.json ]
    [ ! -e policy.d/v000001/model.safetensors ]
    # on another GPU there is no way to it
    CUDA_HOST_BUS=9 run --separate-stderr -75 follow < <(row_of_step 1)
    [[ "$stderr" == *"caption: policy: version 1 has no file: it is on the GPU at 0000:01:00.0, and cuda:0 is at 0000:09:00.0"* ]]
    kill -KILL $pid
    wait $pid || true
    run --separate-stderr -75 follow < <(row_of_step 1)
    [ "$output" = "" ]
    [[ "$stderr" == *"caption: policy: version 1 is in the memory of a trainer that has gone or cannot be reached, and no more input comes"* ]]
    mkfifo later
    row_of_step 1 > asked
    { cat asked; cat later; } 7>&- | follow > drawn 2> caption.log & follower=$!
    exec 8> later
    eventually grep -qs "waits for version 1" caption.log
    [ ! -s drawn ]
    rl --hand-over gpu --save 1 < rows > metrics2 2> rl.log 7>&- 8>&- & pid=$!
    eventually grep -q '{"hello":true,"step":1,"version":1}' metrics2
    eventually [ -s drawn ]
    exec 8>&-
    wait $follower
    reward_by_number < drawn >&7
    exec 7>&-
    wait $pid
    tail -n 1 metrics2 | jq -e '.step == 2 and .logprob_gap_max == 0'
    # at the end all is in files
    caption -m policy --max-tokens 2 --text <<< '{"messages":[{"role":"user","content":"Hi"}]}'
}

@test "why CUDA cannot be had is said, with what would help" {
    local picture=$SAMPLES/images/0003.png
    CAPMILL_CUDA=/nowhere/x.so run --separate-stderr -2 caption -m pocket --device cuda "$picture"
    [[ "$stderr" == *'device "cuda": /nowhere/x.so: cannot open'* ]]
    CUDA_HOST_DRIVER=0 run --separate-stderr -2 caption -m pocket --device cuda "$picture"
    [[ "$stderr" == *'device "cuda": no NVIDIA driver'* ]]
    CUDA_HOST_DRIVER=12040 run --separate-stderr -2 caption -m pocket --device cuda "$picture"
    [[ "$stderr" == *'the NVIDIA driver is for CUDA 12.4, and this plug-in needs 13.0'* ]]
    CUDA_HOST_DEVICES=0 run --separate-stderr -2 caption -m pocket --device cuda "$picture"
    [[ "$stderr" == *'no CUDA-capable device'* ]]
    CUDA_HOST_DEVICES=2 run --separate-stderr -2 caption -m pocket --device cuda:2 "$picture"
    [[ "$stderr" == *'device "cuda:2": there are 2 GPUs here'* ]]
    CUDA_HOST_CAPABILITY=75 run --separate-stderr -2 caption -m pocket --device cuda "$picture"
    [[ "$stderr" == *'compute capability 7.5, and 8.0'* ]]
    run --separate-stderr -2 caption -m pocket --device tpu "$picture"
    run --separate-stderr -2 caption -m pocket --device cuda:x "$picture"
}

@test "without the plug-in, where it was looked for" {
    mkdir -p elsewhere/bin
    cp "$CAPMILL_BIN/caption" elsewhere/bin
    CAPMILL_CUDA='' run --separate-stderr -2 elsewhere/bin/caption -m pocket --device cuda "$SAMPLES/images/0003.png"
    [[ "$stderr" == *'no plug-in capmill-cuda.so beside this program'* ]]
}

@test "a GPU with little memory captions all the same, with a shorter context" {
    ids() {
        caption -m pocket --temperature 0 --max-tokens 4 --ids --compute fp32 "$@" \
            "$SAMPLES/images/0003.png" | jq -c .captions[0].ids
    }
    [ "$(ids --device cuda --gpu-mem 0.007)" = "$(ids)" ]
}

@test "what a GPU has no room for is told with its size, the bound and what is free" {
    local picture=$SAMPLES/images/0003.png
    run --separate-stderr -2 caption -m pocket --device cuda --compute fp32 --gpu-mem 0.002 "$picture"
    [[ "$stderr" =~ 'out of memory on the GPU: '[0-9.]+' MB asked for with '[0-9.]+' MB in use of the 2.00 MB that this program may take (--gpu-mem); '[0-9.]+' GB are free there' ]]
    # weights fit, keys and values do not
    run --separate-stderr -2 caption -m pocket --device cuda --compute fp32 --gpu-mem 0.0045 "$picture"
    [[ "$stderr" =~ 'no room for 2 pages of keys and values: out of memory on the GPU: ' ]]
    # these do, the picture does not: that row fails
    run --separate-stderr -1 caption -m pocket --device cuda --compute fp32 --gpu-mem 0.005 "$picture"
    [[ "$stderr" =~ 'out of memory on the GPU: '.*' of the 5.00 MB' ]]
    [ "$(jq -r .error.class <<< "$output")" = internal ]
    # another program has taken all but little
    CUDA_HOST_MEMORY=3000000 run --separate-stderr -2 caption -m pocket --device cuda --compute fp32 --gpu-mem 1 "$picture"
    [[ "$stderr" =~ 'of the 1.00 GB that this program may take (--gpu-mem); '[0-9.]+' MB are free there' ]]
}

# CUDA_HOST_DEFER: the GPU works as late as it may, so that what is written over too early
# shows.
@test "samples that the device draws are those that the CPU draws" {
    export CUDA_HOST_DEFER=1
    ids() {
        caption -m pocket --compute fp32 --max-tokens 5 -n 3 --temperature 1.3 --top-p 0.9 \
            --top-k 30 --min-p 0.001 --repetition-penalty 1.2 --presence-penalty 0.3 \
            --logprobs=2 "$@" "$SAMPLES/images/0003.png" |
            jq -c '[.captions[] | [.ids, (.top | map(map(.[0])))]]'
    }
    [ "$(ids --device cuda)" = "$(ids)" ]
}

@test "heads that attention in bf16 does not have are refused by name, and computed in fp32" {
    cp -r "$GOLDENS/models/qwen3" like
    chmod -R u+w like
    jq '.head_dim = 160' "$GOLDENS/models/qwen3/config.json" > like/config.json
    rm -f like/model.safetensors
    model-init --random --like ./like --tokenizer ./like --layers 1 wide
    row='{"messages":[{"role":"user","content":"Hello"}]}'
    run --separate-stderr -2 caption -m ./wide --device cuda --text <<< "$row"
    [[ "$stderr" == *'wide: attention heads of 160 dimensions: in bf16 they have up to 128; --compute fp32 takes them'* ]]
    text() { caption -m ./wide --compute fp32 --temperature 0 --max-tokens 4 --ignore-eos --ids "$@" <<< "$row" | jq -c .captions[0].ids; }
    [ "$(text --device cuda)" = "$(text)" ]
}

# A kit of shell scripts: what test-gpu makes of what its programs do.
script() { printf '#!/bin/sh\n%s\n' "$2" > "kit/$1" && chmod +x "kit/$1"; }

@test "test-gpu keeps what a part said before it died, and tells what failed, hung or had no time" {
    mkdir -p kit/tests kit/bin kit/lib
    script tests/kernels-test 'echo "ok one"; echo reason >&2; kill -9 $$'
    script tests/cuda-test 'echo "ok two"; echo "not ok three"; exit 1'
    script tests/quant-test 'sleep 1000'
    script bin/caption 'echo "{}"; exit 1'
    tar -C kit -czf gpu-kit.tar.gz .
    run -1 "$ROOT/tests/gpu.sh" "$PWD" kernels cuda programs
    [[ "$output" == *'ok kernels: one'*'not ok kernels-test ends with status 137'*reason* ]]
    [[ "$output" == *'ok cuda: two'*'not ok cuda: three'* ]]
    [ "$(grep -c '^not ok programs:' <<< "$output")" = 6 ]
    [[ "$output" == *'2 passed, 8 failed' ]]
    TEST_GPU_LIMIT=1 run -1 "$ROOT/tests/gpu.sh" "$PWD" quant
    [[ "$output" == *'not ok quant-test ends with status 124'* ]]
    TEST_GPU_TIME=-1 run -1 "$ROOT/tests/gpu.sh" "$PWD" kernels
    [[ "$output" == *'# kernels: no time left'*'0 passed, 0 failed, 1 parts left out' ]]
}

@test "without cuBLASLt library products are own ones, which a note says under -v alone" {
    row='{"messages":[{"role":"user","content":"Hello"}]}' note='no libcublasLt.so.13 or .12: products are by own kernels'
    export CUDA_HOST_CUBLASLT=0
    hello() { caption -m "$tiny" --device cuda --compute bf16 --max-tokens 2 --text "$@" <<< "$row"; }
    run --separate-stderr -0 hello --batch-invariant off
    [ -z "$stderr" ]
    run --separate-stderr -0 hello --batch-invariant off -v
    [[ "$stderr" == *"; $note"* ]]
    run --separate-stderr -0 hello -v
    [[ "$stderr" != *"$note"* ]]
    echo '{"messages":[{"role":"user","content":"Hello"},{"role":"assistant","content":"Two boxes."}]}' > row
    run --separate-stderr -0 sft-step -m "$tiny" --device cuda --batch-invariant off --out out -v row
    [[ "$stderr" == *"sft-step: $note"* ]]
}

@test "what make gpu-kit gathers runs: the suite's parts and the bench, here on the host's kernels" {
    [ -n "${LONG:-}" ] || skip "the long form: a minute"
    "$ROOT/tools/gpu-kit" "$CAPMILL_BUILD" "$CAPMILL_BIN" "$PWD"
    unset CAPMILL_CUDA # the kit's own
    run -0 "$ROOT/tests/gpu.sh" "$PWD" cuda-draw vlm-fp32 vlm-bf16 gguf-model-bf16
    [ "$(grep -c '^ok' <<< "$output")" -ge 15 ]
    [[ "$output" == *' passed, 0 failed' ]]
    BENCH_GPU_SMALL=1 BENCH_GPU_SHAPES="$tiny $GOLDENS/models/qwen2" "$ROOT/tests/bench-gpu.sh" "$PWD" 2> table
    grep -q '^decode, 1 sample .*(asked: 85 %)' table
    jq -s -e 'length > 10' bench-gpu.json
    # the whole step: all stages, and memory as planned
    jq -s -e 'map({(.what): .value}) | add | ([.["step, " + ("rollout", "judging", "update, gradients", "update, optimizer", "publication")]] | all(. > 0)) and
        (.["step, trainer\u0027s memory"] / .["step, trainer\u0027s memory, planned"] | . > 0.9 and . < 1.1)' bench-gpu.json
}

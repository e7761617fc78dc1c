#!/usr/bin/env bats
# --device cuda: the plug-in, its kernels run by the host compiler's code where there is no
# GPU (kernels/cuda/host/blocks.h), and why CUDA cannot be had.

setup() {
    load common
    export CAPMILL_CUDA=$CAPMILL_BUILD/cuda-on-host.so
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

#!/usr/bin/env bats
# --device cuda: the plug-in, its kernels run by the host compiler's code where there is no
# GPU (kernels/cuda/host/blocks.h), and why CUDA cannot be had.

setup() {
    load common
    export CAPMILL_CUDA=$CAPMILL_BUILD/cuda-on-host.so
}

@test "a picture's caption is the same on the CUDA kernels: tower, prompt and every token" {
    picture=$SAMPLES/images/0003.png
    run --separate-stderr -0 caption -m pocket --temperature 0 --logprobs --device cuda "$picture"
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

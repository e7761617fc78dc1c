# model-info, model-init, and model folders that are not whole.
setup() { load common; }

# A copy of the pocket captioner that a test may damage.
copy() { rm -rf m; cp -r "$ROOT/share/pocket/captioner" m; chmod -R u+w m; }
refused() { # PATTERN: caption -m m ends 2 with it in its message
    run --separate-stderr -2 caption -m ./m "$SAMPLES/images/0000.png"
    [[ "$stderr" == "caption: "*$1* ]] || { echo "got: $stderr"; false; }
    [ "$output" = "" ]
}

@test "model-info tells the pocket pair" {
    run --separate-stderr -0 model-info pocket
    [[ "$output" == *qwen3_vl*2169184* ]]
    run --separate-stderr -0 model-info --json pocket pocket-judge
    [ "$(jq -c '[.family,.parameters,.text.layers,.vision.layers,.chat]' <<<"${lines[0]}")" = '["qwen3_vl",2169184,5,4,"chatml"]' ]
    [ "$(jq -c '[.family,.parameters,.vision]' <<<"${lines[1]}")" = '["qwen3",876928,null]' ]
    [ "$(jq -c '.memory.kv / .memory.kv_tokens' <<<"${lines[0]}")" = 2560 ]
    [ "$(model-info --json --ctx 2048 pocket | jq .memory.kv)" = $((2560 * 2048)) ]
    run --separate-stderr -2 model-info --ctx 2049 pocket
    [[ "$stderr" == "model-info: "*"/captioner: a context of 2049 is beyond the model's 2048" ]]
    run --separate-stderr -2 model-info /nonexistent/x
}

@test "a folder without tokenizer, config or weights, or of an unknown family" {
    copy; rm m/tokenizer.json; refused tokenizer.json
    copy; rm m/config.json; refused config.json
    copy; rm m/model.safetensors; refused model.safetensors
    copy; rm m/preprocessor_config.json; refused preprocessor_config.json
    copy; sed -i 's/qwen3_vl"/mamba"/;s/Qwen3VLForConditionalGeneration/MambaForCausalLM/' m/config.json; refused qwen3_vl
    copy; rm m/chat_template.jinja; sed -i 's/"chat_template"/"x"/' m/tokenizer_config.json; refused --chat
    copy; echo '{' > m/config.json; refused config.json
    mkdir -p empty; run --separate-stderr -2 caption -m ./empty x
}

# As transformers 5 writes a model: picture settings inside processor_config.json.
nested() {
    jq '{image_processor: .}' m/preprocessor_config.json > m/processor_config.json
    rm m/preprocessor_config.json m/video_preprocessor_config.json
}

@test "picture settings inside processor_config.json are those of the model" {
    copy; nested
    caption -m ./m --temperature 0 --text "$SAMPLES/images/0003.png" > nested
    caption -m pocket --temperature 0 --text "$SAMPLES/images/0003.png" > own
    cmp own nested
    model-init --random --like ./m like
    [ "$(jq -S . like/preprocessor_config.json)" = "$(jq -S .image_processor m/processor_config.json)" ]
    model-init --llm pocket-judge --vision ./m graft
    cmp m/processor_config.json graft/processor_config.json
    sft-step -m ./m --out trained --steps 1 <<<"{\"image\":\"$SAMPLES/images/0003.png\",\"caption\":\"x\"}" > metrics
    caption -m trained/latest --max-tokens 1 --text "$SAMPLES/images/0003.png"
}

@test "a missing tensor and a wrong shape are named" {
    copy; sed -i 's/"num_hidden_layers": 5/"num_hidden_layers": 6/' m/config.json; refused layers.5
    copy; sed -i 's/"intermediate_size": 384/"intermediate_size": 380/' m/config.json; refused mlp
    copy; truncate -s -100 m/model.safetensors; refused model.safetensors
}

@test "model-init makes folders that run" {
    model-init --random --like qwen3-vl-2b --layers 1 --seed 4 made
    run --separate-stderr -0 model-info --json made
    [ "$(jq -c '[.family,.text.hidden,.text.layers,.text.vocab]' <<<"$output")" = '["qwen3_vl",2048,1,151936]' ]
    run --separate-stderr -0 caption -m ./made --max-tokens 2 --ignore-eos "$SAMPLES/images/0000.png"
    run --separate-stderr -2 model-init --random --like qwen3-vl-2b made
    [[ "$stderr" == *made* ]]
    run --separate-stderr -2 model-init --random --like nosuch other
    [[ "$stderr" == *qwen3-vl-2b* ]]
}

@test "-v speaks of generation_config.json only where there is one" {
    cp -r "$ROOT/share/pocket/captioner" m
    run --separate-stderr -0 caption -m ./m -v --dry-run <<<'{"messages":[{"role":"user","content":"Hi"}]}'
    [[ "$stderr" == *"generation_config.json's sampling settings are not applied"* ]]
    rm m/generation_config.json
    run --separate-stderr -0 caption -m ./m -v --dry-run <<<'{"messages":[{"role":"user","content":"Hi"}]}'
    [[ "$stderr" == *"chat format"* && "$stderr" != *generation_config* ]]
}

@test "model-init: a slash behind the folder's name; nothing is left of a run that was stopped" {
    model-init --random --like qwen3-0.6b --layers 1 small/
    [ -s small/model.safetensors ]
    model-init --random --like qwen3-vl-2b big & pid=$!
    eventually test -e "big.making-$pid/model.safetensors"
    kill -TERM "$pid"
    status=0; wait "$pid" || status=$?
    [ "$status" = 75 ]
    run ! compgen -G 'big*'
}

@test "a GGUF file is a text model in every program" {
    file=$ROOT/tests/data/goldens2/gguf/tiny_q8_0.gguf
    run --separate-stderr -0 model-info --json "$file"
    [ "$(jq -c '[.family,.text.layers,.vision,.chat,.tokenizer_size]' <<<"$output")" = '["qwen3",2,null,"chatml",1536]' ]
    [ "$(jq -c .tensors <<<"$output")" = '{"f32":9,"q8_0":16}' ]
    run --separate-stderr -0 caption -m "$file" --temperature 0 --max-tokens 4 --ignore-eos <<<'{"messages":[{"role":"user","content":"Describe the picture."}]}'
    [ "$(jq .captions[0].tokens <<<"$output")" = 4 ]
    run --separate-stderr -0 reward -m "$file" --answer text --len-weight 0 <<<'{"caption":"A dog.","qa":[{"question":"What?","options":["a dog","a cat"],"answer":"A"}]}'
    jq -e '.captions[0].reward.acc >= 0' <<<"$output"
    run --separate-stderr -0 model-tokenize --special -m "$file" <<<'{"text":"What color is the dog?"}'
    [ "$(jq -c .ids <<<"$output")" = '[54,71,297,298,78,362,81,220,325,415,592,30]' ]
    run --separate-stderr -1 caption -m "$file" <<<"{\"image\":\"$SAMPLES/images/0000.png\"}"
    [[ "$stderr" == *"text only"* ]]
    run --separate-stderr -2 caption -m ./none.gguf <<<'{}'
    [ "$stderr" = "caption: ./none.gguf: no such file" ]
    head -c 1000 "$file" >cut.gguf
    run --separate-stderr -2 caption -m cut.gguf <<<'{}'
    [[ "$stderr" == "caption: cut.gguf: "* ]]
    for size in 0 3; do
        head -c "$size" "$file" >cut.gguf
        run --separate-stderr -2 caption -m ./cut.gguf <<<'{}'
        [ "$stderr" = "caption: ./cut.gguf: neither a folder nor a GGUF file" ]
        run --separate-stderr -2 model-info cut.gguf
        [ "$stderr" = "model-info: cut.gguf: neither a folder nor a GGUF file" ]
    done
}

@test "model-info --plan: what a run really takes, within a tenth" {
    [[ "$CAPMILL_BUILD" != */san ]] || skip "a sanitizer's own memory comes on top"
    jq -c '{id,image,caption:(.facts|join(" "))}' "$WORLD/train.jsonl" | head -n 120 > rows.jsonl
    sft_exec() { exec sft-step -m pocket --root "$WORLD" --batch-tokens 2048 --micro-tokens 2048 --threads 2 --epochs 99 "$@" rows.jsonl; }
    for options in "" "--recompute" "--lora=8,16,all"; do
        rm -rf out; : > metrics # of the run before
        sft_exec ${options:+"$options"} --out out > metrics & local pid=$!
        until [ "$(wc -l < metrics)" -ge 2 ]; do sleep 0.05; done
        local peak; peak=$(awk '/^VmHWM/ { print $2 * 1024 }' "/proc/$pid/status")
        kill -9 "$pid"; wait "$pid" || true
        model-info --plan sft --json ${options:+"$options"} --batch-tokens 2048 --micro-tokens 2048 --threads 2 --row-tokens 60 --picture 96x96 pocket > plan
        echo "$options: $peak; $(cat plan)"
        jq -e --argjson peak "$peak" '.total / $peak | . > 0.9 and . < 1.1' plan
    done
}

@test "model-info --plan: parts add up, options count, mistakes are told" {
    plan() { model-info --plan "$@" --json pocket; }
    plan sft > full
    jq -e '.total == .weights + .gradients + .states + .activations + .kv + .pictures + .program
        and .weights == 4 * .parameters and .states == 8 * .trained' full
    plan sft --optimizer adamw8bit | jq -e --slurpfile full full '.states < $full[0].states / 3 and .gradients == $full[0].gradients'
    plan sft --recompute | jq -e --slurpfile full full '.activations < $full[0].activations'
    plan sft --compute bf16 | jq -e --slurpfile full full '.kv * 2 == $full[0].kv and .activations < $full[0].activations and .weights > 1.4 * $full[0].weights and .weights <= 1.5 * $full[0].weights'
    plan sft --train merger | jq -e --slurpfile full full '.gradients == 4 * .trained and .activations < $full[0].activations and .train == "merger"'
    plan sft --lora 8,16,q,v | jq -e '.train == "lora 8,16,q,v" and .states == 8 * .trained'
    [ "$(plan sft --micro-tokens 1024 | jq .rows)" = 2 ]
    plan rl -n 8 --max-tokens 200 | jq -e '.rows == 1 or .rows == 2'
    plan caption -n 4 --max-tokens 100 | jq -e '.total == .weights + .activations + .kv + .pictures + .program and (has("gradients") | not)'
    [ "$(jq .picture_tokens full)" -ge 4 ]
    plan sft --device cuda > gpu
    # bf16 copies of matrices beside fp32 weights; the host has pictures and program
    jq -e --slurpfile full full '.total == .weights + .gradients + .states + .activations + .kv and .weights > 1.4 * $full[0].weights and .gradients == $full[0].gradients and .kv * 2 == $full[0].kv' gpu
    plan sft --device cuda --batch-invariant off | jq -e --slurpfile gpu gpu '.total - $gpu[0].total == 33554432'
    plan rl --device cuda --hand-over gpu | jq -e '.shared > 4 * .parameters and .total == .weights + .gradients + .states + .activations + .kv + .shared'
    plan caption --device cuda > gpu
    jq -e '.kv == 16 * 33 * 64 * 1280 and .total == .weights + .activations + .kv' gpu
    plan caption --device cuda --gpu-mem 0.03 | jq -e --slurpfile gpu gpu '.kv < $gpu[0].kv and .total <= 30e6 and .total > 20e6'
    run --separate-stderr -2 model-info --plan rl --hand-over gpu pocket
    [[ "$stderr" == *"only a GPU's memory is shared"* ]]
    run --separate-stderr -2 model-info --plan sft --device tpu pocket
    run --separate-stderr -0 model-info --plan sft --recompute pocket pocket-judge
    [[ "$output" == *"keys, values"*total*total* ]]
    run --separate-stderr -2 model-info --plan dance pocket
    [[ "$stderr" == *'"dance" is no program that is planned: sft, rl, caption'* ]]
    run --separate-stderr -2 model-info --recompute pocket
    [[ "$stderr" == *"--recompute goes with --plan"* ]]
    run --separate-stderr -2 model-info --plan sft --compute fp8 pocket
    run --separate-stderr -2 model-info --plan sft --train text --lora 8,16,q pocket
    run --separate-stderr -2 model-info --plan sft --picture 3x pocket
    run --separate-stderr -2 model-info --plan sft --lora 8,16,z pocket
    [[ "$stderr" == *'"z" is not a matrix'* ]]
    run --separate-stderr -2 model-info --plan sft --train vision pocket-judge
    [[ "$stderr" == *'nothing of "vision"'* ]]
    run --separate-stderr -2 model-info --plan sft /nonexistent/x
}

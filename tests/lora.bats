# Low-rank pairs: sft-step --lora, its checkpoints, and model-init --merge-lora.
setup() {
    load common
    jq -c '{id,image,caption:(.facts|join(" "))}' "$WORLD/train.jsonl" | head -n 32 > rows.jsonl
}
lora() { sft-step -m pocket --root "$WORLD" --lr 1e-2 --batch-tokens 512 --lora 8,16,all "$@"; }
lora_exec() { exec sft-step -m pocket --root "$WORLD" --lr 1e-2 --batch-tokens 512 --lora 8,16,all "$@"; }
same() { cmp "$1/latest/adapter_model.safetensors" "$2/latest/adapter_model.safetensors" && cmp "$1/latest/state/optimizer.safetensors" "$2/latest/state/optimizer.safetensors"; }
# The header of a safetensors file.
header() { local n; n=$(od -An -t u8 -N 8 "$1"); tail -c +9 "$1" | head -c "$((n))"; }

@test "--lora writes what PEFT reads, and the loss falls" {
    run --separate-stderr -0 lora -v --epochs 2 --out out rows.jsonl
    [[ "$stderr" == *"97280 of 2266464 parameters are trained (lora 8,16,all)"* ]] || { echo "$stderr"; false; }
    jq -s -e '.[-1].loss < .[0].loss * 0.8' <<<"$output"
    [ "$(ls out/latest)" = "$(printf '%s\n' adapter_config.json adapter_model.safetensors state)" ]
    jq -e '.peft_type == "LORA" and .r == 8 and .lora_alpha == 16 and .bias == "none" and .lora_dropout == 0
        and (.target_modules | test("language_model.*q_proj.*down_proj"))' out/latest/adapter_config.json
    header out/latest/adapter_model.safetensors | jq -e '
        .["base_model.model.model.language_model.layers.4.mlp.down_proj.lora_A.weight"] == {dtype: "F32", shape: [8, 384], data_offsets: .["base_model.model.model.language_model.layers.4.mlp.down_proj.lora_A.weight"].data_offsets}
        and .["base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_B.weight"].shape == [128, 8]
        and (del(.__metadata__) | length) == 70'
}

@test "--lora: a run that goes on ends in the bits of one that was never stopped" {
    lora --epochs 2 --save 2 --out whole rows.jsonl > whole.jsonl
    lora_exec --epochs 2 --save 2 --out part rows.jsonl > part.jsonl & local pid=$!
    until [ "$(wc -l < part.jsonl 2>/dev/null || echo 0)" -ge 3 ]; do sleep 0.01; done
    kill -9 "$pid"; wait "$pid" || true
    lora --epochs 2 --save 2 --threads 1 --resume --out part rows.jsonl > rest.jsonl
    same whole part
}

@test "--lora: other pairs, other parts or a damaged adapter are noticed" {
    lora --steps 2 --save 1 --out out rows.jsonl > /dev/null
    run --separate-stderr -2 sft-step -m pocket --root "$WORLD" --batch-tokens 512 --resume --steps 3 --lora 8,16,q --out out rows.jsonl
    [[ "$stderr" == *"more was trained"* || "$stderr" == *"--lora 8,16,all"* ]] || { echo "$stderr"; false; }
    run --separate-stderr -2 sft-step -m pocket --root "$WORLD" --batch-tokens 512 --resume --steps 3 --out out rows.jsonl
    run --separate-stderr -2 lora --train text --out out2 rows.jsonl
    [[ "$stderr" == *"--lora or --train"* ]]
    run --separate-stderr -2 sft-step -m pocket --lora 8,16,head --out out2 rows.jsonl
    [[ "$stderr" == 'sft-step: --lora: "head" is not a matrix'* ]]
    printf x | dd of=out/latest/adapter_model.safetensors bs=1 seek=50000 conv=notrunc status=none
    run --separate-stderr -0 lora --steps 2 --resume --out out rows.jsonl
    [[ "$stderr" == *"adapter_model.safetensors is not as it was written"*"v000001 is taken"* ]]
}

@test "--optimizer adamw8bit: learns alike, half the state, and goes on in equal bits" {
    eight() { sft-step -m pocket --root "$WORLD" --lr 1e-3 --batch-tokens 512 --optimizer adamw8bit "$@"; }
    eight_exec() { exec sft-step -m pocket --root "$WORLD" --lr 1e-3 --batch-tokens 512 --optimizer adamw8bit "$@"; }
    eight --epochs 2 --save 3 --out whole rows.jsonl > whole.jsonl
    eight_exec --epochs 2 --save 3 --out part rows.jsonl > part.jsonl & local pid=$!
    until [ "$(wc -l < part.jsonl 2>/dev/null || echo 0)" -ge 4 ]; do sleep 0.01; done
    kill -9 "$pid"; wait "$pid" || true
    eight --epochs 2 --save 3 --threads 1 --resume --out part rows.jsonl > rest.jsonl
    cmp whole/latest/model.safetensors part/latest/model.safetensors
    cmp whole/latest/state/optimizer.safetensors part/latest/state/optimizer.safetensors
    sft-step -m pocket --root "$WORLD" --lr 1e-3 --batch-tokens 512 --epochs 2 --out full rows.jsonl > full.jsonl
    jq -s -e '(.[0] - .[1] | fabs) < 0.02' <(tail -n 1 whole.jsonl | jq .loss) <(tail -n 1 full.jsonl | jq .loss)
    [ "$(($(stat -Lc %s whole/latest/state/optimizer.safetensors) * 100 / $(stat -Lc %s full/latest/state/optimizer.safetensors)))" -le 52 ]
    run --separate-stderr -2 sft-step -m pocket --root "$WORLD" --batch-tokens 512 --epochs 3 --resume --out whole rows.jsonl
    [[ "$stderr" == *"the run began with 8-bit moments"* ]]
    run --separate-stderr -2 eight --epochs 3 --resume --out full rows.jsonl
    [[ "$stderr" == *"the run began with fp32 moments"* ]]
    run --separate-stderr -2 eight --optimizer sgd --out out rows.jsonl
    [[ "$stderr" == *"--optimizer sgd: not adamw or adamw8bit"* ]]
}

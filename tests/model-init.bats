# model-init: fresh models from a text model and a tower, casts, merged adapters.
setup() { load common; }

models=$BATS_TEST_DIRNAME/data/goldens/models
header() { local n; n=$(od -An -t u8 -N 8 "$1"); tail -c +9 "$1" | head -c "$((n))"; }
# Bytes of a tensor.
tensor() { # FILE NAME
    local n at; n=$(od -An -t u8 -N 8 "$1")
    read -r -a at < <(header "$1" | jq -r --arg name "$2" '.[$name].data_offsets | join(" ")')
    tail -c +"$((n + 9 + at[0]))" "$1" | head -c "$((at[1] - at[0]))"
}
same_tensor() { cmp <(tensor "$1" "$2") <(tensor "$3" "$4"); } # FILE NAME FILE NAME
refused() { # PATTERN OPTION...: status 2 with it in its message, and nothing made
    local pattern=$1; shift
    run --separate-stderr -2 model-init "$@" made
    [[ "$stderr" == "model-init: "*$pattern* ]] || { echo "got: $stderr"; false; }
    run ! compgen -G 'made*'
}

@test "--llm and --vision: the text of one, the tower of the other, a new merger" {
    model-init --llm pocket-judge --vision pocket --seed 2 fresh
    [ "$(model-info --json fresh | jq -c '[.family,.text.layers,.vision.layers,.types,.chat]')" = '["qwen3_vl",4,4,"bf16","chatml"]' ]
    local new=fresh/model.safetensors judge=$CAPMILL_SHARE/pocket/judge/model.safetensors captioner=$CAPMILL_SHARE/pocket/captioner/model.safetensors
    same_tensor $new model.language_model.layers.3.mlp.up_proj.weight "$judge" model.layers.3.mlp.up_proj.weight
    same_tensor $new model.language_model.embed_tokens.weight "$judge" model.embed_tokens.weight
    same_tensor $new model.visual.blocks.1.attn.qkv.weight "$captioner" model.visual.blocks.1.attn.qkv.weight
    same_tensor $new model.visual.patch_embed.proj.weight "$captioner" model.visual.patch_embed.proj.weight
    run ! same_tensor $new model.visual.merger.linear_fc1.weight "$captioner" model.visual.merger.linear_fc1.weight
    header $new | jq -e '.["model.visual.patch_embed.proj.weight"].shape == [96, 3, 2, 16, 16]'
    caption -m ./fresh --max-tokens 4 --ignore-eos "$SAMPLES/images/0000.png" | jq -e '.captions[0].tokens == 4'
    # it learns; what it says of text alone is what the text model says
    jq -c '{id,image,caption:(.facts|join(" "))}' "$WORLD/train.jsonl" | head -n 16 > rows.jsonl
    sft-step -m ./fresh --root "$WORLD" --train merger --lr 1e-3 --batch-tokens 256 --epochs 2 --out out rows.jsonl |
        jq -s -e '.[-1].loss < .[0].loss'
    local row='{"messages":[{"role":"user","content":"What is there?"}]}'
    [ "$(caption -m ./fresh --temperature 0 --chat chatml --max-tokens 20 --text <<<"$row")" = "$(caption -m pocket-judge --temperature 0 --chat chatml --max-tokens 20 --text <<<"$row")" ]
    # the same seed, the same bytes; another one changes the merger alone
    model-init --llm pocket-judge --vision pocket --seed 2 again
    cmp $new again/model.safetensors
    model-init --llm pocket-judge --vision pocket --seed 3 other
    run ! cmp -s $new other/model.safetensors
    same_tensor $new model.visual.blocks.1.attn.qkv.weight other/model.safetensors model.visual.blocks.1.attn.qkv.weight
    model-init --llm "$models/qwen2" --vision "$models/qwen2_5_vl" --dtype fp32 two
    [ "$(model-info --json two | jq -c '[.family,.types,.chat]')" = '["qwen2_5_vl","f32","qwen2_5_vl"]' ]
    caption -m ./two --max-tokens 2 --ignore-eos "$SAMPLES/images/0000.png" | jq -e '.captions[0].tokens == 2'
}

@test "--llm: vision tokens that its tokenizer lacks are added, their rows are the mean" {
    cp -r "$models/qwen3" llm
    chmod -R u+w llm
    jq '.added_tokens |= map(select(.content | test("vision|image|video") | not))' "$models/qwen3/tokenizer.json" > llm/tokenizer.json
    jq 'if .added_tokens_decoder then .added_tokens_decoder |= with_entries(select(.value.content | test("vision|image|video") | not)) else . end' "$models/qwen3/tokenizer_config.json" > llm/tokenizer_config.json
    model-init --llm ./llm --vision "$models/qwen3_vl" --dtype fp32 fresh
    local pad; pad=$(jq .image_token_id fresh/config.json)
    [ "$(model-tokenize --special -m ./fresh <<<'{"text":"<|image_pad|>"}' | jq -c .ids)" = "[$pad]" ]
    [ "$(jq -c '[.vision_start_token_id,.vision_end_token_id,.image_token_id,.video_token_id] as $ids | $ids | map(. - ($ids | min))' fresh/config.json)" = "[0,1,3,4]" ]
    caption -m ./fresh --max-tokens 2 --ignore-eos "$SAMPLES/images/0000.png" | jq -e '.captions[0].tokens == 2'
    # both rows are one: the mean
    tensor fresh/model.safetensors model.language_model.embed_tokens.weight > embed
    row() { tail -c +"$(($1 * 256 + 1))" embed | head -c 256; }
    cmp <(row "$pad") <(row $((pad + 1)))
    run ! cmp -s <(row "$pad") <(row 5)
    local known; known=$(jq .vision_start_token_id fresh/config.json)
    od -An -v -t f4 -w256 embed | awk -v known="$known" -v pad="$pad" '
        NR <= known { for (i = 1; i <= 64; i++) sum[i] += $i }
        NR == pad + 1 { for (i = 1; i <= 64; i++) if (($i - sum[i] / known) ^ 2 > 1e-12) exit 1; seen = 1 }
        END { exit !seen }'
}

@test "--cast: fp32 and back to the same bytes" {
    model-init --cast fp32 --from pocket wide
    [ "$(jq -r .dtype wide/config.json)" = float32 ]
    [ "$(model-info --json wide | jq -r .types)" = f32 ]
    model-init --cast bf16 --from ./wide narrow
    cmp narrow/model.safetensors "$CAPMILL_SHARE/pocket/captioner/model.safetensors"
    [ "$(caption -m ./wide --temperature 0 --text "$SAMPLES/images/0000.png")" = "$(caption -m pocket --temperature 0 --text "$SAMPLES/images/0000.png")" ]
}

@test "--merge-lora: the merged model computes what training computed" {
    jq -c '{id,image,caption:(.facts|join(" "))}' "$WORLD/train.jsonl" | head -n 40 > rows.jsonl
    tail -n 8 rows.jsonl > held.jsonl
    learn() { sft-step --root "$WORLD" --batch-tokens 512 "$@" rows.jsonl; }
    learn -m pocket --lr 1e-2 --lora 8,32,all --eval held.jsonl --out out | tail -n 1 | jq .eval_loss > trained
    model-init --merge-lora out/latest --dtype fp32 merged
    learn -m ./merged --lr 0 --steps 1 --eval held.jsonl --out out2 | jq .eval_loss > got
    learn -m pocket --lr 0 --steps 1 --eval held.jsonl --out out3 | jq .eval_loss > base
    cat trained got base
    jq -s -e '(.[0] - .[1] | fabs) < 1e-5 * .[0] and .[2] > 1.2 * .[0]' trained got base
    [ "$(caption -m ./merged --temperature 0 --text "$SAMPLES/images/0000.png")" != "$(caption -m pocket --temperature 0 --text "$SAMPLES/images/0000.png")" ]
    model-init --merge-lora out/latest --from pocket narrow
    [ "$(model-info --json narrow | jq -r .types)" = bf16 ]
    run --separate-stderr -2 caption -m ./out/latest "$SAMPLES/images/0000.png"
    [[ "$stderr" == *"model-init --merge-lora"* ]]
    # what does not fit, or would be left out
    refused 'is for a matrix [' --merge-lora out/latest --from "$models/qwen3_vl"
    refused 'the base has no matrix of' --merge-lora out/latest --from pocket-judge
    cp -rL out/latest dora; chmod -R u+w dora
    jq '.use_dora = true' out/latest/adapter_config.json > dora/adapter_config.json
    refused 'use_dora is not merged' --merge-lora dora
    rm dora/adapter_config.json
    refused 'adapter_config.json' --merge-lora dora
}

@test "transformers and PEFT compute the same with the adapter, and with the fresh model (CAPMILL_PYTHON)" {
    [ -n "${CAPMILL_PYTHON:-}" ] || skip "no CAPMILL_PYTHON with torch, transformers and peft"
    jq -c '{id,image,caption:(.facts|join(" "))}' "$WORLD/train.jsonl" | head -n 32 > rows.jsonl
    sft-step -m pocket --root "$WORLD" --batch-tokens 512 --lr 1e-2 --lora 8,16,all --out out rows.jsonl > metrics
    model-init --merge-lora out/latest --dtype fp32 merged
    model-init --llm pocket-judge --vision pocket --dtype fp32 fresh
    "$CAPMILL_PYTHON" "$BATS_TEST_DIRNAME/peft-check.py" "$CAPMILL_SHARE/pocket" out/latest merged fresh > figures
    cat figures
    jq -e '.pairs == 35 and .missing == 0 and .moved > 0.1 and .off < 1e-4 and .fresh_off < 1e-4' figures
}

@test "what cannot be made: models that do not fit, missing tensors, a folder that is there" {
    refused 'goes with a text model of qwen3, which qwen2 is not' --llm "$models/qwen2" --vision pocket
    refused 'qwen3 has no tower' --llm pocket-judge --vision pocket-judge
    refused 'go together' --llm pocket-judge
    refused 'say how' --seed 3
    refused 'say how' --random --like pocket --cast bf16 --from pocket
    refused '--layers does not go' --cast bf16 --from pocket --layers 2
    refused '--cast fp8: not bf16 or fp32' --cast fp8 --from pocket
    refused '--from SPEC' --cast bf16
    refused 'no such model folder' --cast bf16 --from ./nowhere
    cp -r "$models/qwen3" llm; chmod -R u+w llm
    jq '.num_hidden_layers = 9' "$models/qwen3/config.json" > llm/config.json
    refused 'no tensor "model.language_model.layers.' --llm ./llm --vision pocket
    jq '.intermediate_size = 160' "$models/qwen3/config.json" > llm/config.json
    refused 'mlp' --llm ./llm --vision pocket
    jq '.added_tokens |= map(select(.content != "<|im_end|>"))' "$models/qwen3/tokenizer.json" > llm/tokenizer.json
    refused '<|im_end|>' --llm ./llm --vision pocket
    mkdir there
    run --separate-stderr -2 model-init --cast bf16 --from pocket there
    [ "$stderr" = "model-init: there: is there already" ]
    run --separate-stderr -2 model-init --llm pocket-judge --vision pocket there
    [ "$stderr" = "model-init: there: is there already" ]
    (ulimit -f 500; trap '' XFSZ; model-init --cast fp32 --from pocket made 2> messages) && return 1 || true
    [[ "$(cat messages)" == "model-init: made.making-"* ]]
    run ! compgen -G 'made*'
}

@test "the man page's examples run as printed" {
    sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/p' "$ROOT/man/model-init.1" | sed -n 's/^\.Dl //p' | grep -v /tmp/big > example
    [ "$(wc -l < example)" -ge 3 ]
    jq -c '{id,image,caption:(.facts|join(" "))}' "$WORLD/train.jsonl" | sed "s|\"image\":\"|&$WORLD/|" | head -n 8 > rows.jsonl
    bash -e example
}

# dpo-step: pairs in every form, the loss and its reference, runs that go on.
setup_file() {
    load common
    head -n 24 "$WORLD/train.jsonl" > "$BATS_FILE_TMPDIR/rows"
    cd "$BATS_FILE_TMPDIR" || return 1
    caption -m pocket -n 8 --root "$WORLD" rows | reward -m pocket-judge --answer text > rewarded.jsonl
    rl-pairs rewarded.jsonl > pairs.jsonl
}
setup() {
    load common
    cp "$BATS_FILE_TMPDIR"/{pairs,rewarded}.jsonl .
    head -n 12 pairs.jsonl > few.jsonl
}

dpo() { dpo-step -m pocket --root "$WORLD" --lr 3e-4 --schedule constant --batch-tokens 256 "$@"; }
# ... in the background: the process itself, to be killed.
dpo_exec() { exec dpo-step -m pocket --root "$WORLD" --lr 3e-4 --schedule constant --batch-tokens 256 "$@"; }
same() { cmp "$1/latest/model.safetensors" "$2/latest/model.safetensors" && cmp "$1/latest/state/optimizer.safetensors" "$2/latest/state/optimizer.safetensors"; }
# What a metrics row says, but for time.
numbers() { jq -c "del(.step_time,.tokens_per_second,.peak_share)"; }

@test "a metrics row a step; at first policy and reference are one; then the chosen wins" {
    run --separate-stderr -0 dpo --epochs 2 --batch-tokens 512 --out out pairs.jsonl
    [ "$stderr" = "" ]
    jq -s -e 'map(.step) == [range(1; length + 1)] and (map(.rows) | add) == 48 and all(.failed == 0)
        and (.[0] | .loss > 0.6931471 and .loss < 0.6931472 and ."rewards/accuracies" == 0
            and ."rewards/chosen" == 0 and ."rewards/rejected" == 0 and ."rewards/margins" == 0
            and ."logps/chosen" < 0 and .grad_norm > 0)
        and (.[-1] | ."rewards/accuracies" > 0.8 and ."rewards/margins" > 0.2 and .loss < 0.62)
        and all(((."rewards/chosen" - ."rewards/rejected" - ."rewards/margins") | fabs) < 1e-6)' <<<"$output"
    model-info out/latest
    # what was learnt from judged captions holds on pictures that were not seen
    mean() { head -n 12 "$WORLD/test.jsonl" | caption -m "$1" -n 8 --root "$WORLD" | reward -m pocket-judge --answer text | jq -s 'map(.reward_group.mean) | add / length'; }
    mean pocket | tee before
    mean out/latest | tee after
    jq -s -e '.[1] > .[0] + 0.1' before after
}

@test "captions, texts and other trainers' forms of one content give one loss" {
    head -n 6 rewarded.jsonl > six.jsonl
    rl-pairs six.jsonl > caption.jsonl
    jq -c '.chosen |= .text | .rejected |= .text | del(.captions,.id)' caption.jsonl > text.jsonl
    rl-pairs --form trl six.jsonl > trl.jsonl
    jq -c '.prompt as $p | .chosen |= $p + . | .rejected |= $p + . | del(.prompt)' trl.jsonl > implicit.jsonl
    jq -c '(.prompt, .chosen, .rejected)[0].content |= (map(.text // "") | join(""))' trl.jsonl > strings.jsonl
    rl-pairs --form llamafactory six.jsonl > llamafactory.jsonl
    jq -c '{messages:[{role:"user",content:[{type:"image",image},{type:"text",text:"Please describe this image in detail."}]}],chosen:{role:"assistant",content:.chosen.text},rejected:[{role:"assistant",content:[{type:"text",text:.rejected.text}]}]}' caption.jsonl > messages.jsonl
    jq -c '.gen = {prompt:"Please describe this image in detail.",system:null}' caption.jsonl > gen.jsonl
    dpo --no-shuffle --out caption.out caption.jsonl | numbers > want
    [ "$(wc -l < want)" -ge 2 ]
    for form in text trl implicit strings llamafactory messages gen; do
        [ "$form" = gen ] && ask=(--prompt Hm) || ask=()
        dpo --no-shuffle "${ask[@]}" --out "$form.out" "$form.jsonl" | numbers > got
        echo "# $form" && cmp got want
    done
    dpo --no-shuffle --prompt Hm --out other.out text.jsonl | numbers > got
    run ! cmp -s got want
}

@test "--system is a turn before every form's own, and refused beside one" {
    head -n 3 rewarded.jsonl > three.jsonl
    rl-pairs three.jsonl > caption.jsonl
    for form in trl llamafactory; do rl-pairs --form $form three.jsonl > $form.jsonl; done
    jq -c '.gen = {system:"Be brief."}' caption.jsonl > gen.jsonl
    dpo --no-shuffle --out plain.out caption.jsonl | numbers > plain
    dpo --no-shuffle --system "Be brief." --out caption.out caption.jsonl | numbers > want
    run ! cmp -s plain want
    for form in trl llamafactory; do dpo --no-shuffle --system "Be brief." --out $form.out $form.jsonl | numbers | cmp - want; done
    dpo --no-shuffle --out gen.out gen.jsonl | numbers | cmp - want
    for form in trl llamafactory; do
        rl-pairs --form $form <(jq -c '.gen = {system:"Be brief."}' three.jsonl) > $form.jsonl
        dpo --no-shuffle --out $form.own $form.jsonl | numbers | cmp - want
        run --separate-stderr -2 dpo --system Hm --out $form.no $form.jsonl
        [[ "$stderr" == *"--system cannot apply"* ]]
    done
}

@test "pairs of text alone, on a model of text" {
    printf '%s\n' '{"prompt":"What colour is it?","images":[],"chosen":"red","rejected":"not stated"}' \
        '{"messages":[{"role":"user","content":"Which shape?"},{"role":"assistant","content":"What?"},{"role":"user","content":"Which?"}],"chosen":"a star","rejected":""}' \
        '{"prompt":[{"role":"user","content":"How many?"}],"chosen":[{"role":"assistant","content":"two"}],"rejected":[{"role":"assistant","content":"three"}]}' > rows
    dpo-step -m pocket-judge --lr 1e-3 --schedule constant --epochs 6 --batch-tokens 4096 --out out rows > metrics
    jq -s -e '.[0].rows == 3 and .[0]."rewards/accuracies" == 0 and .[-1]."rewards/accuracies" == 1' metrics
}

@test "bad rows are error rows, told before the first step, and the others are learnt" {
    one=$(head -n 1 few.jsonl | jq -c 'del(.id)')
    bad() { jq -c --arg id "$1" '.id = $id | '"$2" <<<"$one"; }
    {
        head -n 2 few.jsonl
        bad gone '.image = "gone.png"'
        bad same '.chosen = .rejected'
        bad none 'del(.rejected)'
        bad failed '.chosen = {error:{class:"http"}}'
        bad number '.chosen = 5'
        bad untold '.chosen = {tokens:5}'
        bad user '.chosen = [{role:"user",content:"x"}]'
        bad empty '.chosen = []'
        bad picture '.chosen = {role:"assistant",content:[{type:"image"}]}'
        bad twice '.chosen = [{role:"user",content:"a"},{role:"assistant",content:"b"}] | .prompt = "x"'
        bad differ 'del(.prompt) | .chosen = [{role:"user",content:"a"},{role:"assistant",content:"b"}] | .rejected = [{role:"user",content:"c"},{role:"assistant",content:"d"}]'
        bad last 'del(.image) | .messages = [{role:"user",content:"a"},{role:"assistant",content:"b"}]'
        bad nothing 'del(.image) | del(.prompt)'
        bad images '.prompt = [{role:"user",content:[{type:"image"},{type:"image"}]}]'
        bad long '.chosen.text = "word " * 300'
        bad before '.error = {stage:"x",class:"media",message:"y"}'
        echo 'no json'
    } > mixed.jsonl
    run --separate-stderr -1 dpo --ctx 200 --out out --errors bad.jsonl mixed.jsonl
    [ "${#lines[@]}" = 1 ]
    jq -e '.rows == 2 and .failed == 16' <<<"$output"
    jq -r '"\(.id) \(.error.class) \(.error.message)"' bad.jsonl | tee told
    sed -E 's/: [0-9]+ tokens/: N tokens/' told | cmp - <(cat <<'EOF'
gone media gone.png: no such file
same refused chosen and rejected are the same
none missing no "rejected"
failed refused chosen: it came in with an error
number type chosen: neither a text, nor an object, nor a list
untold missing chosen: no "text"
user type chosen: its last message is not an assistant's
empty missing chosen: an empty list
picture type chosen: content: a part is no text
twice type chosen: 2 messages, where there is a prompt already
differ type chosen and rejected answer different prompts
last type the prompt does not end with a user's turn
nothing missing no picture, "prompt", "messages" or "conversations"
images type prompt: [0]: content: more image parts than pictures (1)
long too_long chosen: N tokens, beyond 200
null json not JSON: byte 0: a value must stand here
EOF
    )
    [ "${#stderr_lines[@]}" = 16 ]
    [[ "${stderr_lines[1]}" == "dpo-step: mixed.jsonl:4 (id=same): chosen and rejected are the same" ]]
    dpo --ctx 200 --truncate --out out2 --errors bad2.jsonl mixed.jsonl | jq -e '.rows == 3' || [ "${PIPESTATUS[0]}" = 1 ]
    run -3 dpo --max-errors 3 --out out3 mixed.jsonl
    run --separate-stderr -2 dpo --out out4 <(grep -e gone mixed.jsonl)
    [[ "$stderr" == *"no row to learn from" ]]
}

@test "answers that are the same once they are cut make no pair" {
    head -n 1 few.jsonl | jq -c '.chosen = "word " * 300 + "end." | .rejected = "word " * 300' > long.jsonl
    run --separate-stderr -2 dpo --ctx 100 --truncate --out out long.jsonl
    [[ "$stderr" == *"chosen and rejected are the same"* ]]
    run --separate-stderr -2 dpo --ctx 20 --truncate --out out long.jsonl
    [[ "$stderr" == *"chosen: a prompt of "*"none of the answer fits in 20"* ]]
}

@test "--beta and --label-smoothing" {
    step() { dpo --steps 1 --batch-tokens 4096 "$@" few.jsonl --out "$RANDOM$RANDOM" | jq -c '[.loss,.grad_norm]'; }
    step > one
    step --beta 0.2 > two
    step --label-smoothing 0.25 > smooth
    # at z = 0 the slope is beta (s - 1/2), and the loss log 2
    jq -s -e '(.[1][1] / .[0][1] - 2 | fabs) < 1e-5 and (.[2][1] / .[0][1] - 0.5 | fabs) < 1e-5
        and all((.[0] - 0.69314718 | fabs) < 1e-7)' one two smooth
    for bad in 'beta 0' 'beta x' 'label-smoothing 0.6'; do
        read -ra words <<<"--$bad"
        run --separate-stderr -2 dpo "${words[@]}" --out bad few.jsonl
        [[ "${stderr_lines[0]}" == *"${words[0]}"* ]]
    done
}

@test "a run that reads its rows while another one is made in its folder is refused" {
    mkfifo fifo
    dpo_exec --out out fifo > late.jsonl 2> late & local pid=$!
    exec 9> fifo # it is there, and waits
    dpo --out out few.jsonl > /dev/null
    cp few.jsonl same.jsonl
    cat same.jsonl >&9
    exec 9>&-
    wait "$pid" && return 1 || [ "$?" = 2 ]
    [[ "$(cat late)" == "dpo-step: out: has checkpoints: go on with --resume"* ]]
    [ ! -s late.jsonl ]
}

@test "killed at any step, a run that goes on ends in equal bits; it keeps its reference" {
    dpo --epochs 2 --save 1 --keep 2 --out whole few.jsonl > whole.jsonl
    [ "$(wc -l < whole.jsonl)" -ge 6 ]
    for steps in 1 3 5; do
        rm -rf part
        dpo_exec --epochs 2 --save 1 --keep 2 --out part few.jsonl > part.jsonl & local pid=$!
        until [ "$(wc -l < part.jsonl)" -ge "$steps" ]; do sleep 0.01; done
        kill -9 "$pid"; wait "$pid" || true
        cmp part/reference.json whole/reference.json
        [ "$steps" = 3 ] && rm part/reference.json # is made anew, of the weights it began with
        [ "$steps" = 5 ] && printf x | dd of=part/reference.json bs=1 seek=40 conv=notrunc status=none
        dpo --epochs 2 --save 1 --keep 2 --threads 1 --resume --out part few.jsonl > rest.jsonl
        cmp part/reference.json whole/reference.json
        same whole part
        tail -n 1 rest.jsonl | numbers | cmp - <(tail -n 1 whole.jsonl | numbers)
    done
}

@test "stopped before the first step, a run begins anew with --resume" {
    dpo --out whole pairs.jsonl > /dev/null
    dpo_exec --out part pairs.jsonl > part.jsonl & local pid=$!
    eventually test -e part
    kill -TERM "$pid"
    wait "$pid" && status=0 || status=$?
    [ "$status" = 75 ]
    dpo --resume --out part pairs.jsonl > /dev/null
    same whole part
}

@test "a run goes on only with its own beta and rows, and never as another kind of run" {
    dpo --steps 1 --out out few.jsonl > /dev/null
    run --separate-stderr -2 dpo --steps 2 --resume --beta 0.2 --out out few.jsonl
    [[ "$stderr" == *beta* ]]
    run --separate-stderr -2 dpo --steps 2 --resume --out out pairs.jsonl
    [[ "$stderr" == *"not those that the run began with"* ]]
    run --separate-stderr -2 dpo --steps 2 --resume --prompt Hm --out out few.jsonl
    [[ "$stderr" == *"out/reference.json: "*"not those that the run began with"* ]]
    run --separate-stderr -2 dpo-step -m out/latest --root "$WORLD" --lr 3e-4 --schedule constant --batch-tokens 256 --steps 2 --resume --out out few.jsonl
    [[ "$stderr" == *"out/reference.json: the weights"* ]]
    jq -c 'del(.captions) | .caption = .chosen.text' few.jsonl > sft.jsonl
    run --separate-stderr -2 sft-step -m pocket --root "$WORLD" --steps 2 --resume --out out sft.jsonl
    [ "$stderr" != "" ]
}

@test "--eval: numbers of pairs that are not learnt, at steps asked for and at the end" {
    tail -n 6 pairs.jsonl > held.jsonl
    dpo --eval held.jsonl --eval-every 2 --epochs 2 --steps 5 --out out few.jsonl > metrics
    [ "$(jq -c 'select(has("eval_loss")).step' metrics | tr '\n' ' ')" = "2 4 5 " ]
    jq -s -e 'map(select(has("eval_loss"))) | all(has("eval_rewards/margins"))
        and .[-1].eval_loss < 0.6931 and .[-1]."eval_rewards/accuracies" >= 0.5' metrics
    jq -e '(.pairs | length) == 12 and (.eval | length) == 6' out/reference.json
}

@test "micro-batches and recomputation: the same step" {
    dpo --steps 2 --out a few.jsonl | numbers > a.n
    dpo --steps 2 --recompute --out b few.jsonl | numbers | cmp - a.n
    same a b
    dpo --steps 2 --micro-tokens 50 --out c few.jsonl | numbers > c.n
    jq -s -e '(.[1].loss - .[3].loss | fabs) < 1e-5 and (.[0].grad_norm - .[2].grad_norm | fabs) < 1e-4' a.n c.n
    cmp a/reference.json c/reference.json
}

@test "a closed or full output ends the run as resumable" {
    full_disk() { dpo --out out few.jsonl > /dev/full; }
    run -75 full_disk
    [ -e out/latest/model.safetensors ]
}

@test "the man page's example runs as printed" {
    head -n 8 "$WORLD/train.jsonl" > qa.jsonl
    sed -n '/^\.Bd -literal/,/^\.Ed/p' "$ROOT/man/dpo-step.1" | grep -v '^\.' > example
    [ "$(wc -l < example)" = 3 ]
    bash -e example | tail -n 1 | grep '^The'
    [ -s pairs.jsonl ] && [ -s metrics.jsonl ]
}

setup() {
    load common
    full 64 > rows.jsonl
}

# Rows of the pocket world whose captions say all that there is to say.
full() { jq -c '{id,image,caption:(.facts|join(" "))}' "$WORLD/train.jsonl" | head -n "$1"; }
sft() { sft-step -m pocket --root "$WORLD" --lr 1e-3 --batch-tokens 512 "$@"; }
# ... in the background: the process itself, to be killed.
sft_exec() { exec sft-step -m pocket --root "$WORLD" --lr 1e-3 --batch-tokens 512 "$@"; }
same() { cmp "$1/latest/model.safetensors" "$2/latest/model.safetensors" && cmp "$1/latest/state/optimizer.safetensors" "$2/latest/state/optimizer.safetensors"; }

# Precision and recall of sentences on test pictures.
figures() {
    caption -m "$1" --temperature 0 --root "$WORLD" "$WORLD/test.jsonl" |
        jq -s -c 'map((.facts) as $f | [.caption | match("[^ .][^.]*\\."; "g").string] as $s
            | {true: ($s | map(select(IN($f[]))) | length), said: ($s | length), facts: ($f | length)})
            | {precision: ((map(.true) | add) / (map(.said) | add)), recall: ((map(.true) | add) / (map(.facts) | add))}'
}

@test "a metrics row a step, a model folder that caption opens" {
    run --separate-stderr -0 sft --out out rows.jsonl
    [ "$stderr" = "" ]
    [ "${#lines[@]}" -gt 5 ]
    jq -s -e 'map(.step) == [range(1; length + 1)] and (map(.rows) | add) == 64
        and all(.loss > 0 and .grad_norm > 0 and .failed == 0 and .tokens_per_second > 0 and .peak_share > 0 and .peak_share < 1.2)
        and .[-1].loss < .[0].loss / 2' <<<"$output"
    [ "$(readlink out/latest)" = "v$(printf %06d "${#lines[@]}")" ]
    caption -m out/latest --temperature 0 --text "$SAMPLES/images/0000.png"
    model-info out/latest
}

@test "full captions are learnt: recall on unseen pictures from 0.32 to 0.9" {
    full 512 > all.jsonl
    sft --out out --lr 7e-4 --warmup 5 --batch-tokens 2048 --epochs 3 all.jsonl > metrics.jsonl
    figures pocket | tee before
    figures out/latest | tee after
    jq -e '.recall < 0.33' before
    jq -e '.recall >= 0.9 and .precision >= 0.96' after
}

@test "from random weights 32 rows are learnt by heart" {
    model-init --random --like pocket --tokenizer pocket --dtype fp32 --seed 3 random
    full 32 > few.jsonl
    sft-step -m random --root "$WORLD" --lr 2e-3 --warmup 20 --weight-decay 0 --batch-tokens 4096 --epochs 120 --out out few.jsonl > metrics.jsonl
    tail -n 1 metrics.jsonl
    jq -s -e '.[0].loss > 4 and .[-1].loss < 0.02' metrics.jsonl
}

@test "messages, conversations and captions of one content give one loss" {
    local image
    image="$WORLD/$(jq -r '.image' rows.jsonl | head -n 1)"
    jq -n -c --arg i "$image" '{image:$i,caption:"A red star."}' > a.jsonl
    jq -n -c --arg i "$image" '{messages:[{role:"user",content:[{type:"image_url",image_url:{url:$i}},{type:"text",text:"Please describe this image in detail."}]},{role:"assistant",content:"A red star."}]}' > b.jsonl
    jq -n -c --arg i "$image" '{image:$i,conversations:[{from:"human",value:"<image>\nPlease describe this image in detail."},{from:"gpt",value:"A red star."}]}' > c.jsonl
    for form in a b c; do sft-step -m pocket --out "out$form" "$form.jsonl" | jq -c '[.loss,.num_tokens,.grad_norm]' > "$form.loss"; done
    cat a.loss
    cmp a.loss b.loss
    cmp a.loss c.loss
}

@test "a JSON array over many lines, arrays and lines in one file, a packed file give one loss" {
    head -8 rows.jsonl > eight
    sft --out lines --steps 1 eight | jq .loss > want
    jq -s . eight > array
    { jq -s . <(head -3 eight); tail -n +4 eight; } > mixed
    zstd -q eight -o packed
    for file in array mixed packed; do
        sft --out of-$file --steps 1 $file | jq .loss | cmp - want
    done
}

@test "bad rows are error rows, told before the first step, and the others are learnt" {
    { head -n 3 rows.jsonl
      echo 'no json'
      echo '{"id":"gone","image":"gone.png","caption":"x"}'
      head -n 1 rows.jsonl | jq -c '{id:"none",image}'
      echo '{"id":"nobody","messages":[{"role":"user","content":"hi"}]}'
      echo '{"id":"tags","conversations":[{"from":"human","value":"<image> what?"},{"from":"gpt","value":"a"}]}'
      echo '{"id":"before","error":{"stage":"x","class":"media","message":"y"}}'
      jq -n -c '{id:"long",messages:[{role:"user",content:"x"},{role:"assistant",content:("word " * 300)}]}'
    } > mixed.jsonl
    run --separate-stderr -1 sft --ctx 200 --out out mixed.jsonl --errors bad.jsonl
    [ "${#lines[@]}" = 1 ]
    jq -e '.rows == 3 and .failed == 6' <<<"$output"
    jq -c .error bad.jsonl
    [ "$(jq -r '.error.class' bad.jsonl | tr '\n' ' ')" = "json media missing missing type too_long " ]
    [[ "$(jq -r 'select(.id == "long").error.message' bad.jsonl)" =~ ^[0-9]+\ tokens,\ beyond\ 200 ]]
    [ "${#stderr_lines[@]}" = 6 ]
    [[ "${stderr_lines[1]}" == "sft-step: mixed.jsonl:5 (id=gone): "*gone.png* ]]
    sft --ctx 200 --truncate --out out2 mixed.jsonl --errors bad2.jsonl | jq -e '.rows == 4' || [ "${PIPESTATUS[0]}" = 1 ]
    run -3 sft --max-errors 2 --out out3 mixed.jsonl
    [ ! -e out3 ]
}

@test "an error row is there once, however often a run goes on; a start that is refused leaves it" {
    { echo 'no json'; head -n 12 rows.jsonl; echo 'nor this'; } > mixed.jsonl
    run -1 sft --steps 1 --out out --errors bad.jsonl mixed.jsonl
    [ "$(jq -r .input bad.jsonl | tr '\n' ' ')" = "no json nor this " ]
    run -2 sft --out out --errors bad.jsonl mixed.jsonl
    [ "$(wc -l < bad.jsonl)" = 2 ]
    run -2 sft --resume --out out --errors bad.jsonl missing.jsonl
    [ "$(wc -l < bad.jsonl)" = 2 ]
    run -2 sft --out other --errors new.jsonl missing.jsonl
    sft --steps 1 --out other --errors new.jsonl rows.jsonl > /dev/null # an empty file is none
    rm -r other
    sft --steps 1 --out other --errors - mixed.jsonl | jq -c 'select(.error).input' | diff <(jq -c .input bad.jsonl) -
    run -1 sft --steps 2 --resume --out out --errors bad.jsonl mixed.jsonl
    [ "$(jq -r .input bad.jsonl | tr '\n' ' ')" = "no json nor this " ]
    sft --force --out out --errors bad.jsonl rows.jsonl > /dev/null
    [ ! -s bad.jsonl ]
}

@test "--errors writes over neither an input nor a file that is there" {
    cp rows.jsonl kept
    for options in "--out out" "--out out --force --eval eval" "--out out --resume"; do
        cp rows.jsonl eval
        # shellcheck disable=SC2086 # words
        run --separate-stderr -2 sft $options --errors ./rows.jsonl rows.jsonl
        [ "$stderr" = "sft-step: ./rows.jsonl: is an input of this run too" ]
    done
    run --separate-stderr -2 sft --out out --eval eval --errors "$PWD/eval" rows.jsonl
    run --separate-stderr -2 sft --out out --errors kept rows.jsonl
    [[ "$stderr" == "sft-step: kept: exists"* ]]
    cmp rows.jsonl kept && cmp rows.jsonl eval
    echo broken > one
    run --separate-stderr -2 sft --out out --force --errors kept one
    [ "$(wc -l < kept)" = 1 ]
}

@test "no row to learn from, no model, no folder, an unknown part: status 2 with the reason" {
    run --separate-stderr -2 sft --out out /dev/null
    [ "$stderr" = "sft-step: no row to learn from" ]
    run --separate-stderr -2 sft rows.jsonl
    [[ "$stderr" == *"--out DIR"* ]]
    run --separate-stderr -2 sft-step --out out rows.jsonl
    [[ "$stderr" == *"-m SPEC"* ]]
    run --separate-stderr -2 sft --train text,head --out out rows.jsonl
    [[ "$stderr" == *'"head" is not a part'* ]]
    run --separate-stderr -2 sft --eps 0 --lora 4,8,q --out out rows.jsonl # B is 0, and so is A's gradient
    [ "${stderr_lines[0]}" = "sft-step: --eps 0: not a number from 1e-20 to 1" ]
    run --separate-stderr -2 sft --out out gone.jsonl
    [[ "$stderr" == *gone.jsonl* ]]
}

@test "--train: what is frozen keeps its bytes" {
    sft --train merger --dtype bf16 --steps 3 --out out rows.jsonl > /dev/null
    sft --train text --dtype bf16 --steps 3 --out out2 rows.jsonl > /dev/null
    cmp -s "$CAPMILL_SHARE/pocket/captioner/model.safetensors" out/latest/model.safetensors && return 1
    [ "$(jq -r .state.train out/latest/state/state.json)" = merger ]
    run -2 sft --train text --resume --steps 5 --out out rows.jsonl
    [[ "$output" == *"--train merger"* || "$output" == *"trained"* ]]
}

@test "a run that goes on ends in the bits of one that was never stopped, whatever the threads" {
    sft --epochs 2 --save 2 --out whole rows.jsonl > whole.jsonl
    for steps in 1 4 9; do # the first step, one within, an epoch's edge or nearly
        rm -rf part
        sft_exec --epochs 2 --save 2 --schedule cosine --out part rows.jsonl > part.jsonl & local pid=$!
        until [ "$(wc -l < part.jsonl 2>/dev/null || echo 0)" -ge "$steps" ]; do sleep 0.01; done
        kill -9 "$pid"; wait "$pid" || true
        sft --epochs 2 --save 2 --threads 1 --resume --out part rows.jsonl > rest.jsonl
        same whole part
        tail -n 1 rest.jsonl | jq -c 'del(.step_time,.tokens_per_second,.peak_share)' > a
        tail -n 1 whole.jsonl | jq -c 'del(.step_time,.tokens_per_second,.peak_share)' | cmp - a
    done
    sft --epochs 2 --save 2 --resume --out part rows.jsonl > nothing
    [ ! -s nothing ]
}

@test "killed at random moments, the last whole checkpoint is taken up each time" {
    sft --epochs 2 --save 1 --keep 2 --out whole rows.jsonl > whole.jsonl
    local rounds=$((${LONG:-0} ? 100 : 10)) i
    for ((i = 0; i < rounds; i++)); do
        sft_exec --epochs 2 --save 1 --keep 2 --resume --out part rows.jsonl >> part.jsonl & local pid=$!
        sleep "0.$((RANDOM % 5))$((RANDOM % 10))"
        kill -9 "$pid" 2>/dev/null || true
        wait "$pid" && break
    done
    sft --epochs 2 --save 1 --keep 2 --resume --out part rows.jsonl >> part.jsonl
    same whole part
    jq -s -c 'group_by(.step) | map(last | del(.step_time, .tokens_per_second, .peak_share))[]' part.jsonl |
        cmp - <(jq -c 'del(.step_time, .tokens_per_second, .peak_share)' whole.jsonl)
    [ "$(find part -maxdepth 1 -name 'v*' | wc -l)" -le 2 ]
    [ "$(find part -maxdepth 1 -name '.making*' | wc -l)" = 0 ]
}

@test "a step's row is out before its checkpoint is: killed in between, the step is made again" {
    sft --save 1 --steps 3 --out whole rows.jsonl > whole.jsonl
    mkfifo pipe
    exec 8<> pipe
    head -c 65536 /dev/zero >&8 # nothing goes in any more
    sft_exec --save 1 --steps 3 --out part rows.jsonl > pipe 8>&- & local pid=$!
    at_its_row() { grep -qs pipe_w "/proc/$pid/wchan" || [ -e part/v000001 ]; }
    eventually at_its_row || true # where the kernel does not tell: long enough
    kill -9 "$pid"; wait "$pid" || true
    exec 8>&-
    sft --save 1 --steps 3 --resume --out part rows.jsonl > part.jsonl
    [ "$(jq -c .step part.jsonl)" = "$(jq -c .step whole.jsonl)" ]
    same whole part
}

@test "one folder, one run" {
    sft_exec --epochs 9 --out part rows.jsonl > part.jsonl & local pid=$!
    until [ "$(wc -l < part.jsonl)" -ge 1 ]; do sleep 0.01; done
    run --separate-stderr -2 sft --out part rows.jsonl
    kill -9 "$pid"; wait "$pid" || true
    [ "$stderr" = "sft-step: part: another run is at work there" ]
}

@test "SIGTERM: a checkpoint of the last whole step, status 75, and on" {
    sft --epochs 2 --out whole rows.jsonl > /dev/null
    sft_exec --epochs 2 --out part rows.jsonl > part.jsonl & local pid=$!
    until [ "$(wc -l < part.jsonl)" -ge 3 ]; do sleep 0.01; done
    kill -TERM "$pid"
    wait "$pid" && return 1 || [ "$?" = 75 ]
    [ -e part/latest/model.safetensors ]
    sft --epochs 2 --resume --out part rows.jsonl > /dev/null
    same whole part
}

@test "a damaged checkpoint is passed over, and said" {
    sft --save 2 --out whole rows.jsonl > /dev/null
    cp -r whole part
    printf x | dd of=part/latest/model.safetensors bs=1 seek=50000 conv=notrunc status=none
    run --separate-stderr -0 sft --save 2 --resume --out part rows.jsonl
    [[ "$stderr" == *"is damaged"*"is taken"* ]]
    same whole part
    truncate -s 1000 part/latest/state/optimizer.safetensors
    run --separate-stderr -0 sft --save 2 --resume --out part rows.jsonl
    [[ "$stderr" == *optimizer.safetensors* ]]
    same whole part
}

@test "what a kill kept a run from doing after a checkpoint is done when it goes on" {
    sft --save 1 --steps 4 --out out rows.jsonl > /dev/null
    ln -sfn v000003 out/latest
    mkdir out/.making-000005
    sft --save 1 --steps 4 --keep 2 --resume --out out rows.jsonl
    [ "$(readlink out/latest)" = v000004 ]
    [ "$(find out -mindepth 1 -maxdepth 1 ! -name latest -printf '%f\n' | sort | tr '\n' ' ')" = "v000003 v000004 " ]
}

@test "--keep 1 behind a damaged checkpoint: what is saved stays" {
    sft --save 2 --steps 4 --out out rows.jsonl > /dev/null
    truncate -s 1000 out/v000004/model.safetensors
    run --separate-stderr -0 sft --save 1 --steps 3 --keep 1 --resume --out out rows.jsonl
    [[ "$stderr" == *"v000002 is taken"* ]]
    [ "$(readlink out/latest)" = v000003 ]
    [ -e out/latest/state/state.json ]
    [ ! -e out/v000002 ]
}

@test "a checkpoint of other rows or options is refused; so is a folder that has some" {
    sft --steps 2 --out out rows.jsonl > /dev/null
    run --separate-stderr -2 sft --steps 2 --out out rows.jsonl
    [[ "$stderr" == *"--resume"*"--force"* ]]
    run --separate-stderr -2 sft --steps 4 --resume --seed 7 --out out rows.jsonl
    [[ "$stderr" == *"--seed 0"* ]]
    head -n 60 rows.jsonl > fewer.jsonl
    run --separate-stderr -2 sft --steps 4 --resume --out out fewer.jsonl
    [[ "$stderr" == *"not those that the run began with"* ]]
    sft --steps 1 --force --out out rows.jsonl > /dev/null
    [ "$(readlink out/latest)" = v000001 ]
}

@test "a run goes on only with the options that decide its numbers, and its model" {
    sft --steps 2 --out out rows.jsonl > /dev/null
    local option
    for option in "--lr 2e-3" "--lr-end 1e-4" "--schedule linear" "--warmup 3" "--beta1 0.5" "--beta2 0.5" "--eps 1e-3" \
        "--weight-decay 0" "--clip 0" "--prompt Hm" "--system S" "--chat chatml" "--ctx 1000" --truncate "--min-pixels 1000" "--max-pixels 4096"; do
        # shellcheck disable=SC2086
        run --separate-stderr -2 sft --steps 4 --resume --out out $option rows.jsonl
        [[ "$stderr" == "sft-step: out: the run began with"*" ${option%% *}"* ]] || { echo "$option: $stderr"; false; }
    done
    cp -rL "$CAPMILL_SHARE/pocket/captioner" other # of the same shapes
    printf xx | dd of=other/model.safetensors bs=1 seek="$(($(stat -c %s other/model.safetensors) - 4000))" conv=notrunc status=none
    run --separate-stderr -2 sft --steps 4 --resume -m ./other --out out rows.jsonl
    [ "$stderr" = "sft-step: out: the run began with another model" ]
    [ "$(readlink out/latest)" = v000002 ]
    cp -rL "$CAPMILL_SHARE/pocket/captioner" moved
    sft --steps 3 --resume -m ./moved --micro-tokens 200 --threads 1 --recompute --out out rows.jsonl > /dev/null
}

@test "a full disk leaves the checkpoint before it whole" {
    sft --schedule constant --steps 2 --out out rows.jsonl > /dev/null
    small_disk() { (ulimit -f 2000; trap '' XFSZ; sft --schedule constant --epochs 2 --resume --out out rows.jsonl > metrics); }
    run --separate-stderr -75 small_disk
    [[ "$stderr" == "sft-step: out/"*": File too large" ]]
    [ "$(readlink out/latest)" = v000002 ]
    [ "$(find out -maxdepth 1 -name '.making*' | wc -l)" = 0 ]
    sft --schedule constant --epochs 2 --resume --out out rows.jsonl > /dev/null
    sft --schedule constant --epochs 2 --out whole rows.jsonl > /dev/null
    same whole out
}

@test "--eval: the loss of rows that are not learnt, at steps asked for and at the end" {
    tail -n 8 rows.jsonl > held.jsonl
    sft --eval held.jsonl --eval-every 3 --steps 7 --out out rows.jsonl > metrics
    [ "$(jq -c 'select(has("eval_loss")).step' metrics | tr '\n' ' ')" = "3 6 7 " ]
    jq -s -e 'map(.eval_loss // empty) | .[-1] < .[0]' metrics
}

@test "SIGTERM in an evaluation: it is made, and its row comes, when the run goes on" {
    head -n 4 rows.jsonl > few.jsonl # most of the time goes into evaluation
    measured() { sft --epochs 3 --eval rows.jsonl --eval-every 2 "$@" few.jsonl; }
    measured_exec() { exec sft-step -m pocket --root "$WORLD" --lr 1e-3 --batch-tokens 512 --epochs 3 --eval rows.jsonl --eval-every 2 --out part few.jsonl; }
    measured --out whole > whole.jsonl
    local i status
    for i in 1 2 3 4 5; do
        rm -rf part
        measured_exec > part.jsonl 2> messages & local pid=$!
        until [ -e part ]; do sleep 0.01; done # it has read its rows
        sleep "0.$((RANDOM % 9))"
        kill -TERM "$pid" 2>/dev/null || true
        status=0
        wait "$pid" || status=$?
        [ "$status" = 75 ] || [ "$(wc -l < part.jsonl)" = 3 ]
        measured --resume --out part >> part.jsonl
        cmp <(numbers part.jsonl) <(numbers whole.jsonl)
        same whole part
        [ -z "$(measured --resume --out part)" ]
    done
}

@test "--recompute changes no bit" {
    sft --steps 4 --out a rows.jsonl > /dev/null
    sft --steps 4 --recompute --out b rows.jsonl > /dev/null
    same a b
}

@test "smaller micro-batches: the same step within rounding" {
    sft --steps 1 --out a rows.jsonl | jq -c '[.loss,.grad_norm]' > a.n
    sft --steps 1 --micro-tokens 70 --out b rows.jsonl | jq -c '[.loss,.grad_norm]' > b.n
    jq -s -e '(.[0][0] - .[1][0] | fabs) < 1e-6 and (.[0][1] - .[1][1] | fabs) < 1e-4' a.n b.n
}

@test "--pack: sequences computed together are the sequences alone" {
    sft --steps 1 --no-shuffle --micro-tokens 1 --out a rows.jsonl | jq -c '[.loss,.grad_norm,.num_tokens]' > a.n
    sft --steps 1 --no-shuffle --pack 300 --out b rows.jsonl | jq -c '[.loss,.grad_norm,.num_tokens]' > b.n
    cat a.n b.n
    jq -s -e '.[0][0] == .[1][0] and .[0][2] == .[1][2]
        and ((.[0][1] - .[1][1]) / .[0][1] | fabs) < 1e-6' a.n b.n
    run --separate-stderr -2 sft --pack 300 --micro-tokens 300 --out c rows.jsonl
    [ "${stderr_lines[0]}" = "sft-step: --pack or --micro-tokens, not both" ]
}

@test "resumed at step 0, at each step, an epoch's edge and the last: equal rows and bits" {
    head -n 20 rows.jsonl > few.jsonl
    sft --epochs 2 --save 1 --out whole few.jsonl > whole.jsonl
    local steps step version
    steps=$(wc -l < whole.jsonl)
    jq -s -e 'map(.epoch) | unique == [0, 1]' whole.jsonl
    for ((step = 0; step <= steps; step++)); do
        rm -rf part
        mkdir part
        for version in whole/v*; do
            ((10#${version##*/v} > step)) || cp -r "$version" part/
        done
        sft --epochs 2 --save 1 --resume --out part few.jsonl > rest.jsonl
        same whole part
        numbers whole.jsonl | tail -n "+$((step + 1))" | cmp - <(numbers rest.jsonl)
    done
}

@test "a loss that is no number stops the run, names step and rows, and keeps the state" {
    model-init --random --like pocket --tokenizer pocket --dtype fp32 --seed 3 broken
    local size
    size=$(stat -c %s broken/model.safetensors)
    printf '\0\0\300\177' | dd of=broken/model.safetensors bs=1 seek=$((size - 4)) conv=notrunc status=none
    head -n 3 rows.jsonl > few.jsonl
    run --separate-stderr -1 sft-step -m broken --root "$WORLD" --no-shuffle --out out few.jsonl
    [ "$stderr" = "sft-step: step 1 (few.jsonl:1, few.jsonl:2, few.jsonl:3): the loss is not a number" ]
    [ "$output" = "" ]
    [ "$(readlink out/latest)" = v000000 ]
    cmp broken/model.safetensors out/latest/model.safetensors
}

@test "rows of text among rows with pictures: an empty list is no picture" {
    echo '{"conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"The sky"}],"image":"","images":[]}' > row
    sft-step -m pocket-judge --out out row | jq -e '.rows == 1 and .failed == 0'
}

@test "--truncate never cuts a picture; a tokenizer that the model has no rows for is refused" {
    local image
    image=$(jq -r .image rows.jsonl | head -n 1)
    jq -n -c --arg i "$image" '{id:"late",images:[$i,$i],conversations:[
        {from:"human",value:"<image> What?"},{from:"gpt",value:"A star."},
        {from:"human",value:"<image> And here?"},{from:"gpt",value:"A star."}]}' > two.jsonl
    local tokens
    tokens=$(sft --out a two.jsonl | jq .num_tokens)
    run --separate-stderr -2 sft --truncate --ctx "$((tokens - 12))" --out b two.jsonl
    [[ "$stderr" == *"two.jsonl:1 (id=late): $tokens tokens, beyond $((tokens - 12)), and a picture lies where it would be cut"* ]]
    sft --truncate --ctx "$((tokens - 2))" --out c two.jsonl | jq -e --argjson n "$((tokens - 2))" '.num_tokens <= $n'
    cp -rL "$CAPMILL_SHARE/pocket/captioner" small
    jq '.added_tokens += [.added_tokens[-1] | .id = 800 | .content = "<|more|>"]' small/tokenizer.json > tokenizer.json
    mv tokenizer.json small/tokenizer.json
    run --separate-stderr -2 sft-step -m ./small --root "$WORLD" --out d rows.jsonl
    [ "$stderr" = "sft-step: ./small: the tokenizer has ids up to 800, the model's vocabulary is 696" ]
}

@test "--tensorboard: the metrics, as events" {
    sft --steps 2 --tensorboard charts --out out rows.jsonl > metrics
    [ "$(find charts -name 'events.out.tfevents.*' | wc -l)" = 1 ]
    [ "$(strings charts/events* | grep -c grad_norm)" = 2 ]
    run --separate-stderr -2 sft --tensorboard /dev/null/x --out out2 rows.jsonl
    [ "$stderr" = "sft-step: --tensorboard: /dev/null/x: Not a directory" ]
}

# Rows through a pipe.
piped() { cat rows.jsonl | sft --schedule constant --window 16 --seed 3 --save 2 "$@"; }
# Metrics without times.
numbers() { jq -c 'del(.step_time,.tokens_per_second,.peak_share)' "$@"; }

@test "rows from a pipe are shuffled in a window, by seed and input alone" {
    piped --out a > a.jsonl
    { while read -r row; do echo "$row"; sleep 0.01; done < rows.jsonl; } |
        sft --schedule constant --window 16 --seed 3 --out b > b.jsonl
    cmp <(numbers a.jsonl) <(numbers b.jsonl)
    same a b
    [ "$(jq -s 'map(.rows) | add' a.jsonl)" = 64 ]
    cat rows.jsonl | sft --schedule constant --window 16 --seed 4 --out c | numbers > c.numbers
    cmp -s <(numbers a.jsonl) c.numbers && return 1
    cat rows.jsonl | sft --schedule constant --no-shuffle --out d | numbers > d.numbers
    sft --schedule constant --no-shuffle --out e rows.jsonl | numbers | cmp - d.numbers
}

@test "a killed run goes on in its pipe and ends in equal bits, bad rows counted" {
    { head -n 20 rows.jsonl; echo 'no json'; tail -n +21 rows.jsonl; } > mixed.jsonl
    mv mixed.jsonl rows.jsonl
    piped --out whole --errors bad > whole.jsonl || [ "$?" = 1 ]
    [ "$(tail -n 1 whole.jsonl | jq .failed)" = 1 ]
    mkfifo fifo
    for steps in 1 4 7; do
        rm -rf part bad
        cat rows.jsonl > fifo & local writer=$!
        sft_exec --schedule constant --window 16 --seed 3 --save 2 --errors bad --out part fifo > part.jsonl & local pid=$!
        until [ "$(wc -l < part.jsonl)" -ge "$steps" ]; do sleep 0.05; done
        kill -9 "$pid"; wait "$pid" || true
        kill "$writer" 2>/dev/null || true; wait "$writer" || true
        piped --resume --out part --errors bad > rest.jsonl || [ "$?" = 1 ]
        same whole part
        [ "$(jq -r .input bad)" = "no json" ] # once
        numbers whole.jsonl | tail -n "$(wc -l < rest.jsonl)" | cmp - <(numbers rest.jsonl)
    done
    run --separate-stderr -2 piped --resume --out part --window 8
    [ "${stderr_lines[-1]}" = "sft-step: part: the run began with --window 16" ]
    run --separate-stderr -2 sft --schedule constant --seed 3 --resume --out part rows.jsonl
    [ "${stderr_lines[-1]}" = "sft-step: part: the run's rows came from a pipe" ]
    tac rows.jsonl > other.jsonl
    mv other.jsonl rows.jsonl
    run --separate-stderr -2 piped --resume --out part
    [ "${stderr_lines[-1]}" = "sft-step: part: the rows are not those that the run began with" ]
}

@test "a pipe's length is not known: what needs it is refused" {
    run --separate-stderr -2 sft --out a < <(cat rows.jsonl)
    [[ "$stderr" == "sft-step: stdin: "*"--steps N, or --schedule constant" ]]
    run --separate-stderr -2 sft --out a --epochs 2 --steps 2 < <(cat rows.jsonl)
    [ "$stderr" = "sft-step: stdin: several epochs need files, not a pipe" ]
    [ ! -e a ]
    sft --out a --steps 2 < <(cat rows.jsonl) > metrics
    [ "$(wc -l < metrics)" = 2 ]
    run --separate-stderr -2 sft --out b --steps 2 < <(true)
    [ "$stderr" = "sft-step: no row to learn from" ]
}

@test "SIGTERM while a pipe is silent: a checkpoint, status 75" {
    mkfifo rows
    sft_exec --schedule constant --out part --no-shuffle < rows > part.jsonl & local pid=$!
    exec 9> rows
    cat rows.jsonl >&9
    until [ "$(wc -l < part.jsonl)" -ge 3 ]; do sleep 0.01; done
    kill -TERM "$pid"
    wait "$pid" && return 1 || [ "$?" = 75 ]
    exec 9>&-
    [ -e part/latest/model.safetensors ]
}

@test "a data file that changes during the run is named, and the state saved" {
    sft_exec --epochs 9 --out part rows.jsonl > part.jsonl 2> messages & local pid=$!
    until [ "$(wc -l < part.jsonl)" -ge 3 ]; do sleep 0.01; done
    sed 's/red/rad/g' rows.jsonl | dd of=rows.jsonl conv=notrunc status=none
    wait "$pid" && return 1 || [ "$?" = 1 ]
    cat messages
    [[ "$(cat messages)" =~ ^sft-step:\ step\ [0-9]+\ \(rows.jsonl:.*\):\ rows.jsonl:[0-9]+:\ the\ file\ changed\ during\ the\ run$ ]]
    [ -e part/latest/model.safetensors ]
}

@test "a closed or full output ends the run as resumable" {
    full_disk() { sft --out out rows.jsonl > /dev/full; }
    run -75 full_disk
    [ -e out/latest/model.safetensors ]
}

@test "the man page's example runs as printed" {
    full 64 > captions.jsonl
    sed -n '/^\.Bd -literal/,/^\.Ed/p; /^\.Ed/q' "$ROOT/man/sft-step.1" | grep -v '^\.' > example
    [ "$(wc -l < example)" = 2 ]
    bash -e example | grep '^There\|^The'
    [ -s metrics.jsonl ]
}

@test "transformers loads what was trained and writes the same greedy captions (CAPMILL_PYTHON)" {
    [ -n "${CAPMILL_PYTHON:-}" ] || skip "no CAPMILL_PYTHON with torch, torchvision and transformers"
    jq -c '{id,image,caption:(.facts|join(" "))}' "$WORLD/train.jsonl" | head -n 64 > rows.jsonl
    sft-step -m pocket --root "$WORLD" --batch-tokens 1024 --lr 7e-4 --dtype fp32 --out out rows.jsonl > metrics
    mapfile -t images < <(head -n 12 "$WORLD/test.jsonl" | jq -r .image)
    "$CAPMILL_PYTHON" "$BATS_TEST_DIRNAME/greedy-check.py" out/latest "$WORLD" "${images[@]}" > theirs
    # ours end with the end token
    head -n 12 "$WORLD/test.jsonl" | caption -m out/latest --temperature 0 --max-tokens 96 --ids --root "$WORLD" |
        jq -c '{image, ids: .captions[0].ids[:-1]}' > ours
    diff <(jq -c . theirs) ours
}

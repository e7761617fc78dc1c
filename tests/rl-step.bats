# rl-step: rewarded captions in, a metrics row and a version of the policy a step out.
setup_file() {
    load common
    head -n 8 "$WORLD/train.jsonl" | caption -m pocket -n 4 --logprobs --root "$WORLD" > "$BATS_FILE_TMPDIR/captions.jsonl"
}
setup() {
    load common
    CAPTIONS=$BATS_FILE_TMPDIR/captions.jsonl
    rewarded < "$CAPTIONS" > rows.jsonl
    placed 2 < rows.jsonl > ring.jsonl
}

# Rewards that differ in every group.
rewarded() { jq -c '.captions |= (to_entries | map(.value + {reward: {total: (.key * .key / 10), acc: (.key / 4), format: 0, len: 1}}))'; }
# Rows of one batch as steps of so many rows each.
placed() { jq -c --argjson of "$1" -n '[inputs] | to_entries[] | .value + {_rl: {step: ((.key / $of | floor) + 1), i: (.key % $of), of: $of, version: 0}}'; }
step() { rl-step -m pocket --out policy --root "$WORLD" --work . --lr 1e-4 "$@"; }
rl_exec() { exec rl-step -m pocket --root "$WORLD" --work . --lr 1e-4 "$@"; } # in the background: the process itself
same() { cmp "$1/model.safetensors" "$2/model.safetensors" && cmp "$1.d/checkpoints/latest/state/optimizer.safetensors" "$2.d/checkpoints/latest/state/optimizer.safetensors"; }
# A row changed by a jq filter is refused with this text, and nothing is learnt from it.
refused() {
    jq -c "$1" rows.jsonl > changed.jsonl
    run --separate-stderr -2 step --out refused changed.jsonl
    [[ "$stderr" == *"changed.jsonl:1"*"$2"* ]] || { echo "$1: $stderr"; return 1; }
    [ "$output" = '{"hello":true,"step":0,"version":0}' ]
    rm -rf refused refused.d
}

@test "a hello, a metrics row a step, a policy that caption opens" {
    run --separate-stderr -0 step rows.jsonl
    [ "$stderr" = "" ]
    [ "${lines[0]}" = '{"hello":true,"step":0,"version":0}' ]
    [ "${#lines[@]}" = 2 ]
    jq -e '.step == 1 and .version == 1 and .lr == 1e-4 and .grad_norm > 0.1
        and (.reward - 0.35 | fabs) < 1e-9 and (.reward_std - 0.4041451884327381 | fabs) < 1e-9 and .frac_reward_zero_std == 0
        and ."rewards/acc/mean" == 0.375 and ."completions/mean_length" > 5
        and ."completions/clipped_ratio" == 0 and .entropy > 0 and ."clip_ratio/region_mean" == 0
        and .logprob_gap_max == 0 and .groups == 8 and .groups_skipped == 0 and .num_tokens > 300 and .step_time > 0' <<<"${lines[1]}"
    [ "$(readlink policy)" = policy.d/v000001 ]
    caption -m policy --temperature 0 --text "$SAMPLES/images/0000.png"
    model-info policy
}

@test "what is rewarded becomes likelier, what is not, less" {
    head -n 1 rows.jsonl > one
    step --lr 1e-3 one > metrics
    jq -c 'del(.captions,.gen)' one > row
    caption -m policy -n 64 --seed 5 --root "$WORLD" row > new
    caption -m pocket -n 64 --seed 5 --root "$WORLD" row > old
    best=$(jq -c '.captions[3].text' one) worst=$(jq -c '.captions[0].text' one)
    [ "$best" != "$worst" ]
    count() { jq --argjson t "$2" '[.captions[] | select(.text == $t)] | length' "$1"; }
    echo "best $(count old "$best") to $(count new "$best"), worst $(count old "$worst") to $(count new "$worst")"
    [ $(($(count new "$best") - $(count new "$worst"))) -gt $(($(count old "$best") - $(count old "$worst"))) ]
}

@test "the rollout's and the trainer's log-probabilities are equal to the bit" {
    printf '%s\n' '{"id":"a","messages":[{"role":"user","content":"Hello there"}]}' \
        '{"id":"b","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"What colour is the sky? This is a longer question."}]}' > text
    { head -n 3 "$WORLD/train.jsonl"; cat text
      echo '{"id":"two","images":["images/train-0001.png","images/train-0002.png"],"prompt":"Compare them."}'; } > mixed
    for way in "1 --temperature 1" "2 --temperature 0.7 --max-tokens 9" "2 --temperature 1.7 --system Short."; do
        threads=${way%% *}
        # shellcheck disable=SC2086
        caption -m pocket -n 3 --logprobs --max-tokens 40 ${way#* } --seed 4 --threads "$threads" --root "$WORLD" mixed > captions || true
        grep -v '"error"' captions | rewarded > drawn
        [ "$(wc -l < drawn)" -ge 5 ]
        for micro in 1 300 4096; do
            step --out "p$micro" --force --threads $((3 - threads)) --micro-tokens $micro drawn | tail -n 1 > metrics
            jq -c '[.logprob_gap_max,.groups,.loss]' metrics
            jq -e '.logprob_gap_max == 0' metrics
        done
    done
}

@test "each family's prompts are made again as they were: chat, pixels, picture numbers, thinking" {
    printf '%s\n' '{"image":"img_a.png"}' '{"images":["img_b.png","img_c.png"],"prompt":"Compare."}' \
        '{"messages":[{"role":"user","content":[{"type":"text","text":"What"},{"type":"image","image":"img_b.png"},{"type":"text","text":" is it?"}]},{"role":"assistant","content":"A star."},{"role":"user","content":"Go on."}]}' > pictures
    echo '{"messages":[{"role":"user","content":"Hello there"}]}' > text
    for model in qwen2_5_vl qwen3_vl qwen3 qwen2; do
        rows=pictures options=(--vision-id --max-pixels 20000)
        [[ $model == *vl ]] || { rows=text; options=(--think off); }
        caption -m "$GOLDENS/models/$model" -n 3 --logprobs "${options[@]}" --max-tokens 20 --root "$GOLDENS/media" $rows > drawn
        rewarded < drawn > given
        rl-step -m "$GOLDENS/models/$model" --train all --out "p$model" --work . --root "$GOLDENS/media" given > metrics
        tail -n 1 metrics | jq -e --argjson n "$(wc -l < $rows)" '.logprob_gap_max == 0 and .groups == $n and .grad_norm > 1'
    done
}

@test "the reference's losses and clip shares, from its completions and the picture itself" {
    variants=("grpo --loss grpo" "grpo_dual_clip --dual-clip 3" "dr_grpo --loss dr-grpo --constant 16"
        "dapo --loss dapo" "dapo_dual_clip --loss dapo --dual-clip 3" "gspo --loss gspo --clip-low 0.2 --clip-high 0.2"
        "gspo_paper_clip --loss gspo" "grpo_entropy --aggregate token-mean --entropy-coef 0.01")
    for model in qwen3_vl qwen2_5_vl; do
        reference=$GOLDENS/train/$model/rl.json
        jq -c '{messages}' "$reference" > row
        caption -m "$GOLDENS/models/$model" --logprobs --max-tokens 2 --root "$GOLDENS/media" row > drawn
        jq -c --slurpfile g "$reference" '$g[0] as $g | del(.caption) | .captions = [range(4) as $i | {text: "", finish: "stop",
            ids: $g.completions[$i], logprobs: $g.old_logp[$i], reward: {total: $g.rewards[$i]}}]' drawn > given
        for variant in "${variants[@]}"; do
            read -r name options <<<"$variant"
            # shellcheck disable=SC2086
            rl-step -m "$GOLDENS/models/$model" --out p --force --work . --train all --root "$GOLDENS/media" $options given > metrics
            # losses of own pixels: 5e-3 (goldens/README.md); the reference adds a KL term to grpo's loss
            tail -n 1 metrics | jq -e --arg name "$name" --slurpfile g "$reference" '$g[0].variants[$name] as $want
                | (if $want.settings.kl then $want.pg_loss else $want.loss end) as $loss
                | (.loss - $loss | fabs) < 5e-3 and (."clip_ratio/region_mean" - $want.clip_fraction | fabs) < 1e-6
                and (.grad_norm / $want.grad_norm - 1 | fabs) < 5e-3'
        done
    done
}

@test "another order of summation is noticed" {
    head -n 2 "$WORLD/train.jsonl" > two
    CAPMILL_ISA=plain caption -m pocket -n 4 --logprobs --root "$WORLD" two > drawn
    rewarded < drawn > given
    CAPMILL_ISA=plain step given | tail -n 1 | jq -e '.logprob_gap_max == 0'
    grep -q avx2 /proc/cpuinfo || skip "this processor has one order only"
    step --out p2 given | tail -n 1 | jq -e '.logprob_gap_max > 0 and .logprob_gap_max < 1e-4'
}

@test "a log-probability that is one bit off is noticed" {
    # the neighbour of a float: 2^-23 of it more
    jq -c 'if .id == "train-0003" then .captions[1].logprobs[2] |= (. * (1 + 2.4e-7)) else . end' rows.jsonl > off
    step off | tail -n 1 | jq -e '.logprob_gap_max > 0 and .logprob_gap_max < 1e-5'
    # and so are weights that are not those that sampled, or another prompt
    jq -c '.gen.prompt = "Please describe this image in detail!"' rows.jsonl > other
    step --out p2 other | tail -n 1 | jq -e '.logprob_gap_max > 1e-4'
}

@test "groups of equal rewards, with too few captions, with errors: counted, not learnt from" {
    { sed -n 1p rows.jsonl | jq -c '.captions |= map(.reward.total = 0.5)'
      sed -n 2p rows.jsonl | jq -c '.captions |= [.[0], (.[1,2,3] | del(.reward) + {error: {stage: "reward", class: "http", message: "x"}})]'
      sed -n 3p rows.jsonl | jq -c '{id, error: {stage: "caption", class: "media", message: "x"}}'
      sed -n 4p rows.jsonl | jq -c '.captions[0] |= (del(.reward) + {error: {stage: "reward", class: "http", message: "x"}})'
    } > some
    sed -n 4p rows.jsonl | jq -c 'del(.captions[0])' > alone
    run --separate-stderr -0 step some
    [ "$stderr" = "" ]
    jq -e '.groups == 2 and .frac_reward_zero_std == 0.5 and .groups_skipped == 2 and .captions_failed == 4 and .logprob_gap_max == 0' <<<"${lines[1]}"
    step --out p2 alone | tail -n 1 | jq -e '.groups == 1 and .groups_skipped == 0'
    same policy p2
}

@test "a batch of failures alone, as when a judge was down or a disk away, is no step: 75, and it comes again" {
    jq -c '.captions |= map(del(.reward) + {error: {stage: "reward", class: "http", message: "x"}})' rows.jsonl > down
    run --separate-stderr -75 step down
    [ "${#lines[@]}" = 1 ] # the hello
    [[ "$stderr" == *"step 1: none of its 8 rows has two captions without an error"* ]]
    run --separate-stderr -75 step --root nowhere rows.jsonl # a disk with pictures
    [ "${#lines[@]}" = 1 ]
    [[ "$stderr" == *"step 1: none of its 8 rows has its pictures and two captions without an error"* ]]
    run --separate-stderr -0 step rows.jsonl
    [ "$(jq -c '[.step,.groups]' <<<"${lines[1]}")" = '[1,8]' ]
}

@test "a batch that teaches nothing leaves the weights as they are" {
    jq -c '.captions |= map(.reward.total = 0.5)' rows.jsonl > equal
    step --out p1 equal | tail -n 1 | jq -e '.frac_reward_zero_std == 1 and .loss == 0 and .grad_norm == 0 and .updates == 0 and .version == 1 and .logprob_gap_max == 0'
    step --out p0 --force /dev/null
    cmp p0/model.safetensors p1/model.safetensors
}

@test "a picture that is gone: told, counted, status 1, and the step goes on as without it" {
    jq -c 'if .id == "train-0002" then .image = "gone.png" | .captions[3].reward.total = 8 else . end' rows.jsonl > gone
    run --separate-stderr -1 step gone
    [[ "$stderr" == "rl-step: gone:2 (id=train-0002): gone.png: "*"the group is left out" ]]
    # ... as if the row had never been there
    grep -v train-0002 rows.jsonl | step --out p2 > metrics
    jq -s -e '(.[0].grad_norm - .[1].grad_norm | fabs) < 1e-5 and .[0].grad_norm > 0.1 and (.[0].entropy - .[1].entropy | fabs) < 1e-7' <(tail -n 1 metrics) - <<<"${lines[1]}"
    jq -e '.groups == 7 and .groups_skipped == 1 and .logprob_gap_max == 0 and .step == 1
        and (.reward_std - 0.404145188 | fabs) < 1e-9 and .frac_reward_zero_std == 0' <<<"${lines[1]}"
}

@test "rows that do not fit are refused with the reason" {
    refused '.gen.model = "0123"' 'gen.model 0123 is not the policy'
    refused '.gen.chat = "llama3"' 'gen.chat llama3 is not the policy'
    refused '.gen.version = 1' 'gen.version 1, and step 1 begins with version 0'
    refused '.gen.top_p = 0.9' 'sampled with top_p 0.9'
    refused '.gen.top_k = 5' 'sampled with top_k 5'
    refused '.gen.min_p = 0.1' 'sampled with min_p 0.1'
    refused '.gen.repetition_penalty = 1.05' 'sampled with repetition_penalty 1.05'
    refused '.gen.presence_penalty = 1' 'sampled with presence_penalty 1'
    refused '.gen.temperature = 0' 'temperature 0'
    refused '.gen.prompt = null' 'gen.prompt'
    refused '.prompt = "What?"' 'own prompt'
    refused 'del(.gen)' '"gen"'
    refused '.captions |= map(del(.logprobs))' 'captions[0]: no "ids" and "logprobs"'
    refused '.captions[1].ids[0] = 123456' 'captions[1]: ids[0]: no token of this model'
    refused '._rl = {step: 2, i: 0, of: 8}' 'step 2'
    refused '._rl = {step: 1, i: 8, of: 8}' '_rl: no place in a batch'
}

@test "truncated sampling is learnt from with --allow-truncated; older versions with --ahead" {
    caption -m pocket -n 4 --top-k 20 --logprobs --root "$WORLD" <(head -n 2 "$WORLD/train.jsonl") > drawn
    rewarded < drawn > cut_short
    step --allow-truncated cut_short | tail -n 1 | jq -e '.logprob_gap_max == 0 and .step == 1'
    run --separate-stderr -2 step rows.jsonl
    [[ "$stderr" == *"gen.version 0 is too old: step 2 begins with version 1, and takes them from 1 on (--ahead 0)" ]]
    step --ahead 1 rows.jsonl | tail -n 1 | jq -e '.step == 2 and has("logprob_gap_max") == false and ."clip_ratio/region_mean" >= 0'
}

@test "captions without a reward or with broken numbers are told and left out, status 1" {
    jq -c 'if .id == "train-0002" then .captions |= [(.[0] | del(.reward)), (.[1] | .logprobs = [0.5]), .[2], .[3]] else . end' rows.jsonl > broken
    run --separate-stderr -1 step broken
    [ "$stderr" = 'rl-step: broken:2 (id=train-0002): no number "reward.total"' ]
    jq -e '.captions_failed == 2 and .groups == 8' <<<"${lines[1]}"
}

@test "input that ends inside a batch makes no step: status 75, and the run goes on" {
    run --separate-stderr -75 step --ahead 9 --out p2 <(head -n 5 ring.jsonl)
    [ "$(jq -s -c 'map(.step)' <<<"$output")" = '[0,1,2]' ]
    [[ "$stderr" == "rl-step: the input ends inside the batch of step 3, with 1 of 2 rows: "* ]]
    run --separate-stderr -0 step --ahead 9 --out p2 <(tail -n +5 ring.jsonl)
    [ "$(jq -s -c 'map(.step)' <<<"$output")" = '[2,3,4]' ]
    step --ahead 9 --out whole ring.jsonl > metrics
    same p2 whole
    run --separate-stderr -75 step --out p3 --ahead 9 --batch 5 rows.jsonl
    [[ "$stderr" == *"inside the batch of step 2, with 3 of 5 rows"* ]]
}

@test "batches may interleave with --ahead, and their rows come in any order" {
    step --ahead 9 --out want ring.jsonl > metrics
    { sed -n '4p;1p;3p;2p;6p;5p;8p;7p' ring.jsonl; } | step --ahead 9 --out got > metrics2
    same want got
    run --separate-stderr -2 step --out p3 --ahead 9 <(sed -n '1p;1p;2p' ring.jsonl)
    [[ "$stderr" == *"row 0 of step 1 was there already" ]]
}

@test "kill -9 at any moment: the run goes on from its checkpoint to the same bits" {
    step --ahead 9 --out want --save 1 ring.jsonl > metrics
    RANDOM=7
    for _ in 1 2 3; do
        rm -rf got got.d
        for try in $(seq 40); do
            # what is left to do is what the hello of the run before would say
            past=$(basename "$(readlink got.d/checkpoints/latest 2> /dev/null || echo v0)" | tr -d v | sed 's/^0*\(.\)/\1/')
            jq -c --argjson past "$past" 'select(._rl.step > $past)' ring.jsonl > rest
            rl_exec --out got --ahead 9 --save 1 rest > log 2>&1 & pid=$!
            [ "$try" -gt 4 ] || { sleep "0.$(printf %03d $((RANDOM % 600)))"; kill -9 $pid 2> /dev/null || true; }
            status=0
            wait $pid || status=$?
            [ $status != 0 ] || break
            [ $status = 137 ] || { cat log; false; }
        done
        same want got
    done
}

@test "SIGTERM while waiting for rows: a checkpoint, status 75, and nothing is lost" {
    mkfifo in
    (rl_exec --out got --ahead 9 < in > out 2> log) & pid=$!
    exec 7> in
    head -n 5 ring.jsonl >&7
    eventually grep -q '"step":2,"version":2,"loss"' out
    kill -TERM $pid
    status=0; wait $pid || status=$?
    exec 7>&-
    [ $status = 75 ]
    [ "$(cat log)" = "rl-step: interrupted" ]
    tail -n +5 ring.jsonl | step --ahead 9 --out got > out2
    head -n 1 out2 | jq -e '.step == 2'
    step --ahead 9 --out want ring.jsonl > metrics
    same want got
}

@test "several minibatches and epochs: an update each, ratios move away from 1" {
    step --minibatches 2 --ppo-epochs 2 --lr 1e-3 rows.jsonl | tail -n 1 > metrics
    jq -e '.updates == 4 and .logprob_gap_max == 0 and ."clip_ratio/region_mean" > 0 and ."clip_ratio/high_max" >= ."clip_ratio/high_mean"' metrics
}

@test "KL against the base model: none at first, then there is some; in the loss or the reward" {
    step --kl k3 --kl-coef 0.1 --ahead 9 ring.jsonl | grep -v hello > metrics
    jq -s -e '.[0].kl == 0 and .[3].kl > 0' metrics
    step --out p2 --ahead 9 ring.jsonl > metrics2
    run ! same policy p2
    step --out p3 --kl k1 --kl-in reward --kl-coef 0.1 --ahead 9 ring.jsonl | grep -v hello | jq -s -e '.[0].kl == 0'
}

@test "what is too long pays for it, and each loss has its own way" {
    longest=$(jq -s 'map(.captions[].ids | length) | max' rows.jsonl)
    step --overlong "$longest" --overlong-buffer 5 rows.jsonl | tail -n 1 | jq -e '."rewards/overlong/mean" < 0 and ."rewards/overlong/mean" > -1'
    for loss in grpo dr-grpo dapo gspo; do
        step --out "p$loss" --loss $loss --entropy-coef 0.001 --dual-clip 3 rows.jsonl | tail -n 1 | jq -e '.updates == 1 and .grad_norm > 0'
    done
    run ! same pgrpo pdapo
}

@test "--dynamic asks for rows in place of those that teach nothing" {
    mkfifo in
    (rl_exec --out got --dynamic < in > out 2> log) & pid=$!
    exec 7> in
    jq -c 'if ._rl.i == 0 then .captions |= map(.reward.total = 1) else . end' ring.jsonl | head -n 2 >&7
    eventually grep -q want out
    [ "$(tail -n 1 out)" = '{"step":1,"want":1}' ]
    tail -n 1 rows.jsonl | jq -c '. + {_rl: {step: 1, i: 2, of: 3, version: 0}}' >&7
    eventually grep -q loss out
    exec 7>&-
    wait $pid
    tail -n 1 out | jq -e '.groups == 3 and .step == 1'
}

@test "--tensorboard: the metrics, as events" {
    step --tensorboard charts --ahead 9 ring.jsonl > metrics
    [ "$(find charts -name 'events.out.tfevents.*' | wc -l)" = 1 ]
    for tag in reward reward_std rewards/acc/mean completions/mean_length entropy step_time; do
        [ "$(strings charts/events* | grep -c "$tag")" -ge 4 ]
    done
    run --separate-stderr -2 step --tensorboard /dev/null/x --out p2 rows.jsonl
    [ "$stderr" = "rl-step: --tensorboard: /dev/null/x: Not a directory" ]
}

@test "a preset is printed in full, each value with where it is from" {
    run --separate-stderr -0 rl-step -m pocket --out p --preset caprl++ --lr 3e-5 --dry-run
    [ ! -e p ] && [ ! -e p.d ]
    jq -s -e 'map({key: .option, value: .}) | from_entries | .lr.from == "given" and .lr.value == "3e-5"
        and .save.value == "50" and .save.from == "published" and .kl.from == "ours: not published" and .beta1.from == "default"' <<<"$output"
    run --separate-stderr -0 reward -m none --preset caprl --dry-run "$CAPTIONS"
    jq -s -e 'map({key: .option, value: .}) | from_entries | .rounds.value == "8" and .score.from == "published"' <<<"$output"
    run --separate-stderr -2 rl-step -m pocket --out p --preset nobody
    [[ "$stderr" == "rl-step: --preset nobody: there are "*caprl* ]]
    for preset in caprl caprl++; do
        rl-step -m pocket --out p --preset $preset --dry-run > /dev/null
        jq -e '[.[] | objects | .[] | objects | has("value") and (.from | test("^(published|ours)"))] | all' "$CAPMILL_SHARE/presets/$preset.json"
    done
}

@test "real rewards: caption | reward | rl-step, twice, by the policy itself" {
    head -n 2 "$WORLD/train.jsonl" > two
    caption -m pocket -n 4 --logprobs --root "$WORLD" two | reward -m pocket-judge --answer text --token-cost 0.0005 | step | tail -n 1 | jq -e '.step == 1 and .logprob_gap_max == 0'
    caption -m policy -n 4 --logprobs --root "$WORLD" two | jq -c '.gen.version = 1' |
        reward -m pocket-judge --answer text --token-cost 0.0005 | step | tail -n 1 | jq -e '.step == 2 and .logprob_gap_max == 0'
}

@test "empty input, bad usage, a full disk" {
    run --separate-stderr -0 step /dev/null
    [ "$output" = '{"hello":true,"step":0,"version":0}' ]
    run --separate-stderr -2 step --steps 0 rows.jsonl
    run --separate-stderr -2 step --eps 0 rows.jsonl
    run --separate-stderr -2 rl-step -m pocket rows.jsonl
    run --separate-stderr -2 rl-step --out p rows.jsonl
    run --separate-stderr -2 step --schedule cosine rows.jsonl
    [[ "$stderr" == *"--steps N"* ]]
    run --separate-stderr -2 step --loss nonsense rows.jsonl
    run --separate-stderr -2 step --out p none.jsonl
    to_full() { step --out full rows.jsonl > /dev/full; }
    run --separate-stderr -75 to_full
    [[ "$stderr" == *"No space left"* ]]
    run --separate-stderr -75 step --steps 5 --out p5 rows.jsonl
    [[ "$stderr" == *"the input ends behind step 1, and --steps is 5"* ]]
}

@test "a run begun otherwise is not gone on with; --force starts anew" {
    step rows.jsonl > /dev/null
    run --separate-stderr -2 step --train text rows.jsonl
    [[ "$stderr" == *"more was trained than now" ]]
    step --force rows.jsonl > out2
    head -n 1 out2 | jq -e '.step == 0'
}

@test "what is beside the policy, or at the end of a link, is not the run's to remove" {
    echo own > .env
    step --out env --save 1 rows.jsonl > /dev/null
    [ "$(cat .env)" = own ]
    # a checkpoint moved to where there is more room
    mv env.d/checkpoints/v000001 elsewhere
    ln -s "$PWD/elsewhere" env.d/checkpoints/v000001
    ln -s "$PWD/elsewhere" env.d/checkpoints/.making-v000007
    find elsewhere | sort > before
    jq -c '.gen.version = 1' rows.jsonl | step --out env --keep 1 > /dev/null
    [ ! -L env.d/checkpoints/v000001 ]
    [ ! -L env.d/checkpoints/.making-v000007 ]
    find elsewhere | sort | diff before -
}

@test "versions that an earlier run has left in memory go, also when the work folder is elsewhere now" {
    run --separate-stderr -75 rl-step -m pocket --out policy --root "$WORLD" --steps 2 rows.jsonl
    [ -L policy.d/v000001 ] || skip "no room in memory"
    work=$(dirname "$(readlink policy.d/v000001)")
    [ -d "$work" ]
    jq -c '.gen.version = 1' rows.jsonl | step --steps 2 > /dev/null
    [ "$(readlink policy)" = policy.d/v000002 ]
    [ ! -e "$work" ]
}

@test "the man page's example runs as printed" {
    sed -n '/^\.Bd -literal/,/^\.Ed/p; /^\.Ed/q' "$ROOT/man/rl-step.1" | grep -v '^\.' > example
    [ "$(wc -l < example)" = 4 ]
    bash -e -o pipefail example | tail -n 1 | jq -e '.step == 1 and .logprob_gap_max == 0 and .groups == 8'
}

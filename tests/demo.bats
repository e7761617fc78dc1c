# make demo: the method in small.
setup() { load common; }

@test "demo.sh QUICK=1: the judge answers more from captions after a handful of steps; the last line is JSON" {
    export OUT=$BATS_TEST_TMPDIR/out QUICK=1
    "$ROOT/pipelines/demo.sh" > page 2> log || { cat log; false; }
    grep -q '^step 6: reward ' log
    [ "$(grep -c '^  before ' page)" = 3 ]
    tail -n 1 page | jq -e '(keys == ["base","rl"])
        and (.base | keys == ["acc","precision","recall","tokens"]) and .base.precision > 0.98
        and .rl.acc > .base.acc + 0.1 and .rl.recall > .base.recall + 0.1 and .rl.precision > 0.9'
    jq -s -e 'map(select(.reward)) | length == 6 and all(.logprob_gap_max == 0)' out/metrics.jsonl
    # again: nothing is trained twice
    "$ROOT/pipelines/demo.sh" 2> /dev/null | tail -n 1 | cmp - <(tail -n 1 page)
}

@test "rl-ablation.sh: a line for each variant, and no work twice" {
    PATH=$ROOT/pipelines:$PATH
    run -2 rl-ablation.sh
    [ -n "${LONG:-}" ] || skip "long: eight rings"
    rl-ablation.sh -o out -s 2 -t 8 > table 2> log
    [ "$(wc -l < table)" = 10 ]
    awk 'NR > 2 && NF != 6 { exit 1 }' table
    rl-ablation.sh -o out -s 2 -t 8 2> again | cmp - table
    [ ! -s again ]
}

# caption --follow: a policy that moves on while rows are captioned. sft-step makes versions
# that differ; here they are handed over as rl-step does.
setup() {
    load common
    mkdir policy.d
    for v in 0 1 2; do cp -r "$CAPMILL_SHARE/pocket/captioner" versions-$v; done
    # versions of the same shape and other weights: the last bytes are of some matrix
    for v in 1 2; do
        head -c 4096 /dev/zero | tr "\0" "\7$((v + 3))" |
            dd of=versions-$v/model.safetensors bs=1 seek=2000000 conv=notrunc 2> /dev/null
    done
}
# publish N: version N whole, then the link.
publish() {
    cp -r "versions-$1" "policy.d/v00000$1"
    ln -sfn "policy.d/v00000$1" .link
    mv -T .link policy
}
# row ID STEP I VERSION
row() { echo '{"id":"'"$1"'","image":"images/0003.png","_rl":{"step":'"$2"',"i":'"$3"',"of":2,"version":'"$4"'}}'; }
follow() { caption -m policy --follow --logprobs --max-tokens 6 --root "$SAMPLES" "$@"; }
versions() { jq -c .gen.version | tr '\n' ' '; }

@test "rows wait for the version that they ask for; what is sampled is what that version says" {
    mkfifo rows
    follow -n 2 < rows > out 2> log & pid=$!
    exec 7> rows
    row a 1 0 0 >&7
    sleep 0.3
    [ ! -s out ]
    publish 0
    eventually grep -q '"id":"a"' out
    { row b 2 0 1; row c 2 1 1; } >&7
    sleep 0.3
    [ "$(wc -l < out)" = 1 ]
    publish 1
    eventually grep -q '"id":"c"' out
    echo '{"id":"d","image":"images/0003.png"}' >&7
    eventually grep -q '"id":"d"' out
    publish 2
    row e 3 0 2 >&7
    exec 7>&-
    wait $pid
    [ ! -s log ]
    [ "$(versions < out)" = "0 1 1 1 2 " ]
    # each as a model that stands still says it, with the version in the key
    publish_only() { rm -rf policy policy.d/*; publish "$1"; }
    publish_only 1
    row b 2 0 1 | follow -n 2 | cmp - <(grep '"id":"b"' out)
    publish_only 2
    row e 3 0 2 | follow -n 2 | cmp - <(grep '"id":"e"' out)
    caption -m versions-2 -n 2 --logprobs --max-tokens 6 --root "$SAMPLES" <<<'{"id":"e","image":"images/0003.png"}' > still
    [ "$(jq .captions[0].ids still)" != "$(jq -s '.[-1].captions[0].ids' out)" ] || [ "$(jq .captions[1].ids still)" != "$(jq -s '.[-1].captions[1].ids' out)" ]
}

@test "a later version than asked for: the very one where it is still there, else the newest for all of a step" {
    publish 0
    publish 1
    publish 2
    { row a 2 0 1; row b 2 1 1; row c 3 0 2; row d 2 2 1; } | follow > out
    [ "$(versions < out)" = "1 1 2 1 " ]
    rm -r policy.d/v000001
    { row a 2 0 1; row b 2 1 1; } | follow > out
    [ "$(versions < out)" = "2 2 " ]
}

@test "draws depend on _rl.step, _rl.i and the version, not on what came before" {
    publish 0
    { row x 1 0 0; row x 1 1 0; row x 2 0 0; } | follow -n 4 --temperature 3 > all
    row x 2 0 0 | follow -n 4 --temperature 3 | cmp - <(tail -n 1 all)
    [ "$(jq -c '[.captions[].ids]' all | sort -u | wc -l)" = 3 ]
}

@test "the input closes before the version is there: status 75, said" {
    publish 0
    run --separate-stderr -75 follow < <(row a 5 0 4)
    [ "$output" = "" ]
    [[ "${stderr_lines[0]}" == "caption: policy: version 4 is asked for, 0 is the newest, and no more input comes" ]]
    rm policy
    run --separate-stderr -75 follow < <(row a 1 0 0)
    [[ "${stderr_lines[0]}" == "caption: policy: no version is there, and no more input comes" ]]
    run --separate-stderr -0 follow < /dev/null
    [ "$output$stderr" = "" ]
}

@test "SIGTERM ends the wait: status 75" {
    publish 0
    mkfifo rows
    caption -v -m policy --follow --root "$SAMPLES" < rows > out 2> log & pid=$!
    exec 7> rows
    row a 5 0 4 >&7
    eventually grep -qs "waits for version 4" log
    kill -TERM $pid
    status=0; wait $pid || status=$?
    exec 7>&-
    [ $status = 75 ]
    [ ! -s out ]
}

@test "a version that is damaged, of another shape, or gone: status 75 and what is wrong" {
    publish 0
    truncate -s 100000 versions-1/model.safetensors
    publish 1
    run --separate-stderr -75 follow < <(row a 1 0 0; row b 2 0 1)
    [ "$(versions <<<"$output")" = "0 " ]
    [[ "${stderr_lines[0]}" == "caption: policy: "*v000001*model.safetensors* ]]
    rm -r policy.d/v000001 versions-1
    cp -r "$CAPMILL_SHARE/pocket/judge" versions-1
    publish 1
    run --separate-stderr -75 follow < <(row a 1 0 0; row b 2 0 1)
    [[ "${stderr_lines[0]}" == "caption: policy: "*"another config or other shapes"* ]]
}

@test "what is no policy, an odd _rl: refused" {
    run --separate-stderr -2 caption -m pocket --follow <<<''
    run --separate-stderr -2 caption -m versions-0 --follow <<<''
    [[ "$stderr" == *"versions-0: --follow wants a policy"* ]]
    run --separate-stderr -2 caption -m http://127.0.0.1:9/v1#x --follow <<<''
    publish 0
    run --separate-stderr -2 follow --dry-run <<<''
    run --separate-stderr -1 follow <<<'{"id":1,"image":"images/0003.png","_rl":{"version":"x"}}'
    [ "$(jq -r .error.class <<<"$output")" = type ]
    run --separate-stderr -1 follow <<<'{"id":1,"image":"images/0003.png","_rl":{"version":-1}}'
    [[ "$stderr" == *"_rl.version is below 0" ]]
}

setup() { load common; }

@test "an installed tree runs without the build tree, man pages and completions in place" {
    umask 077
    make -C "$ROOT" -s install DESTDIR="$PWD/a root" PREFIX=/usr BIN="${CAPMILL_BIN#"$ROOT"/}" BUILD="${CAPMILL_BUILD#"$ROOT"/}" \
        SAN="$([[ $CAPMILL_BUILD != */san ]] || echo 1)" # what is older than its source is made again
    mv "a root" moved
    [ -z "$(find moved/usr ! -perm -o=r)" ] # for all to read
    unset CAPMILL_SHARE
    run --separate-stderr -0 moved/usr/bin/caption -m pocket --temperature 0 --text moved/usr/share/capmill/pocket/samples/images/0000.png
    [[ "$output" == The\ * ]]
    [ -f moved/usr/share/man/man1/caption.1 ]
    [ -f moved/usr/share/bash-completion/completions/caption ]
    [ -f moved/usr/share/doc/capmill/examples/prompt-to-messages.jq ]
    run -0 env -i PATH="$PWD/moved/usr/bin:/usr/bin:/bin" moved/usr/share/doc/capmill/pipelines/samples.sh
    [[ "$output" == *" of 150 questions; mean reward "* ]]
    run ! grep -rlaE "$ROOT/(bin|build|cmd|kernels|lib|share/pocket)" moved
}

@test "samples.sh prints captions with facts, rewards and sums" {
    run --separate-stderr -0 "$ROOT/pipelines/samples.sh"
    [ "$stderr" = "" ]
    [[ "${lines[-7]}" =~ ^12\ pictures:\ ([0-9]+)\ sentences,\ ([0-9]+)\ of\ them\ true\;\ ([0-9]+)\ of\ ([0-9]+)\ drawn\ facts\ stated\.$ ]]
    [ "${BASH_REMATCH[1]}" -ge 12 ]
    [ "${BASH_REMATCH[4]}" -ge 48 ]
    [[ "${lines[-6]}" =~ answers\ ([0-9]+)\ of\ 150\ questions\;\ mean\ reward\ 0\.([0-9]+) ]]
    [ "${BASH_REMATCH[1]}" -ge 60 ]
    [ "$(grep -c '^  reward   ' <<<"$output")" = 12 ]
}

@test "published prompts become messages" {
    printf '%s\n' '{"id":1,"image":"images/0000.png","prompt":"<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>What?<|im_end|>\n<|im_start|>assistant\n"}' \
        '{"id":2,"images":["a.png"],"prompt":[{"role":"user","content":"<image> Please describe."}]}' > published
    jq -c -f "$ROOT/examples/prompt-to-messages.jq" published > rows
    jq -s -e '.[0].messages == [{"role":"system","content":"Be short."},{"role":"user","content":[{"type":"image","image":"images/0000.png"},{"type":"text","text":"What?"}]}]
        and .[1].messages[0].content[0] == {"type":"image","image":"a.png"} and (.[1] | has("prompt") or has("images") | not)' rows
    run -5 jq -c -f "$ROOT/examples/prompt-to-messages.jq" <<<'{"prompt":[{"role":"user","content":"<image>"}]}'
}

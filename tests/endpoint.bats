# Models behind endpoints, against the fault server on the loopback.
setup() {
    load common
    load server
    unset OPENAI_API_KEY
}
teardown() { stop_servers; }

# N rows of text, each with a marker for the server's log.
texts() { seq "$1" | sed 's/.*/{"id":&,"messages":[{"role":"user","content":"marker:m& say it"}]}/'; }
# caption, rows of texts on stdin or as a file, by the last server.
ask() { caption -m "$SERVER_URL#any" "$@"; }
# Answer a file of batch requests by the server: results in reverse order.
run_batch() {
    local line id
    while IFS= read -r line; do
        id=$(jq -r .custom_id <<<"$line")
        jq -c .body <<<"$line" | curl -s -H 'Content-Type: application/json' --data-binary @- \
            "$SERVER_URL/chat/completions" |
            jq -c --arg id "$id" '{id: "b", custom_id: $id, response: {status_code: 200, request_id: "r", body: .}, error: null}'
    done <"$1" | tac
}

@test "a picture and a prompt: the exact body that a server receives" {
    start_server --bodies bodies
    ask --system "Be brief." -n 2 --seed 3 --temperature 0.5 --stop END "$SAMPLES/images/0000.png" > out
    jq -e '.captions | length == 2 and all(.[]; .text != "" and .finish == "stop")' out
    [ "$(jq -c '.messages[1].content[0].image_url.url |= .[:30] | .seed |= type' bodies)" = '{"model":"any","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0K"}},{"type":"text","text":"Please describe this image in detail."}]}],"n":2,"temperature":0.5,"top_p":1,"max_tokens":2048,"stop":["END"],"seed":"number"}' ]
    jq -r '.messages[1].content[0].image_url.url' bodies | cut -d, -f2 | base64 -d | cmp - "$SAMPLES/images/0000.png"
    # several samples share the count of tokens, unless the server lists them
    jq -e 'all(.captions[]; has("tokens") | not)' out
    ask -n 2 --extra logprobs=true "$SAMPLES/images/0000.png" | jq -e 'all(.captions[]; .tokens > 0 and (has("logprobs") | not))'
    # one sample: caption, and tokens as the server counts them
    ask "$SAMPLES/images/0000.png" | jq -e '.caption == .captions[0].text and .captions[0].tokens > 0'
}

@test "seeds: a row's own, of --seed, the same each time; the answers too" {
    start_server --bodies bodies
    texts 4 > rows
    ask --seed 1 rows > a
    ask --seed 1 rows > b
    ask --seed 2 rows > c
    cmp a b
    run ! cmp -s a c
    [ "$(head -8 bodies | jq .seed | sort | uniq -c | awk '{print $1}' | tr '\n' ' ')" = '2 2 2 2 ' ]
    [ "$(jq .seed bodies | sort -u | wc -l)" = 8 ]
    jq -e '.seed >= 0 and .seed < 2147483648' bodies > all
    [ "$(wc -l < all)" = 12 ]
}

@test "--extra sets, replaces and removes fields; --think is a template's argument" {
    start_server --bodies bodies
    texts 1 > rows
    ask --extra 'top_k=7' --extra 'seed=null' --extra 'mm_processor_kwargs={"max_pixels":50000}' --extra 'top_k=8' --top-k 3 --think off rows
    [ "$(jq -c '[.top_k, has("seed"), .mm_processor_kwargs.max_pixels, .chat_template_kwargs]' bodies)" = '[8,false,50000,{"enable_thinking":false}]' ]
    [ "$(grep -o '"top_k"' bodies | wc -l)" = 1 ]
    for bad in top_k 'x={' 'x=word' 'n=2' 'messages=[]' 'stream=true'; do
        run --separate-stderr -2 ask --extra "$bad" rows
        [[ "$stderr" == "caption: --extra "* ]]
    done
}

@test "row text is content: NUL, quotes, special tokens and lone surrogates reach the server as text" {
    start_server --bodies bodies
    echo '{"id":1,"messages":[{"role":"user","content":"a\u0000b \"<|im_end|>\" \ud800"}]}' | ask > out
    [ "$(jq -c '.messages[0].content' bodies)" = '"a\u0000b \"<|im_end|>\" �"' ]
}

@test "only pictures are sent: damaged and large ones are error rows" {
    start_server
    head -c 60 "$SAMPLES/images/0000.png" > torn.png
    echo '<html>' > page.png
    printf '%s\n' '{"image":"torn.png"}' '{"image":"page.png"}' > rows
    run --separate-stderr -1 ask rows
    [ "$(field .error.class <<<"$output" | tr '\n' ' ')" = '"media" "media" ' ]
    run --separate-stderr -1 ask --max-input-pixels 100 "$SAMPLES/images/0000.png"
    [ "$(field .error.class <<<"$output")" = '"too_large"' ]
    [ "$(asked)" = 0 ]
}

@test "fewer samples than asked for: the rest are asked for again, with other seeds" {
    start_server --fault fewer=always --only '"n":2' --bodies bodies
    texts 3 > rows
    ask -n 2 --retries 0 rows > out
    jq -e '.captions | length == 2 and .[0].text != .[1].text' out
    [ "$(jq .n bodies | sort | uniq -c | awk '{print $2 "*" $1}' | tr '\n' ' ')" = '1*3 2*3 ' ]
    [ "$(jq .seed bodies | sort -u | wc -l)" = 6 ]
}

@test "replies that are none: tried again, then an error row with its class and attempts" {
    texts 2 > rows
    for fault in no-choices null-content truncated invalid error-200; do
        start_server --fault "$fault=first:2"
        ask rows > out
        jq -e '.caption != ""' out > /dev/null
        [ "$(asked)" = 6 ]
        stop_servers || true
    done
    start_server --fault null-content=always --only m1
    run --separate-stderr -1 ask --retries 1 rows
    [ "$(jq -c 'select(.id==1).error | [.class,.attempts]' <<<"$output")" = '["parse",2]' ]
    jq -e 'select(.id==2).caption != ""' <<<"$output"
    stop_servers || true
    start_server --fault 400=always --only m1
    run --separate-stderr -1 ask rows
    [ "$(jq -c 'select(.id==1).error | [.class,.attempts]' <<<"$output")" = '["http",1]' ]
    [[ "$stderr" == *"fault 400"* ]]
}

@test "--row-timeout bounds all tries of a row" {
    start_server --fault stall=always --only m1
    texts 2 > rows
    SECONDS=0
    run --separate-stderr -1 ask --timeout 0.3 --row-timeout 1 --retries 50 rows
    [ "$SECONDS" -lt 8 ]
    [ "$(jq -c 'select(.id==1).error.class' <<<"$output")" = '"timeout"' ]
    jq -e 'select(.id==2).caption != ""' <<<"$output"
}

@test "keys: from the file, else the environment; never in a message or the journal" {
    start_server --key sk-secret
    texts 1 > rows
    echo sk-secret > key
    ask --api-key-file key -o out rows
    OPENAI_API_KEY=sk-secret ask rows | cmp - out
    OPENAI_API_KEY=sk-wrong ask --api-key-file key rows | cmp - out
    run --separate-stderr -1 env OPENAI_API_KEY=sk-wrong caption -m "$SERVER_URL#any" rows
    [ "$(field .error.class <<<"$output")" = '"http"' ]
    run ! grep -qE 'sk-(secret|wrong)' out.journal - <<<"$output$stderr"
    run --separate-stderr -2 ask --api-key-file none rows
    [[ "$stderr" == "caption: none: "* ]]
    # process substitution: a password manager's output
    ask --api-key-file <(cat key) rows | cmp - out
}

@test "several endpoints: each its own model's name, one that is down is no matter" {
    start_server --bodies one
    first=$SERVER_URL
    start_server --bodies two
    second=$SERVER_URL
    texts 40 > rows
    caption -m "$first#a,$second#b" rows > out
    [ "$(jq -r .model one | sort -u)$(jq -r .model two | sort -u)" = ab ]
    kill "$SERVER_PID"
    caption -m "$second#a,$first#a" rows > after
    [ "$(jq -s 'map(.caption) | length' after)" = 40 ]
    jq -e .caption after > all
}

@test "all endpoints down: status 75, no row blamed; --resume goes on at another host" {
    texts 30 > rows
    start_server
    caption -m "$SERVER_URL#any" -o want rows
    stop_servers || true
    run --separate-stderr caption -m "$SERVER_URL#any" --retries 1 -o out rows
    [ "$status" = 75 ]
    [[ "$stderr" == "caption: every endpoint is down; the last try: "*"--resume"* ]]
    run ! grep -q error out
    start_server
    caption -m "$SERVER_URL#any,http://127.0.0.1:9/v1" --concurrency 4 --retries 9 -o out --resume rows
    cmp out want
    run --separate-stderr -2 caption -m "$SERVER_URL#other" -o out --resume rows
    [[ "$stderr" == *option* ]]
}

@test "mixed faults: each row arrives once, in order, with an answer or an error" {
    n=1000
    [ -z "${LONG:-}" ] || n=10000
    faults=()
    for f in reset close reset-headers reset-body cut truncated invalid empty-body type \
        no-choices null-content empty-choices fewer utf8 error-200 400 500 503 429-zero \
        429-seconds html html-502 redirect-host huge gzip-bomb; do
        faults+=(--fault "$f=0.38%")
    done
    for f in drip drip-headers stall stall-headers stall-body; do
        faults+=(--fault "$f=0.1%")
    done
    start_server "${faults[@]}"
    texts "$n" > rows
    status=0
    # beside it a server that refuses
    caption -m "$SERVER_URL#any,http://127.0.0.1:9/v1" -n 2 --timeout 1 --retries 2 \
        --concurrency 64 rows > out 2> err || status=$?
    [ "$status" -le 1 ]
    jq .id out | cmp - <(seq "$n")
    [ "$(jq -c 'select(has("captions") != has("error"))' out | wc -l)" = "$n" ]
    jq -e 'select(.captions) | .id as $id
        | (.captions | length) == 2 and all(.captions[]; .text | test("marker:m\($id) "))' out > right
    run ! grep -q false right
    failed=$(jq -c 'select(.error)' out | wc -l)
    echo "# $n rows, $(asked) requests, $failed failed" >&3
    [ "$failed" -lt $((n / 20)) ]
    [ "$failed" = "$(wc -l < err)" ]
}

@test "kill -9 in the middle and --resume: no finished row is asked again" {
    start_server --delay 50
    n=300
    [ -z "${LONG:-}" ] || n=3000
    job=(caption -m "$SERVER_URL#any" --concurrency 8 rows)
    texts "$n" > rows
    "${job[@]}" -o want
    [ "$(asked)" = "$n" ]
    "${job[@]}" -o out & pid=$!
    eventually test -s out
    sleep 0.5
    kill -9 $pid
    wait $pid || true
    # rows that the journal vouches for
    done_rows=$(jq -s 'length - 1' out.journal)
    [ "$done_rows" -gt 0 ]
    [ "$done_rows" -lt "$n" ]
    head -n "$done_rows" out | jq -r '"m\(.id)"' | sort > finished
    "${job[@]}" -o out --resume
    cmp out want
    # each marker was asked for once by the first run, and once by the runs that were cut
    cut -f7 "$SERVER_LOG" | sort | uniq -c | awk '{print $2, $1}' | join - finished > twice
    [ "$(wc -l < twice)" = "$done_rows" ]
    run ! grep -qv ' 2$' twice
    echo "# $done_rows of $n rows done at the kill, $(($(asked) - n)) requests for both runs" >&3
}

@test "a signal abandons requests in flight at once: status 75, resumable" {
    start_server --fault stall=always --only m7
    texts 20 > rows
    caption -m "$SERVER_URL#any" -o out rows & pid=$!
    eventually grep -q 'stall.*m7' "$SERVER_LOG"
    SECONDS=0
    kill -TERM $pid
    status=0; wait $pid || status=$?
    [ "$status" = 75 ]
    [ "$SECONDS" -lt 5 ]
    run ! grep -q error out
}

@test "a batch written and read back is the direct run, byte for byte" {
    start_server
    printf '%s\n' '{"id":1,"image":"images/0000.png"}' '{"id":1,"image":"images/0000.png"}' \
        '{"image":"images/0001.png"}' '{"id":2,"image":"none.png"}' > rows
    run --separate-stderr -1 ask -n 3 --root "$SAMPLES" --seed 5 rows
    echo "$output" > direct
    run --separate-stderr -1 ask -n 3 --root "$SAMPLES" --seed 5 --batch-out requests rows
    [ "$(field .id <<<"$output")" = 2 ] # what fails before it is asked
    [ ! -e requests.part ]
    [ "$(wc -l < requests)" = 3 ]
    jq -e '(.custom_id | length) <= 64 and .method == "POST" and .url == "/v1/chat/completions" and .body.n == 3' requests
    [ "$(jq .custom_id requests | sort -u | wc -l)" = 3 ]
    before=$(asked)
    run_batch requests > results
    run --separate-stderr -1 ask -n 3 --root "$SAMPLES" --seed 5 --batch-in results rows
    [ "$output" = "$(cat direct)" ]
    [ "$(asked)" = $((before + 3)) ]
    # a file once written is written again to the same bytes
    run --separate-stderr -1 ask -n 3 --root "$SAMPLES" --seed 5 --batch-out again rows
    cmp requests again
}

@test "batch results: failures per row, missing ones, other seeds; the rest directly" {
    start_server
    texts 4 > rows
    ask rows > direct
    ask --batch-out requests rows > out
    [ ! -s out ]
    run_batch requests > all
    {
        grep "$(sed -n 1p requests | jq .custom_id)" all
        sed -n 2p requests | jq -c '{custom_id, response: null, error: {code: "batch_expired", message: "too late"}}'
        sed -n 3p requests | jq -c '{custom_id, response: {status_code: 400, body: {error: {message: "bad request"}}}, error: null}'
        echo 'torn {'
    } > results
    run --separate-stderr -1 ask --batch-in results -o out --force rows
    [ "$(field '.error | [.class, .message]' < out | tr '\n' ' ')" = '[null,null] ["http","the batch says: too late"] ["http","status 400 in the batch: bad request"] ["missing","no result in results"] ' ]
    ask -o out --resume --retry-errors rows
    cmp out direct
    run --separate-stderr -1 ask --seed 9 --batch-in all rows
    [ "$(field .error.class <<<"$output" | sort -u)" = '"missing"' ]
    run --separate-stderr -2 ask --batch-in requests rows
    [[ "$stderr" == *"no batch result in it"* ]]
}

@test "a batch file: not overwritten, not left half, a full disk ends the run with 75" {
    SERVER_URL=http://127.0.0.1:9/v1
    texts 3 > rows
    ask --batch-out requests rows
    run --separate-stderr -2 ask --batch-out requests rows
    [[ "$stderr" == "caption: requests: "*"--force"* ]]
    ask --batch-out requests --force rows
    run --separate-stderr -2 ask --batch-out new --resume -o out rows
    run --separate-stderr -2 ask --batch-out new --batch-in requests rows
    run --separate-stderr -2 ask --batch-out /dev/full rows
    run --separate-stderr -2 ask --batch-out none/x rows
    head -c 3000000 /dev/zero | tr '\0' 'x' | jq -Rc '{messages: [{role: "user", content: .}]}' > big
    run --separate-stderr bash -c "trap '' XFSZ; ulimit -f 1000; caption -m $SERVER_URL#any --batch-out full big rows"
    [ "$status" = 75 ]
    [[ "$stderr" == *"full.part: File too large"* ]]
    [ ! -e full ]
    : | ask --batch-out empty
    [ -e empty ]
}

@test "options that do not fit an endpoint, or a local model, are refused by name" {
    SERVER_URL=http://127.0.0.1:9/v1
    texts 1 > rows
    for option in --ids --logprobs --ctx=100 --chat=qwen3 --vision-id --compute=fp32 --min-pixels=5 --max-pixels=5; do
        run --separate-stderr -2 ask "$option" rows
        [[ "$stderr" == "caption: ${option%%=*}: "* ]]
    done
    for option in --extra=x=1 --batch-out=x --batch-in=x; do
        run --separate-stderr -2 caption -m pocket "$option" rows
        [[ "$stderr" == "caption: ${option%%=*}: for endpoints only"* ]]
    done
    run --separate-stderr -2 caption -m http://127.0.0.1:9/v1 rows
    [[ "$stderr" == *"which model"* ]]
    run --separate-stderr -2 caption -m "http://user:geheim@127.0.0.1:9/v1#x" rows
    run ! grep -q geheim <<<"$stderr"
    for option in --concurrency=0 --timeout=-1 --retries=x --row-timeout=nan; do
        run --separate-stderr -2 ask "$option" rows
        [[ "$stderr" == "caption: ${option%%=*} "* ]]
    done
}

@test "--dry-run sends nothing, --explain tells the pictures' sizes" {
    start_server
    run --separate-stderr -0 ask --dry-run --explain --batch-out requests "$SAMPLES/images/0000.png"
    [ "$output" = "" ]
    [[ "$stderr" == *"prompt with 1 pictures; picture 1: 96x96"* ]]
    [[ "$stderr" == *"1 rows, 1 pictures: 1 requests, at most 2048 new tokens"* ]]
    [ "$(asked)" = 0 ]
    [ ! -e requests ]
}

@test "--allow-url fetches pictures from the hosts named, and from no other" {
    start_server
    host=${SERVER_URL%/v1}
    cp "$SAMPLES/images/0000.png" cat.png
    echo '{"id":1,"image":"'"$host"'/bytes/100"}' > rows
    run --separate-stderr -1 ask rows
    [ "$(field .error.class <<<"$output")" = '"refused"' ]
    [ "$(asked)" = 0 ]
    run --separate-stderr -1 ask --allow-url example.org rows
    [ "$(field .error.class <<<"$output")" = '"refused"' ]
    [ "$(asked)" = 0 ]
    run --separate-stderr -1 ask --allow-url example.org,127.0.0.1 rows # zeros: fetched, and no picture
    [ "$(field '.error | [.class, .message]' <<<"$output")" = '["media","'"$host"'/bytes/100: zero bytes, not a picture"]' ]
    [ "$(asked /bytes/100)" = 1 ]
}

# rl-pairs: which captions make a pair, in which form, and what is counted.
setup() { load common; }

# A row: row ID TEXT:REWARD...
row() {
    local id=$1 pair sep=''
    shift
    printf '{"id":%s,"image":"%s.png","captions":[' "$id" "$id"
    for pair; do
        printf '%s{"text":"%s","tokens":%d,"reward":{"total":%s}}' "$sep" "${pair%:*}" "${#pair}" "${pair##*:}"
        sep=,
    done
    printf ']}\n'
}
# Which captions were paired, as "chosen>rejected ".
paired() { jq -r 'select(.chosen) | "\(.chosen.text)>\(.rejected.text)"' | tr '\n' ' '; }

@test "the best and the worst caption are the pair, beside all that the row had" {
    row 1 a:0.5 b:1.2 c:-0.1 d:0.9 > rows
    run --separate-stderr -0 rl-pairs rows
    [ "$stderr" = "" ]
    [ "$output" = "$(sed 's/}$//' rows),\"chosen\":{\"text\":\"b\",\"tokens\":5,\"reward\":{\"total\":1.2}},\"rejected\":{\"text\":\"c\",\"tokens\":6,\"reward\":{\"total\":-0.1}}}" ]
    # of equal rewards the first is the better one
    [ "$(row 1 a:0 b:1 c:1 d:0 | rl-pairs | paired)" = "b>d " ]
}

@test "numbers and text are copied byte for byte; old pairs are replaced" {
    echo '{ "a" : 1.0e0, "rejected":5, "captions" : [ {"text":"\u0061\ud83d é", "n":1E400 , "reward" : {"total":1e0,"total":2E0}} ,{"text":"b","reward":{"total":-0.50}} ] ,"chosen":null }  ' > rows
    run -0 rl-pairs rows
    [ "$output" = '{ "a" : 1.0e0, "rejected":{"text":"b","reward":{"total":-0.50}}, "captions" : [ {"text":"\u0061\ud83d é", "n":1E400 , "reward" : {"total":1e0,"total":2E0}} ,{"text":"b","reward":{"total":-0.50}} ] ,"chosen":{"text":"\u0061\ud83d é", "n":1E400 , "reward" : {"total":1e0,"total":2E0}} }  ' ]
}

@test "rows without a pair are left out and counted, by reason" {
    {
        row 1 a:1
        row 2 a:1 b:1 c:1
        row 3 a:1 b:0.8
        row 4 a:1 a:0
        row 5 a:1 b:0
        echo '{"id":6,"captions":[{"error":{"class":"http"}},{"text":"x","reward":{"total":1}}]}'
        echo '{"id":7,"captions":[{"error":{"class":"http"}}]}'
        echo '{"id":8,"captions":[{"error":{},"text":"x","reward":{"total":9}},{"text":"y","reward":{"total":2}},{"text":"z","reward":{"total":1}}]}'
        echo '{"id":9,"captions":[{"text":"a\"b","reward":{"total":2}},{"text":"\u0061\u0022b","reward":{"total":1}}]}'
    } > rows
    run --separate-stderr -0 rl-pairs --min-margin 0.5 --stats stats rows
    [ "$(jq -c .id <<<"$output" | tr '\n' ' ')" = "5 8 " ]
    [ "$(paired <<<"$output")" = "a>b y>z " ]
    [ "$(jq -c .rows stats)" = '{"in":9,"out":2,"empty":7,"failed":0,"passed":0,"before":0}' ]
    [ "$(jq -c .dropped stats)" = '{"few":3,"equal":1,"margin":1,"same":2}' ]
    [ "$(jq -c '[.pairs,.captions,.margin]' stats)" = '[2,{"in":18,"failed":3},{"mean":1,"min":1,"max":1}]' ]
    [ "$(jq -c '[.chosen,.rejected]' stats)" = '[{"reward":1.5,"tokens":3},{"reward":0.5,"tokens":3}]' ]
}

@test "--min-margin: a margin that is just as wide is wide enough, however it is rounded" {
    row 1 a:0.7 b:0.4 > rows # 0.29999999999999993
    [ "$(rl-pairs --min-margin 0.3 rows | paired)" = "a>b " ]
    [ "$(rl-pairs --min-margin 0.3001 rows | paired)" = "" ]
    [ "$(row 1 a:0.5 b:0.50000000001 | rl-pairs | paired)" = "" ] # rounding is no preference
    for bad in 'min-margin -1' 'min-margin x' 'pairs 0' 'form alpaca'; do
        read -ra words <<<"--$bad"
        run --separate-stderr -2 rl-pairs "${words[@]}" rows
        [[ "${stderr_lines[0]}" == *"${words[0]}"* ]]
    done
    run --separate-stderr -2 rl-pairs --prompt x rows
    [[ "$stderr" == *"--form"* ]]
}

@test "--pairs: best with worst, second best with second worst; each a row of its own" {
    row 1 a:5 b:4 c:3 d:2 e:1 > rows
    [ "$(rl-pairs --pairs 9 rows | paired)" = "a>e b>d " ]
    [ "$(rl-pairs --pairs 1 rows | paired)" = "a>e " ]
    [ "$(rl-pairs --pairs 9 --min-margin 3 rows | paired)" = "a>e " ]
    [ "$(row 1 a:5 b:4 b:3 a:2 | rl-pairs --pairs 9 | paired)" = "" ]
    [ "$(row 1 a:5 b:4 c:3 a:2 | rl-pairs --pairs 9 | paired)" = "b>c " ] # a is a
    rl-pairs --pairs 9 --stamp rows | jq -s -e 'length == 2 and all(._run[0].program == "rl-pairs" and .id == 1)'
}

@test "what lacks a reward fails the row and is named" {
    good='{"text":"a","reward":{"total":1}}'
    check() { # CAPTION CLASS MESSAGE
        run --separate-stderr -1 rl-pairs <<<"{\"id\":7,\"captions\":[$good,$1,$good]}"
        [ "$(jq -r .error.class <<<"$output")" = "$2" ]
        [ "$stderr" = "rl-pairs: stdin:1 (id=7): $3" ]
        [ "$(jq '.chosen' <<<"$output")" = null ]
    }
    check '{"text":"b"}' missing 'captions[1]: no number "reward.total"'
    check '{"text":"b","reward":{"acc":1}}' missing 'captions[1]: no number "reward.total"'
    check '{"text":"b","reward":{"total":null}}' missing 'captions[1]: no number "reward.total"'
    check '{"text":"b","reward":{"total":"1"}}' type 'captions[1]: "reward.total" is no number'
    check '{"text":"b","reward":{"total":1e999}}' type 'captions[1]: "reward.total" is no number'
    check '{"reward":{"total":1}}' missing 'captions[1]: no "text"'
    check '{"text":5,"reward":{"total":1}}' type 'captions[1]: "text" is no string'
    check '"x"' type 'captions[1] is no object'
    for row in '{"id":1}:missing' '{"captions":null}:missing' '{"captions":[]}:missing' '{"captions":"x"}:type' 'x:json'; do
        run --separate-stderr -1 rl-pairs <<<"${row%:*}"
        [ "$(jq -r .error.class <<<"$output")" = "${row##*:}" ]
    done
}

@test "rows that come in with an error pass untouched; empty input gives nothing" {
    echo '{"id":1,  "captions":[{}], "error":{"stage":"x","class":"media","message":"m"}}' > rows
    run --separate-stderr -0 rl-pairs --form trl --stats stats rows
    [ "$output" = "$(cat rows)" ]
    [ "$(jq -c .rows stats)" = '{"in":1,"out":0,"empty":0,"failed":0,"passed":1,"before":0}' ]
    run --separate-stderr -0 rl-pairs /dev/null
    [ "$output$stderr" = "" ]
}

@test "--form trl: messages, an image part for each picture, rewards beside" {
    row 1 a:1 b:0 | jq -c '.image = "p/1.png"' > rows
    run -0 rl-pairs --form trl rows
    [ "$output" = '{"id":1,"images":["p/1.png"],"prompt":[{"role":"user","content":[{"type":"image"},{"type":"text","text":"Please describe this image in detail."}]}],"chosen":[{"role":"assistant","content":[{"type":"text","text":"a"}]}],"rejected":[{"role":"assistant","content":[{"type":"text","text":"b"}]}],"score_chosen":1,"score_rejected":0}' ]
    # the row's own prompt, what caption wrote down, then --prompt
    ask() { jq -c '.prompt[] | [.role, (.content[] | .text // .type)]'; }
    [ "$(jq -c '.gen = {prompt:"Say it.",system:"Be brief."}' rows | rl-pairs --form trl --prompt Hm | ask | tr -d '\n')" = '["system","Be brief."]["user","image","Say it."]' ]
    [ "$(jq -c '.gen = {prompt:"Say it.",system:null} | .prompt = "Mine"' rows | rl-pairs --form trl | ask)" = '["user","image","Mine"]' ]
    [ "$(rl-pairs --form trl --prompt 'q"q' rows | ask)" = '["user","image","q\"q"]' ]
    # several pictures, and paths below a folder
    [ "$(jq -c '.images = [.image, "/x.png", "data:image/png;base64,AA==", "https://h/y.png"] | del(.image)' rows | rl-pairs --form trl --root 'd"r' | jq -c '.images')" = '["d\"r/p/1.png","/x.png","data:image/png;base64,AA==","https://h/y.png"]' ]
    # messages; text alone has no parts
    jq -c 'del(.image) | .messages = [{role:"system",content:"S"},{role:"user",content:[{type:"text",text:"A "},{type:"image_url",image_url:{url:"1.png"}},{type:"text",text:" B"}]}]' rows > messages
    [ "$(rl-pairs --form trl messages | jq -c '[.images,(.prompt[].content|map(.text // .type))]')" = '[["1.png"],["S"],["A ","image"," B"]]' ]
    [ "$(jq -c '.messages = [{role:"user",content:"Q"}]' messages | rl-pairs --form trl | jq -c '[has("images"),.prompt,.chosen]')" = '[false,[{"role":"user","content":"Q"}],[{"role":"assistant","content":"a"}]]' ]
}

@test "null members of a message's parts and an empty list name nothing" {
    local text='{"type":"text","text":"hi","image":null,"image_url":null,"video":null}'
    pair="{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"image\":\"a.png\",\"text\":null},$text]}],\"videos\":[]"
    pair+=',"captions":[{"text":"a","reward":{"total":1}},{"text":"b","reward":{"total":0}}]}'
    rl-pairs --form trl <<<"$pair" | jq -e '.images == ["a.png"] and .prompt[0].content[1].text == "hi"'
}

@test "--form llamafactory: conversations with tags, chosen and rejected turns, rewards beside" {
    row 1 a:1 b:0 > rows
    run -0 rl-pairs --form llamafactory rows
    [ "$output" = '{"id":1,"images":["1.png"],"conversations":[{"from":"human","value":"<image>Please describe this image in detail."}],"chosen":{"from":"gpt","value":"a"},"rejected":{"from":"gpt","value":"b"},"score_chosen":1,"score_rejected":0}' ]
    jq -c 'del(.image) | .messages = [{role:"system",content:"S"},{role:"user",content:[{type:"text",text:"A "},{type:"image",image:"1.png"},{type:"text",text:" B"}]},{role:"assistant",content:"C"},{role:"user",content:"D"}]' rows > messages
    [ "$(rl-pairs --form llamafactory messages | jq -c '[.conversations[]|[.from,.value]]')" = '[["system","S"],["human","A <image> B"],["gpt","C"],["human","D"]]' ]
    [ "$(jq -c '.video = "v.mp4" | del(.image)' rows | rl-pairs --form llamafactory | jq -c '[.videos,.images,.conversations[0].value[:10]]')" = '[["v.mp4"],null,"<video>Ple"]' ]
}

@test "what a form has no place for is an error row" {
    row 1 a:1 b:0 > rows
    refuse() { # FORM FILTER CLASS MESSAGE
        run --separate-stderr -1 rl-pairs --form "$1" < <(jq -c "$2" rows)
        [ "$(jq -r .error.class <<<"$output")" = "$3" ]
        [[ "$stderr" == *"$4"* ]]
        [ "$(jq -c '.captions|length' <<<"$output")" = 2 ] # the row as it came
    }
    refuse trl '.video = "v.mp4" | del(.image)' refused "no place for a video"
    refuse trl 'del(.image)' missing image
    refuse trl '.image = 5' type image
    refuse trl '.prompt = [1]' type prompt
    refuse trl '.messages = "x"' type messages
    refuse trl '.messages = [{role:"user"}]' type 'messages[0]: content'
    refuse trl '.messages = [{content:"x"}]' missing 'messages[0]: no "role"'
    refuse trl '.messages = [{role:"tool",content:"x"}]' type 'messages[0]: role'
    refuse llamafactory '.captions[0].text = "an <image> tag"' type 'chosen: holds "<image>"'
    refuse llamafactory '.video = {path:"v.mp4",start:1} | del(.image)' refused "start"
    # the same when it is written with escapes; and TRL knows no tags
    sed 's/"text":"b"/"text":"\\u003cvideo\\u003e"/' rows > escaped
    run --separate-stderr -1 rl-pairs --form llamafactory escaped
    [[ "$stderr" == *'rejected: holds "<video>"'* ]]
    rl-pairs --form trl escaped
}

@test "--resume, --shard and --errors hold for rows that become several" {
    for i in $(seq 40); do row "$i" a:4 b:3 c:2 d:1; done > rows
    echo '{"id":"bad","captions":[{"text":"x"}]}' >> rows
    run -1 rl-pairs --pairs 2 -o want rows
    [ "$(wc -l < want)" = 81 ]
    rl-pairs --pairs 2 -o out --limit 17 rows
    printf '{"id":18,"te' >> out
    run -1 rl-pairs --pairs 2 -o out --resume rows
    cmp out want
    for i in 0 1 2; do rl-pairs --pairs 2 --shard $i/3 --errors /dev/null rows || [ $? = 1 ]; done | sort | cmp - <(grep -v bad want | sort)
}

@test "--stats refuses what is input or output; a full disk is status 75" {
    row 1 a:1 b:0 > rows
    run --separate-stderr -2 rl-pairs --stats rows rows
    [[ "$stderr" == *rows* ]]
    run --separate-stderr -2 rl-pairs --stats no/folder rows
    full() { rl-pairs rows > /dev/full; }
    run --separate-stderr -75 full
    [[ "$stderr" == *"No space left"* ]]
}

@test "the man page's example" {
    mandoc -T ascii "$ROOT/man/rl-pairs.1" > /dev/null
    sed -n '/^\$ cat > rows/,/^\.Ed/p' "$ROOT/man/rl-pairs.1" > page
    sed -n 2p page > rows.jsonl
    rl-pairs --stats stats.json rows.jsonl | jq -c '[.chosen.text,.rejected.text]' | cmp - <(sed -n 4p page)
    jq -c '[.rows.out,.dropped]' stats.json | cmp - <(sed -n 6p page)
}

@test "from pictures to pairs: caption | reward | rl-pairs" {
    head -n 4 "$WORLD/train.jsonl" | caption -m pocket -n 4 --root "$WORLD" | reward -m pocket-judge --answer text |
        rl-pairs > pairs.jsonl
    jq -s -e 'length >= 3 and all(.chosen.reward.total == .reward_group.max and .rejected.reward.total == .reward_group.min)' pairs.jsonl
}

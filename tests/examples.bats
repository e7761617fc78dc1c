# The converters in examples/, each on a small hand-made sample of what is published.
setup() {
    load common
    CONVERTERS=$ROOT/examples DATA=$ROOT/tests/data/examples
}

@test "caprl-qa: a prompt loses its tag, pictures and videos get their names, questions stay" {
    jq -c -f "$CONVERTERS/caprl-qa.jq" "$DATA/caprl-qa.jsonl" > rows
    [ "$(head -1 rows)" = '{"id":"00000000000000000000000000000001","image":"pictures/one.jpg","prompt":"Please describe this image in detail.","qa":[{"question":"What colour is the kite?","choices":["A) red","B) 蓝色","C) green","D) none of them"],"answer":"B"},{"question":"Who signed the letter?","choices":["A) A. Smith","B) B. Jones"],"answer":"A"}],"data_source":"image_caption_rl"}' ]
    jq -s -e '.[1] == {video: "clips/one.mp4", prompt: "You are a video captioner. Describe this video in strictly chronological order.",
        qa: [{question: "What colour is the car at [00:05]?", choices: ["A. Black", "B. White", "C. Red"], answer: "A"}], data_source: "video_caption_rl"}' rows
}

@test "caprl-qa: pictures inside the row, no tag, two tags, no questions: refused" {
    row='{"id":1,"image":"a","prompt":[{"role":"user","content":"<image> Go."}],"reward_model":{"ground_truth":[]}}'
    jq -e -c -f "$CONVERTERS/caprl-qa.jq" <<<"$row"
    for edit in '.image = {bytes: "x", path: null}' '.prompt[0].content = "Go."' '.prompt[0].content += "<image>"' \
        'del(.reward_model)' '.prompt += .prompt' '.prompt = "Go."' '.videos = ["a", "b"]' '.image = 7'; do
        run -5 jq -c -f "$CONVERTERS/caprl-qa.jq" <<<"$(jq -c "$edit" <<<"$row")"
    done
}

@test "the rows that caprl-qa makes are read by caption" {
    jq -c '.image = {path: "images/0000.png"}' < <(head -1 "$DATA/caprl-qa.jsonl") > published
    jq -c -f "$CONVERTERS/caprl-qa.jq" published > rows
    run --separate-stderr -0 short_caption --root "$SAMPLES" rows
    [ "$(jq -r '.caption != "" and (.qa | length) == 2' <<<"$output")" = true ]
}

@test "llava-to-messages: tags give way to media, in order" {
    jq -c -f "$CONVERTERS/llava-to-messages.jq" "$DATA/llava.json" > rows
    jq -s -e 'map(.id) == ["7","7","8","9"]
        and .[0].messages == [{role: "user", content: [{type: "image", image: "coco/one.jpg"}, {type: "text", text: "What is this?"}]},
                              {role: "assistant", content: "A cat on a mat."}]
        and .[1].source == "made up" and (.[1].messages | map(.role)) == ["system","user","assistant","user","assistant"]
        and (.[1].messages[1].content | map(.image // .text)) == ["Compare ","a.jpg"," with ","b.jpg"]
        and .[2].messages[0].content == [{type: "text", text: "What happens?"}, {type: "video", video: "clip.mp4"}]
        and .[3].messages[0].content == "2+2?" and all(has("image") or has("conversations") | not)' rows
    jq -c '.[]' "$DATA/llava.json" | jq -c -f "$CONVERTERS/llava-to-messages.jq" | cmp - rows # JSONL as well
}

@test "llava-to-messages: tags and media that differ, or a role unheard of, are refused" {
    for row in '{"conversations":[{"from":"human","value":"<image>"}]}' \
        '{"image":"a","conversations":[{"from":"human","value":"x"}]}' \
        '{"video":"a","conversations":[{"from":"human","value":"<image>"}]}' \
        '{"conversations":[{"from":"narrator","value":"x"}]}'; do
        run -5 jq -c -f "$CONVERTERS/llava-to-messages.jq" <<<"$row"
    done
}

@test "to-captions: every published place of a picture and of a text" {
    jq -c -f "$CONVERTERS/to-captions.jq" "$DATA/recaptioned.jsonl" > rows
    printf '%s\n' '{"image":"a.jpg","caption":"one","note":1}' '{"id":"b","image":"b.jpg","caption":"two"}' \
        '{"image":"c.jpg","caption":"three"}' '{"image":"d.jpg","caption":"four"}' '{"image":"e.jpg","caption":"five"}' \
        '{"video":"f.mp4","caption":"six"}' | cmp - rows
    jq -c '.[0]' "$DATA/llava.json" | jq -c -f "$CONVERTERS/to-captions.jq" | grep -qxF '{"id":"7","image":"coco/one.jpg","caption":"A cat on a mat."}'
    # the first place counts
    jq -c -f "$CONVERTERS/to-captions.jq" <<<'{"path":"p","image":"i","text":"t","caption":"c"}' | grep -qxF '{"image":"i","caption":"c","path":"p","text":"t"}'
    for row in '{"caption":"x"}' '{"image":"a"}' '{"images":["a","b"],"caption":"x"}' '{"image":"","caption":"x"}' \
        '{"image":"a","conversations":[{"from":"gpt","value":"x"},{"from":"gpt","value":"y"}]}'; do
        run -5 jq -c -f "$CONVERTERS/to-captions.jq" <<<"$row"
    done
}

@test "vlmevalkit: options, hints, pictures of other rows, several pictures" {
    jq -s -c -f "$CONVERTERS/vlmevalkit.jq" "$DATA/vlmevalkit.jsonl" > rows
    jq -s -e 'map(.id) == ["1","2","3"] and map(.answer) == ["A","B","A"] and all(.kind == "choice")
        and .[0].question == "It is one pixel.\nWhat colour is it?" and .[0].options == ["red","blue"]
        and .[1].options == ["yes","no","it\nvaries"] and .[1].image == .[0].image and .[1].question == "Is it \"large\"?"
        and (.[2].images | length) == 2 and .[2].images[0] == .[0].image and .[2]["l2-category"] == "perception"
        and all(has("A") or has("hint") or has("index") | not)' rows
    # the pictures are pictures
    jq -c '{id, image: (.image // .images[1])}' rows > pictures
    run --separate-stderr -0 caption -m pocket --temperature 0 --max-tokens 1 pictures
    # open answers, paths
    jq -s -c -f "$CONVERTERS/vlmevalkit.jq" <<<'{"index":1,"image_path":"a.jpg","question":"How many?","answer":7}' |
        grep -qxF '{"id":1,"image":"a.jpg","question":"How many?","answer":"7"}'
    jq -s -c -f "$CONVERTERS/vlmevalkit.jq" <<<'[{"index":1,"image_path":"['"'a.jpg', 'b.jpg'"']","question":"Q","answer":"x"}]' |
        jq -e '.images == ["a.jpg","b.jpg"]'
}

@test "vlmevalkit: no picture, no answer, an answer or option that is not there: refused" {
    row='{"index":1,"image_path":"a","question":"Q","A":"x","B":"y","answer":"A"}'
    jq -s -e -c -f "$CONVERTERS/vlmevalkit.jq" <<<"$row"
    for edit in 'del(.image_path)' '.image = "5" | del(.image_path)' 'del(.answer)' '.answer = "C"' '.answer = "x"' '.C = "" | .D = "z"'; do
        run -5 jq -s -c -f "$CONVERTERS/vlmevalkit.jq" <<<"$(jq -c "$edit" <<<"$row")"
    done
}

@test "the page's line turns a TSV table into what vlmevalkit reads" {
    command -v python3 || skip "no Python here"
    sed -n "s/^    //; /^python3 -c/,/table.json$/p" "$CONVERTERS/README.md" > line
    cp "$DATA/vlmevalkit.tsv" table.tsv
    bash line
    cmp <(jq -S -c . table.json) <(jq -S -c . "$DATA/vlmevalkit.jsonl")
}

@test "every converter that a message, a page or another file names is there" {
    cd "$ROOT"
    names=$(grep -rhoE 'examples/[a-zA-Z0-9_-]+\.[a-z]+' cmd lib man README.md examples | sort -u)
    [ -n "$names" ]
    for name in $names; do [ -f "$name" ] || { echo "no $name"; false; }; done
    for file in examples/*.jq; do grep -qF "$(basename "$file")" examples/README.md; done
}

@test "published names of media need no converter: image_path is read, videos are refused by name" {
    printf '%s\n' '{"qa_response":"x","image_path":"images/0000.png"}' '{"videos":["a.mp4"]}' > rows
    run --separate-stderr -1 short_caption --root "$SAMPLES" rows
    [ "$(field '[.caption != null, .error.class]' <<<"$output" | tr '\n' ' ')" = '[true,null] [false,"refused"] ' ]
    [[ "$stderr" == "caption: rows:2: this version does not read videos" ]]
}

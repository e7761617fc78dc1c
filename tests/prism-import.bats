# The twelve benchmarks' converters, each on a small hand-made sample of what is published, and
# what their rows must have for prism-eval.
setup() {
    load common
    CONVERTERS=$ROOT/examples DATA=$ROOT/tests/data/examples/prism
}

# NAME [argument ...] < published records
import() { jq -nc -f "$CONVERTERS/prism-import-$1.jq" "${@:2}"; }

sample() { find "$DATA" -name "$1.json*"; }

@test "every benchmark with a preset has a converter, a sample of its files and the rows wanted" {
    for preset in "$CAPMILL_SHARE"/benchmarks/*.json; do
        name=$(basename "$preset" .json)
        [ -f "$CONVERTERS/prism-import-$name.jq" ] && [ -f "$DATA/$name.rows" ] && [ -n "$(sample "$name")" ] ||
            { echo "$name has none"; false; }
    done
    converters=("$CONVERTERS"/prism-import-*.jq)
    [ ${#converters[@]} = 12 ]
}

@test "samples become the rows wanted, from a folder of any name" {
    for want in "$DATA"/*.rows; do
        name=$(basename "$want" .rows) options=()
        [ "$name" != chartqa ] || options=(--arg category human)
        import "${name%-parquet}" "${options[@]}" "$(sample "$name")" > rows
        diff rows "$want"
    done
}

@test "rows have an id of their own, media, a question, an answer and a kind; letters fit options" {
    for want in "$DATA"/*.rows; do
        jq -s -e 'length > 1 and (map(.id) | unique | length) == length and all(.[];
            ((.image | type) == "string" or (.images | type) == "array")
            and (.question | type) == "string" and (.answer | type | IN("string", "array"))
            and (.kind | IN("choice", "relaxed", "anls", "vqa", "math", "exact", "judge", "items"))
            and (if .kind == "choice" then (.answer | test("^[A-J]$")) else has("options") | not end)
            and (if .options then (.answer | explode[0] - 65) < (.options | length) else true end))' "$want" ||
            { echo "$want"; false; }
    done
}

@test "rows' kinds are those that the preset has a prompt for" {
    for want in "$DATA"/*.rows; do
        name=$(basename "$want" .rows)
        jq -s -e --slurpfile preset "$CAPMILL_SHARE/benchmarks/${name%-parquet}.json" \
            'all(.[]; $preset[0].prompt[if .kind == "choice" then "choice" else "open" end])' "$want" ||
            { echo "$want"; false; }
    done
}

@test "a list, a line each and an object that holds the list are read alike" {
    for name in wemath mathverse chartqa; do
        jq -c '.[]' "$DATA/$name.json" | import "$name" --arg category human | diff - "$DATA/$name.rows"
    done
    for name in mathvision mmmu visulogic; do
        jq -s . "$DATA/$name.jsonl" | import "$name" | diff - "$DATA/$name.rows"
    done
    jq '.data' "$DATA/infovqa.json" | import infovqa | diff - "$DATA/infovqa.rows"
    jq -c '.questions[]' "$DATA/seed.json" | import seed | diff - "$DATA/seed.rows"
}

@test "--arg root goes before relative paths alone" {
    for name in seed charxiv mathverse; do
        import "$name" --arg root some/where "$DATA/$name.json" > rows
        diff <(jq -r '"some/where/" + .image' "$DATA/$name.rows") <(jq -r .image rows)
    done
    head -1 "$DATA/mathvision.jsonl" | jq -c '.image = "/a/b.jpg", .image = "data:image;base64,AA=="' |
        import mathvision --arg root x | jq -r .image > images
    [ "$(cat images)" = $'/a/b.jpg\ndata:image;base64,AA==' ]
}

@test "pictures of Parquet: paths, {path}, lists of one and of several; bytes are refused" {
    head -1 "$DATA/mmmu-pro.jsonl" > row
    for picture in '"p.png"' '{"path":"p.png"}' '{"path":"p.png","bytes":null}' '["p.png"]'; do
        jq -c ".image_1 = $picture" row | import mmmu-pro | jq -e '.image == "p.png"'
    done
    jq -c '.image_7 = "q.png"' row | import mmmu-pro | jq -e '.images == ["pictures/000000", "q.png"]'
    for picture in '{"bytes":"AAAA","path":"p.png"}' '""' 7 null; do
        run -5 import mmmu-pro < <(jq -c ".image_1 = $picture" row)
    done
}

@test "lists of options in Python's spelling: quotes, escapes, numbers; another text is refused" {
    row='{"id":"validation_Math_1","question":"Q","image_1":"p","answer":"A","question_type":"multiple-choice"}'
    options() { jq -c --arg o "$1" '.options = $o' <<<"$row" | import mmmu | jq -c .options; }
    [ "$(options "['a', \"b's\", 'c\\'s', 'say \"d\"']")" = '["a","b'"'"'s","c'"'"'s","say \"d\""]' ]
    [ "$(options '[1, 2.50, -3, True]')" = '["1","2.50","-3","True"]' ]
    [ "$(options "['\\\\frac{1}{2}', 'a\\nb', '\\x41\\u00e9', '\\d']")" = '["\\frac{1}{2}","a\nb","Aé","\\d"]' ]
    [ "$(options "['a, b', ' c]']")" = '["a, b"," c]"]' ]
    for bad in "['a', 'b'" "a, b" "['a' 'b']" "['a', b]" "" "__import__('os')" "['a', ['b']]"; do
        run -5 import mmmu < <(jq -c --arg o "$bad" '.options = $o' <<<"$row")
    done
}

@test "what a record lacks or has wrong is refused with its number, and nothing is guessed" {
    refuse() { # NAME EDIT MESSAGE: of the first record
        name=$1
        jq -c 'if type == "array" then .[] elif .data then .data[] elif .questions then .questions[]
            elif has("0") then {"0": .["0"]} else . end' "$(sample "$name")" | head -1 > record
        run --separate-stderr -5 import "$name" --arg category human <(cat record <(jq -c "$2" record))
        [ "$(wc -l <<<"$output")" = 1 ] && [[ "$stderr" == *"record 1: "*"$3"* ]] || { echo "$name $2: $output $stderr"; false; }
    }
    refuse chartqa 'del(.label)' 'no answer'
    refuse chartqa '.query = " "' 'no question'
    refuse infovqa '.answers = []' 'no answer'
    refuse infovqa 'del(.answers)' 'no answer'
    refuse infovqa 'del(.questionId)' 'no questionId'
    refuse mmstar '.answer = "E"' 'answer "E" is no letter of 4 options'
    refuse mmstar '.question = "Q" | .answer = "the case"' 'is no letter'
    refuse mmmu '.answer = "E"' 'no letter of 4'
    refuse mmmu '.question_type = "open" | .answer = "?"' 'open question with an answer'
    refuse mmmu '.id = "validation_Alchemy_1"' '"Alchemy" is no subject'
    refuse mmmu-pro '.answer = "K"' 'no letter of 10'
    refuse charxiv '.["0"].inst_category = 5' 'inst_category'
    refuse charxiv '.["0"].answer = ""' 'no answer'
    refuse chartqa-pro '.Answer = ["a", "b"]' '1 questions, 2 answers'
    refuse chartqa-pro 'del(.["Question Type"])' 'no Question Type'
    refuse seed '.choice_c = ""' 'an option is missing'
    refuse seed '.data_type = "sound"' 'data_type'
    refuse seed '.question_type_id = 12' 'no dimension of pictures'
    refuse mathverse '.question_type = "proof"' 'question_type'
    refuse mathverse '.question = ""' 'no question'
    refuse mathverse '.answer = "50"' 'answer "50" is no option'
    refuse mathvision '.answer = "F"' 'no letter of 5'
    refuse wemath '.option = "A. 1; C. 2"' 'option is no list'
    refuse wemath '.key = "4steps_1"' 'key "4steps_1"'
    refuse visulogic '.label = "E"' 'label "E" is none of A to D'
    refuse visulogic 'del(.image_path)' 'no path'
}

@test "mathverse: answers as letters, in brackets, as an option's text, several; options in lines" {
    answer() { # ANSWER [QUESTION]
        jq -c --arg a "$1" --arg q "${2:-$'Q?\nChoices:\nA:5\nB:6\nC:7'}" '.[0] | .answer = $a | .question = $q' "$DATA/mathverse.json" |
            import mathverse | jq -c '[.answer, .kind, .options, .question]'
    }
    for text in B '(B)' 6; do [ "$(answer "$text")" = '["B","choice",["5","6","7"],"Q?"]' ]; done
    [ "$(answer 'x^2' $'Q?\nChoice:\nA. y\nB. x^2\n')" = '["B","choice",["y","x^2"],"Q?"]' ]
    [ "$(answer $'C\nA')" = '["C, A","math",null,"Q?\nChoices:\nA:5\nB:6\nC:7"]' ]
    [ "$(answer B $'Which, A or B?')" = '["B","choice",null,"Which, A or B?"]' ]
    [ -z "$(answer 5 $'Q?\nChoices:\nA:5\nB:5')" ]
    [ -z "$(answer D)" ]
}

@test "wemath: options with a name before the next letter, without semicolons, full-width stops" {
    options() { jq -c --arg o "$1" '.[0] | .option = $o | .answer = "A"' "$DATA/wemath.json" | import wemath | jq -c .options; }
    [ "$(options 'A. around point ;B.; B. at ∠AB;C.; C. No.')" = '["around point ;B.","at ∠AB;C.","No."]' ]
    [ "$(options 'A. 45° B. 60° ;C. 120°; D. none')" = '["45°","60°","120°","none"]' ]
    [ "$(options 'A. ①;B．②;C. ①; ②')" = '["①","②","①; ②"]' ]
}

@test "mathvision: tags of pictures go, with the space that they leave; nothing else is in the picture" {
    question() { jq -sc --arg q "$1" '.[1] | .question = $q' "$DATA/mathvision.jsonl" | import mathvision | jq -r .question; }
    [ "$(question $'The ant <image1> meets <image2>. Where?\n<image3>')" = 'The ant meets. Where?' ]
    [ "$(question '<image1>')" = 'Solve the problem that is written in the image.' ]
}

@test "charxiv: rules, or the benchmark's own grading" {
    jq -s -c 'map(.kind)' "$DATA/charxiv.rows" | grep -qxF '["anls","anls","relaxed","relaxed","relaxed"]'
    import charxiv --arg score judge "$DATA/charxiv.json" | jq -s -e 'length == 5 and all(.[]; .kind == "judge")'
}

@test "prism-eval takes every benchmark's rows with its preset, and scores them" {
    for want in "$DATA"/*.rows; do
        name=$(basename "$want" .rows)
        jq -c 'del(.question, .options, .answer, .kind) + {caption: "A chart."}' "$want" > captions
        prism-eval --preset "${name%-parquet}" --captions captions --judge pocket-judge --judge-max-tokens 2 \
            --summary summary "$want" > scored 2> log || { echo "$name"; cat log; false; }
        jq -s -e 'all(.[]; .score >= 0 and .score <= 1)' scored
        jq -e --argjson rows "$(wc -l < "$want")" '.rows == $rows and .failed == 0' summary
    done
}

@test "chartqa: a file that does not say its category needs --arg category" {
    run --separate-stderr -5 import chartqa "$DATA/chartqa.json"
    [[ "$stderr" == *"say --arg category"* ]]
}

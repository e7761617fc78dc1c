# VLMEvalKit's tables, read as they are published.
setup() {
    load common
    DATA=$ROOT/tests/data/examples
}

# A table of one picture and rows about it; $1: more lines.
table() {
    printf 'index\timage\tquestion\tA\tB\tanswer\tcategory\n'
    printf '1\t%s\tWhat is it?\tone\ttwo\tA\tx\n' "$(base64 -w0 "$(find "$SAMPLES/images" -name '*.png' | sort | head -n 1)")"
    printf '%b' "$1"
}

@test "a table's rows are what the converter makes of it, its pictures too" {
    cp "$DATA/vlmevalkit.tsv" t.tsv
    caption -m pocket --temperature 0 --max-tokens 8 t.tsv > direct
    jq -s -c -f "$ROOT/examples/vlmevalkit.jq" "$DATA/vlmevalkit.jsonl" |
        caption -m pocket --temperature 0 --max-tokens 8 > converted
    plain='.id |= tonumber | del(.image, .images)'
    diff <(jq -S -c "$plain" direct) <(jq -S -c "$plain" converted)
    # a row about another row's picture names it as that row does
    jq -s -e '.[0].image == .[1].image and (.[2].images | length) == 2 and .[2].images[0] != .[2].images[1]' direct
    # rows written so can be read again, from the same place
    jq -c 'del(.caption, .captions)' direct > rows
    caption -m pocket --temperature 0 --max-tokens 8 rows | cmp - direct
}

@test "line ends, a byte order mark, blank lines, empty cells, no line end at the end" {
    cp "$DATA/vlmevalkit.tsv" t.tsv
    { printf '\xef\xbb\xbf'; sed 's/$/\r/' t.tsv; printf '\r\n'; } | head -c -2 > u.tsv
    mkdir a b
    mv t.tsv a && mv u.tsv b/t.tsv
    for f in a b; do
        (cd $f && caption -m pocket --temperature 0 --max-tokens 2 t.tsv |
            jq -S -c 'del(.image, .images) | .options |= map(gsub("\r"; ""))') > $f.rows
    done
    [ -s a.rows ]
    diff a.rows b.rows
}

@test "what is wrong with a row is that row's error; the others are worked on" {
    table '2\t9\tNo such row?\ty\tn\tA\tx\n3\t3\tA row without one?\ty\tn\tA\tx\n1\t1\tAgain one?\ty\tn\tA\tx\n4\t1\tA gap?\t\tn\tB\tx\n5\t1\tToo many?\ty\tn\tA\tx\tz\n\t1\tNo index?\ty\tn\tA\tx\n6\t1\tGood?\ty\tn\tA\tx\n7\t1\t"Never closed?\ty\tn\tA\tx\n' > t.tsv
    run --separate-stderr -1 caption -m pocket --temperature 0 --max-tokens 2 t.tsv
    grep -qF 't.tsv:3 (id=2): "image": no row has the index 9' <<<"$stderr"
    grep -qF 't.tsv:4 (id=3): "image": row 3 leads to no picture' <<<"$stderr"
    grep -qF 't.tsv:5 (id=1): index 1 stands in line 2 already' <<<"$stderr"
    grep -qF 't.tsv:6 (id=4): no option A, but one behind it' <<<"$stderr"
    grep -qF 't.tsv:7 (id=5): 8 cells, but 7 columns' <<<"$stderr"
    grep -qF 't.tsv:8: no "index"' <<<"$stderr"
    grep -qF "t.tsv:10 (id=7): a cell's quote is never closed" <<<"$stderr"
    [ "$(jq -c '[.id, .error.class]' <<<"$output" | tr '\n' ' ')" = \
        '[1,null] [2,"missing"] [3,"missing"] [1,"type"] [4,"missing"] [5,"parse"] [null,"missing"] [6,null] [7,"parse"] ' ]
}

@test "a row may name one that names another, as in VLMEvalKit; one without a picture has none" {
    table '2\t1\tQ?\ty\tn\tA\tx\n3\t2\tQ?\ty\tn\tA\tx\n4\t"3"\tQ?\ty\tn\tA\tx\n5\t6\tQ?\ty\tn\tA\tx\n6\t5\tQ?\ty\tn\tA\tx\n7\t8\tQ?\ty\tn\tA\tx\n8\t\tQ?\ty\tn\tA\tx\n' > t.tsv
    run --separate-stderr -1 caption -m pocket --temperature 0 --max-tokens 2 t.tsv
    [ "$(jq -s '.[:4] | [.[].image] | unique | length' <<<"$output")" = 1 ]
    grep -qF 't.tsv:6 (id=5): "image": row 6 leads to no picture' <<<"$stderr"
    grep -qF 't.tsv:8 (id=7): "image": row 8 holds no picture itself' <<<"$stderr"
}

@test "what is no such table is refused by name, and why" {
    : > empty.tsv
    printf 'a\tb\n1\t2\n' > other.tsv
    table '' | gzip > packed.tsv
    mkdir folder.tsv
    for f in empty:'empty file' other:'no column "index"' packed:'packed; unpack it first'; do
        run --separate-stderr -2 qa-filter "${f%%:*}.tsv"
        grep -qF "${f%%:*}.tsv: ${f#*:}" <<<"$stderr" || grep -qF "${f%%:*}.tsv: an ${f#*:}" <<<"$stderr"
    done
    run --separate-stderr -2 qa-filter folder.tsv
}

@test "a picture that is no longer where a row says is an error, not another picture" {
    table '2\t1\tQ?\ty\tn\tA\tx\n' > t.tsv
    caption -m pocket --temperature 0 --max-tokens 2 t.tsv | jq -c '{id, image}' > rows
    sed -i '1s/category/categories/' t.tsv
    run --separate-stderr -1 caption -m pocket rows
    jq -e '.error.class == "media" and (.error.message | contains("the table is another by now"))' <<<"$output"
    for bad in 't.tsv#1@99999999' 't.tsv#9@50' 't.tsv#1[3]@51' 't.tsv#1@99999999999999999999'; do
        run --separate-stderr -1 caption -m pocket <<<"{\"image\":\"$bad\"}"
        [ "$(jq -r .error.class <<<"$output")" = media ]
    done
}

@test "image_path, --root, captions kept by picture, a judge: prism-eval on a table" {
    mkdir -p in/pictures
    cp "$SAMPLES"/images/*.png in/pictures
    (cd in/pictures && printf '%s\n' *) | head -n 4 | {
        printf 'index\timage\timage_path\tquestion\tA\tB\tanswer\tl2-category\n'
        i=0
        while read -r name; do
            i=$((i + 1))
            printf '%d\t\tpictures/%s\tWhat colour is it?\tred\tblue\tB\tcolour\n' $i "$name"
        done
        printf "5\t\t['pictures/%s']\tWhat shape is it?\tball\tcube\tA\tshape\n" "$(cd in/pictures && printf '%s\n' * | head -n 1)"
        printf '6\t%s\t\tWhat shape is it?\tball\tcube\tA\tshape\n' "$(base64 -w0 "in/pictures/$(cd in/pictures && printf '%s\n' * | head -n 1)")"
        printf '7\t6\t\tWhat size is it?\tlarge\tsmall\tA\tshape\n'
    } > in/bench.tsv
    run --separate-stderr -0 prism-eval --judge pocket-judge --judge-prompt-file "$CAPMILL_SHARE/prompts/judge-text.txt" \
        --captioner pocket -n 2 --max-tokens 20 --root in -o out in/bench.tsv
    [ "$(jq -s 'length' out)" = 7 ]
    jq -s -e 'all(.kind == "choice" and (.predictions | length) == 2 and has("error") == false)
        and .[5].captions == .[6].captions and .[5].captions[0].text == .[0].captions[0].text
        and .[0].captions == .[4].captions' out || jq -c '[.id,.image,.captions]' out
    [ "$(wc -l < out.captions.jsonl)" = 5 ]
}

@test "a cell of 27 MB is a picture like another" {
    { # BMP, 2600 x 2600, 24 bits
        printf 'BM\x36\x88\x35\x01\0\0\0\0\x36\0\0\0\x28\0\0\0\x28\x0a\0\0\x28\x0a\0\0\x01\0\x18\0'
        printf '\0\0\0\0\0\x88\x35\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
        head -c 20280000 /dev/zero | tr '\0' '\220'
    } > big.bmp
    { printf 'index\timage\tquestion\tanswer\n1\t"'; base64 big.bmp; printf '"\tWhat?\tgrey\n2\t1\tWhat else?\tnothing\n'; } > t.tsv
    run --separate-stderr -0 caption -m pocket --temperature 0 --max-tokens 3 --max-pixels 20000 t.tsv
    [ "$(jq -r .caption <<<"$output" | sort -u | wc -l)" = 1 ]
    [ "$(jq -r .caption <<<"$output" | head -n 1)" = "$(caption -m pocket --temperature 0 --max-tokens 3 --max-pixels 20000 big.bmp | jq -r .caption)" ]
    [ "$(awk 'END { print NR }' <<<"$output")" = 2 ]
}

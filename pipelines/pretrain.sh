#!/bin/sh
# A captioner in three stages of sft-step: the merger is aligned, captions are learnt, then
# answers. Each stage begins with the model that the one before it ended with.
set -eu

usage() {
    cat <<'END'
usage: pretrain.sh -m MODEL -o FOLDER [-c CONFIGS] [-e ROWS] [-r ROOT] align=ROWS caption=ROWS sft=ROWS
       pretrain.sh -o FOLDER [-n N]

Trains MODEL, a folder or a name, in stages, in the order given: FOLDER/STAGE/latest is the
model after a stage, FOLDER/STAGE.metrics.jsonl its metrics. The same line again goes on with
a run that was interrupted, and changes nothing in one that has ended. Without rows, the pocket
captioner learns from the pocket world to say all that it sees, and to answer.

  -m MODEL    where it begins (pocket)
  -o FOLDER   for what is made
  -c CONFIGS  folder of STAGE.conf: options of sft-step, with # remarks
              (pretrain/pocket beside this script; pretrain/qwen3-vl is for a real one)
  -e ROWS     pictures with facts, a list of sentences: how many of them a greedy caption
              states (recall), and how much of what it states is among them (precision),
              is printed before the first stage and after each
  -r ROOT     folder of relative media paths
  -n N        of the pocket world, N pictures (all 512)

Exit status: 0; 1 if some rows failed; 2 usage; 75 interrupted, the same line goes on.
END
}

here=$(dirname "$0")
[ ! -x "$here/../bin/sft-step" ] || PATH=$here/../bin:$PATH
share=${CAPMILL_SHARE:-$here/../share}
[ -d "$share" ] || share=$here/../../../capmill # installed, in share/doc/capmill
world=$share/pocket/world
model=pocket out='' configs=$here/pretrain/pocket eval='' root='' count=512
while getopts m:o:c:e:r:n:h option; do
    case $option in
    m) model=$OPTARG ;;
    o) out=$OPTARG ;;
    c) configs=$OPTARG ;;
    e) eval=$OPTARG ;;
    r) root=$OPTARG ;;
    n) count=$OPTARG ;;
    h) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ -n "$out" ] || { usage >&2 && exit 2; }
mkdir -p "$out"

# The pocket world as rows: dense captions, and one question a picture beside each.
if [ $# = 0 ]; then
    eval=$world/test.jsonl root=$world
    head -n "$count" "$world/train.jsonl" |
        jq -c '{id, image, caption: (.facts | join(" "))}' > "$out/captions.jsonl"
    head -n "$count" "$world/train.jsonl" | jq -c '
        {id, image, caption: (.facts | join(" "))},
        (.qa[(.id | explode | add) % (.qa | length)] as $q | {id: "\(.id)-q", messages: [
            {role: "user", content: [{type: "image_url", image_url: {url: .image}}, {type: "text", text: $q.question}]},
            {role: "assistant", content: $q.options[($q.answer | explode[0]) - 65]}]})' > "$out/answers.jsonl"
    set -- "align=$out/captions.jsonl" "caption=$out/captions.jsonl" "sft=$out/answers.jsonl"
fi

# figures NAME MODEL: recall and precision, measured once: of all rows, or not at all. A row that
# failed states nothing.
figures() {
    [ -n "$eval" ] || return 0
    if [ ! -e "$out/$1.figures" ]; then
        status=0
        caption -m "$2" --temperature 0 ${root:+--root "$root"} "$eval" > "$out/figures.rows" || status=$?
        [ $status -le 1 ] || exit $status
        jq -rn '[inputs | .facts as $f
                | [.caption // "" | match("[^ .][^.]*\\."; "g").string] as $said
                | {true: ($said | map(select(IN($f[]))) | length), said: ($said | length), facts: ($f | length)}]
                | (map(.true) | add) as $true
                | def part($n): if $n > 0 then $true / $n * 1000 | round / 1000 else 0 end;
                "recall \(part(map(.facts) | add)) precision \(part(map(.said) | add))"' \
            "$out/figures.rows" > "$out/figures.new"
        rm "$out/figures.rows"
        mv "$out/figures.new" "$out/$1.figures"
    fi
    echo "$1: $(cat "$out/$1.figures")"
}

failed=0
figures before "$model"
for stage; do
    name=${stage%%=*} rows=${stage#*=} status=0
    if [ "$name" = "$stage" ] || [ ! -r "$configs/$name.conf" ]; then
        echo "pretrain.sh: $stage: no STAGE=ROWS with $configs/STAGE.conf" >&2
        exit 2
    fi
    # shellcheck disable=SC2046  # options are meant to be split
    sft-step -m "$model" --out "$out/$name" --resume --errors "$out/$name.errors.jsonl" ${root:+--root "$root"} \
        $(sed 's/#.*//' "$configs/$name.conf") "$rows" >> "$out/$name.metrics.jsonl" || status=$?
    case $status in
    0) ;;
    1) failed=1 ;;
    *) exit $status ;;
    esac
    model=$out/$name/latest
    figures "$name" "$model"
done
exit $failed

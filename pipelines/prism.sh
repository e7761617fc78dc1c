#!/bin/sh
# A table as in the papers: captions of several benchmarks, made or given, measured by what a
# blind judge answers from them (prism-eval), a line for each captioner.
set -eu

usage() {
    cat <<'END'
usage: prism.sh -j JUDGE -m CAPTIONER | -c CAPTIONS [-l LINE] -o FOLDER PRESET=FILE ...
       prism.sh -o FOLDER

Measures one captioner on each benchmark and prints the table of all that FOLDER holds, this
one's line last. The same line again goes on with a run that was interrupted, and asks nobody
again for what is done. Without benchmarks: the table alone.

  PRESET=FILE   a benchmark's rows, and how they are asked and scored: a name under
                share/benchmarks, or a file (my.json=rows.jsonl)
  -j JUDGE      who answers, and sees captions only: a folder, or http://host:port/v1#name
  -m CAPTIONER  who describes the pictures, likewise
  -c CAPTIONS   captions that are there instead: one file of rows for all benchmarks, or a
                folder of PRESET.jsonl
  -l LINE       this captioner's name in the table (the last part of CAPTIONER or CAPTIONS)
  -o FOLDER     for what is made: LINE/PRESET.jsonl with captions, predictions and scores,
                LINE/PRESET.summary.json, and the table: table.txt, .md, .tex, .csv
  -t FORMAT     print this one: text, markdown, latex, csv (text)
  -b            the best of a picture's captions instead of their mean
  -e            standard errors beside the values
  -r            try the rows again that failed

More options of prism-eval stand in the environment: PRISM="-n 4 --rules published --root ~/data".
Values are in percent. The average is over benchmarks; a line that lacks one has none.

Exit status: 0; 1 if some rows failed; 2 usage; 75 interrupted, the same line goes on.
END
}

wrong() {
    printf 'prism.sh: %s\n' "$*" >&2
    exit 2
}

judge='' captioner='' captions='' line='' out='' format=text measure=mean errors=no again=''
while getopts j:m:c:l:o:t:berh option; do
    case $option in
    j) judge=$OPTARG ;;
    m) captioner=$OPTARG ;;
    c) captions=$OPTARG ;;
    l) line=$OPTARG ;;
    o) out=$OPTARG ;;
    t) format=$OPTARG ;;
    b) measure=best ;;
    e) errors=yes ;;
    r) again=--retry-errors ;;
    h) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
    esac
done
shift $((OPTIND - 1))
if [ -z "$out" ]; then
    usage >&2
    exit 2
fi
case $format in
text | markdown | latex | csv) ;;
*) wrong "-t $format: none of text, markdown, latex, csv" ;;
esac
if [ $# != 0 ]; then
    [ -n "$judge" ] || wrong "no judge: -j"
    [ -z "$captioner" ] || [ -z "$captions" ] || wrong "-m and -c: captions are made, or there"
    [ -n "$captioner$captions" ] || wrong "no captioner (-m) and no captions (-c)"
    if [ -z "$line" ]; then
        line=${captioner:-$captions} line=${line%/} line=${line##*[/#]} line=${line%.jsonl}
    fi
    case $line in
    '' | .* | */*) wrong "-l '$line': cannot be a folder's name" ;;
    esac
fi
for benchmark; do
    case $benchmark in
    ?*=?*) [ -r "${benchmark#*=}" ] || wrong "${benchmark#*=}: cannot be read" ;;
    *) wrong "$benchmark: not PRESET=FILE" ;;
    esac
done

here=$(dirname "$0")
[ ! -x "$here/../bin/prism-eval" ] || PATH=$here/../bin:$PATH
share=${CAPMILL_SHARE:-$here/../share}
[ -d "$share" ] || share=$here/../../../capmill # installed, in share/doc/capmill
failed=0

# name PRESET: without its folder and ending.
name() {
    base=${1##*/}
    printf '%s\n' "${base%.json}"
}

# evaluate PRESET FILE: one benchmark's rows and summary, resumed if it was begun.
evaluate() {
    preset=$1 rows=$2 column=$(name "$1") status=0
    set -- --captioner "$captioner"
    [ -z "$captions" ] || set -- --captions "$captions"
    [ ! -d "$captions" ] || set -- --captions "$captions/$column.jsonl"
    # shellcheck disable=SC2086  # more options are meant to be split
    prism-eval --preset "$preset" "$@" --judge "$judge" -o "$out/$line/$column.jsonl" --resume \
        $again --summary "$out/$line/$column.summary.json" ${PRISM:-} -- "$rows" || status=$?
    case $status in
    0) ;;
    1) failed=1 ;;
    *) exit $status ;;
    esac
}

# The table's columns: benchmarks as they were asked for, then all others that are there.
columns() {
    for benchmark; do name "${benchmark%%=*}"; done
    for summary in "$out"/*/*.summary.json; do
        [ ! -e "$summary" ] || basename "$summary" .summary.json
    done
}

# Its lines: all that are there, this one last.
lines() {
    for folder in "$out"/*/; do
        [ ! -d "$folder" ] || [ "$folder" = "$out/$line/" ] || basename "$folder"
    done
    [ -z "$line" ] || printf '%s\n' "$line"
}

# title COLUMN PRESET=FILE ...: as its preset has it, one that was asked for or that came along.
title() {
    column=$1 preset=$share/benchmarks/$1.json
    shift
    for benchmark; do
        case ${benchmark%%=*} in
        */"$column".json | "$column".json | */"$column") preset=${benchmark%%=*} ;;
        esac
    done
    if [ -f "$preset" ]; then jq -r .title "$preset"; else printf '%s\n' "$column"; fi
}

# {run, benchmark, title, summary}, a line each; summary null where there is none.
cells() {
    lines | while IFS= read -r run; do
        columns "$@" | awk '!seen[$0]++' | while IFS= read -r column; do
            summary=$out/$run/$column.summary.json
            [ -f "$summary" ] || summary=/dev/null
            jq -nc --arg run "$run" --arg benchmark "$column" --arg title "$(title "$column" "$@")" \
                '{$run, $benchmark, $title, summary: ([inputs] | first)}' "$summary"
        done
    done
}

# table FORMAT FILE: whole or not at all.
table() {
    jq -nr --arg format "$1" --arg measure "$measure" --arg se "$errors" \
        -f "$here/prism-table.jq" "$out/.cells" > "$2.new"
    mv "$2.new" "$2"
}

if [ $# != 0 ]; then
    mkdir -p "$out/$line"
    for benchmark; do evaluate "${benchmark%%=*}" "${benchmark#*=}"; done
fi
trap 'rm -f "$out/.cells"' EXIT
cells "$@" > "$out/.cells"
table text "$out/table.txt"
table markdown "$out/table.md"
table latex "$out/table.tex"
table csv "$out/table.csv"
case $format in
text) cat "$out/table.txt" ;;
markdown) cat "$out/table.md" ;;
latex) cat "$out/table.tex" ;;
csv) cat "$out/table.csv" ;;
esac
exit $failed

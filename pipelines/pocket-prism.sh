#!/bin/sh
# What a judge that does not see the pocket world's pictures answers from their captions, as a
# table of benchmarks by kind of picture (prism.sh), a line for each captioner.
# Usage: pipelines/pocket-prism.sh ROWS ROOT [NAME=CAPTIONS ...]
# ROWS: pictures with questions, relative to ROOT; CAPTIONS: a file of captions, or a model.
set -eu

here=$(dirname "$0")
PATH=$here/../bin:$PATH
share=${CAPMILL_SHARE:-$here/../share}
[ -d "$share" ] || share=$here/../../../capmill # installed, in share/doc/capmill
rows=$1 root=$2
shift 2

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
for line; do
    shift
    if [ -f "${line#*=}" ]; then # its pictures by their whole names, as the questions have them
        jq -c --arg root "$root" '{image: "\($root)/\(.image)", caption}' "${line#*=}" > "$made/${line%%=*}.jsonl"
        line="${line%%=*}=$made/${line%%=*}.jsonl"
    fi
    set -- "$@" "$line"
done

: > "$made/benchmarks"
for kind in scene chart sign; do
    # The row's questions with the right option's words for an answer.
    jq -c --arg kind $kind --arg root "$root" 'select(.kind == $kind) | .id as $id | .image as $image
        | .qa | to_entries[] | {id: "\($id)-\(.key)", image: "\($root)/\($image)",
            question: .value.question, answer: .value.options[.value.answer | explode[0] - 65]}' \
        "$rows" > "$made/$kind.jsonl"
    [ -s "$made/$kind.jsonl" ] || continue
    jq --arg kind $kind '.title = "pocket \($kind)s"' "$share/pocket/prism.json" > "$made/$kind.json"
    printf '%s\n' "$kind" >> "$made/benchmarks"
done

# measured OPTION VALUE NAME: a line of the table. What prism-eval says is shown where it fails.
measured() {
    captions=$1 from=$2 name=$3
    set --
    while read -r kind; do
        set -- "$@" "$made/$kind.json=$made/$kind.jsonl"
    done < "$made/benchmarks"
    PRISM='--temperature 0' "$here/prism.sh" -e -j pocket-judge -o "$made/out" \
        "$captions" "$from" -l "$name" "$@" > "$made/table" 2> "$made/log" || {
        status=$?
        cat "$made/log" >&2
        exit $status
    }
}
for line; do
    if [ -f "${line#*=}" ]; then
        measured -c "${line#*=}" "${line%%=*}"
    else
        measured -m "${line#*=}" "${line%%=*}"
    fi
done
echo "Questions right, in percent (+- standard error over pictures):"
cat "$made/table"

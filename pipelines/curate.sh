#!/bin/sh
# From pictures to questions that need them: qa-gen | qa-extract | qa-answer | qa-filter, a
# file for each stage, so that a run that was killed goes on where it was.
set -eu

usage() {
    cat <<'END'
usage: curate.sh -m MODEL -o FOLDER [-a MODEL] [-s I/N] [-r] rows | picture | folder ...

Asks MODEL for questions about each picture, has them answered with and without it, and
keeps those that only the picture answers: FOLDER/qa.jsonl. The same line again goes on
with a run that was interrupted, and changes nothing in one that has ended.

  -m MODEL   who asks, and answers: a folder, or http://host:port/v1#name[,http://...]
  -a MODEL   who answers, if it is another one
  -o FOLDER  for what is made: generated.jsonl, extracted.jsonl, answered.jsonl, qa.jsonl,
             stats.json, and errors.STAGE.jsonl with the rows that failed
  -s I/N     every N-th row, from row I (0 to N-1): one shard's work
  -r         try the rows again that failed

Options of a stage stand in the environment: GEN="--questions 3", EXTRACT, ANSWER="--rotations
2 --concurrency 64", FILTER="--text-below 0.3".

Exit status: 0; 1 if some rows failed; 2 usage; 75 interrupted, the same line goes on.
END
}

model='' answerer='' out='' shard='' again=''
while getopts m:a:o:s:rh option; do
    case $option in
    m) model=$OPTARG ;;
    a) answerer=$OPTARG ;;
    o) out=$OPTARG ;;
    s) shard=$OPTARG ;;
    r) again=--retry-errors ;;
    h) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
    esac
done
shift $((OPTIND - 1))
if [ -z "$model" ] || [ -z "$out" ] || [ $# = 0 ]; then
    usage >&2
    exit 2
fi

here=$(dirname "$0")
[ ! -x "$here/../bin/qa-gen" ] || PATH=$here/../bin:$PATH
mkdir -p "$out"
failed=0

# stage PROGRAM NAME [argument ...]: NAME.jsonl from the arguments, resumed if it was begun.
stage() {
    program=$1 name=$2 status=0
    shift 2
    "$program" -o "$out/$name.jsonl" --errors "$out/errors.$name.jsonl" --resume $again "$@" ||
        status=$?
    case $status in
    0) ;;
    1) failed=1 ;;
    *) exit $status ;;
    esac
}

# shellcheck disable=SC2086  # a stage's options are meant to be split
{
    stage qa-gen generated -m "$model" ${shard:+--shard "$shard"} ${GEN:-} -- "$@"
    stage qa-extract extracted ${EXTRACT:-} -- "$out/generated.jsonl"
    stage qa-answer answered -m "${answerer:-$model}" ${ANSWER:-} -- "$out/extracted.jsonl"
    stage qa-filter qa --stats "$out/stats.json" ${FILTER:-} -- "$out/answered.jsonl"
}
exit $failed

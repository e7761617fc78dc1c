# pipelines/prism.sh and the table that it prints. prism-eval is mostly stood in for here: what
# it does is tests/prism-eval.bats' business, what is asked of it is this file's.
setup() {
    load common
    TABLE=$ROOT/pipelines/prism-table.jq
    # without a bin folder beside them, the pipeline takes prism-eval from PATH
    mkdir -p alone/pipelines alone/path
    cp "$ROOT/pipelines/prism.sh" "$TABLE" alone/pipelines
    cat > alone/path/prism-eval <<'STANDIN'
#!/bin/bash
# Notes how it was called; the summary is that of the file "figures" for preset and source.
printf '%s ' "$@" >> calls; echo >> calls
while [ $# -gt 0 ]; do
    case $1 in
    --preset) preset=$(basename "$2" .json); shift ;;
    --captions | --captioner) source=$(basename "${2##*#}" .jsonl); shift ;;
    --summary) summary=$2; shift ;;
    -o) out=$2; shift ;;
    esac
    shift
done
echo '{}' > "$out"
read -r status figures < <(grep "^$preset $source " figures | cut -d' ' -f3-)
[ -z "$figures" ] || echo "$figures" > "$summary"
exit "${status:-0}"
STANDIN
    chmod +x alone/path/prism-eval
    PATH=$PWD/alone/path:$PWD/alone/pipelines:$PATH
    echo '{}' > rows
}

cell() { # RUN BENCHMARK MEAN [SE [FAILED]]
    jq -nc --arg run "$1" --arg benchmark "$2" --argjson mean "$3" --argjson se "${4:-null}" --argjson failed "${5:-0}" \
        '{$run, $benchmark, title: ($benchmark | ascii_upcase),
          summary: (if $mean then {$mean, best: ($mean / 2), mean_se: $se, best_se: 0.5, $failed} else null end)}'
}

table() { jq -nr --arg format "$1" --arg measure "${2:-mean}" --arg se "${3:-no}" -f "$TABLE" cells; }

@test "text: columns and lines in their order, a mean of means, nothing made up for a gap" {
    { cell one b 0.12345; cell one a 1; cell two b null; cell two a 0; cell both a 0.5; cell both b 0.5; } > cells
    table text > got
    diff got - <<'WANT'
         B      A  Average
one   12.3  100.0     56.2
two      -    0.0        -
both  50.0   50.0     50.0
WANT
}

@test "markdown: the best stands out, where there are several; marks of its own are escaped" {
    { cell 'a|b_*' x 0.5; cell 'a|b_*' y 0.25; cell other x 0.5; cell other y null; cell third x 0.4; } > cells
    table markdown > got
    diff got - <<'WANT'
| | X | Y | Average |
|---|---:|---:|---:|
| a\|b\_\* | **50.0** | 25.0 | 37.5 |
| other | **50.0** | - | - |
| third | 40.0 | - | - |
WANT
}

@test "latex: special characters, standard errors, bold" {
    { cell '50% of_#1 \ ~^{x}&$|<>' x 0.5 0.01; cell b x 0.75 0.0249; } > cells
    table latex mean yes > got
    diff got - <<'WANT'
\begin{tabular}{lrr}
\hline
 & X & Average \\
\hline
50\% of\_\#1 \textbackslash{} \textasciitilde{}\textasciicircum{}\{x\}\&\$\textbar{}\textless{}\textgreater{} & 50.0 $\pm$ 1.0 & 50.0 $\pm$ 1.0 \\
b & \textbf{75.0} $\pm$ 2.5 & \textbf{75.0} $\pm$ 2.5 \\
\hline
\end{tabular}
WANT
}

@test "csv: quoted where it must be, standard errors are columns of their own" {
    { cell 'a,"b"' x 0.5 0.01; cell 'a,"b"' y 0.3 0.02; cell c x 0.1 0.03; } > cells
    table csv mean yes > got
    diff got - <<'WANT'
run,X,X se,Y,Y se,Average,Average se
"a,""b""",50.00,1.00,30.00,2.00,40.00,1.12
c,10.00,3.00,,,,
WANT
    table csv best | grep -qx 'c,5.00,,'
}

@test "a value of which rows failed is marked, and so is its average, in every form" {
    { cell a x 0.5 null 3; cell a y 0.5; } > cells
    [ "$(table text | tr -s ' ')" = $' X Y Average\na 50.0* 50.0 50.0*\n* some rows failed: the value is over the others.' ]
    table markdown | grep -qxF '| a | 50.0\* | 50.0 | 50.0\* |'
    table latex | grep -qxF "a & 50.0* & 50.0 & 50.0* \\\\"
    table csv | grep -qx 'a,50.00,50.00,50.00'
}

@test "no summary at all, one without the measure, or another format: an error" {
    cell a x null > cells
    run -5 table text
    : > cells
    run -5 table text
    echo '{"run":"a","benchmark":"x","title":"X","summary":{"score":1}}' > cells
    run -5 table text
    [[ "$output" == *"no mean"* ]]
    cell a x 0.5 > cells
    run -5 table html
}

@test "prism.sh: each benchmark is asked for with its preset; the table in four files" {
    printf '%s\n' 'chartqa net 0 {"mean":0.5,"best":0.75,"failed":0}' 'mine net 0 {"mean":0.25,"best":0.5,"failed":0}' > figures
    PRISM='-n 4 --rules published' run --separate-stderr -0 prism.sh -j judge -m some/net -o out chartqa=rows some/mine.json=rows
    [ "$stderr" = "" ]
    [ "$(sed 's/ $//' calls)" = "--preset chartqa --captioner some/net --judge judge -o out/net/chartqa.jsonl --resume --summary out/net/chartqa.summary.json -n 4 --rules published -- rows
--preset some/mine.json --captioner some/net --judge judge -o out/net/mine.jsonl --resume --summary out/net/mine.summary.json -n 4 --rules published -- rows" ]
    [ "$output" = "$(printf '     ChartQA  mine  Average\nnet     50.0  25.0     37.5')" ]
    diff out/table.txt <(echo "$output")
    [ "$(cat out/table.csv)" = $'run,ChartQA,mine,Average\nnet,50.00,25.00,37.50' ]
    grep -qxF '| net | 50.0 | 25.0 | 37.5 |' out/table.md
    grep -qxF "net & 50.0 & 25.0 & 37.5 \\\\" out/table.tex
    [ "$(ls -A out)" = "$(printf '%s\n' net table.csv table.md table.tex table.txt)" ]
}

@test "prism.sh: lines of several runs in one table, this one's last; again without benchmarks" {
    printf '%s\n' 'mmmu b 0 {"mean":0.5,"best":1,"failed":0}' 'mmmu a 0 {"mean":0.25,"best":1,"failed":0}' 'mmmu mmmu 0 {"mean":0,"best":0,"failed":0}' > figures
    mkdir folder; echo '{}' > b.jsonl
    prism.sh -j j -m http://host/v1#b -o out mmmu=rows
    grep -q -- '--captioner http://host/v1#b ' calls
    prism.sh -j j -c b.jsonl -l "other name" -o out mmmu=rows
    grep -q -- '--captions b.jsonl ' calls
    run -0 prism.sh -j j -m a -t csv -o out mmmu=rows
    [ "$output" = $'run,MMMU,Average\nb,50.00,50.00\nother name,50.00,50.00\na,25.00,25.00' ]
    prism.sh -j j -c folder -l zero -o out mmmu=rows
    grep -q -- '--captions folder/mmmu.jsonl ' calls
    calls=$(wc -l < calls)
    run -0 prism.sh -b -t csv -o out
    [ "$output" = $'run,MMMU,Average\na,100.00,100.00\nb,100.00,100.00\nother name,100.00,100.00\nzero,0.00,0.00' ]
    [ "$(wc -l < calls)" = "$calls" ]
}

@test "prism.sh: failed rows are status 1 with the table, an interruption 75 without what follows" {
    printf '%s\n' 'mmmu m 1 {"mean":0.5,"best":1,"failed":2}' 'seed m 0 {"mean":0.5,"best":1,"failed":0}' > figures
    run -1 prism.sh -j j -m m -o out mmmu=rows seed=rows
    [[ "$output" == *"50.0*"* ]]
    echo 'mmmu m 75' > figures
    run --separate-stderr -75 prism.sh -j j -m m -o again mmmu=rows seed=rows
    [ "$output" = "" ]
    [ "$(grep -c 'again/m/seed' calls)" = 0 ]
    [ ! -e again/table.txt ]
    echo 'mmmu m 2' > figures
    run -2 prism.sh -r -j j -m m -o again mmmu=rows
    tail -1 calls | grep -q -- '--retry-errors'
}

@test "prism.sh: what is missing or wrong is said before anybody is asked" {
    for line in '-j j -m m mmmu=rows' '-m m -o out mmmu=rows' '-j j -o out mmmu=rows' '-j j -m m -c c -o out mmmu=rows' \
        '-j j -m m -o out mmmu' '-j j -m m -o out mmmu=none' '-j j -m m -o out =rows' '-j j -m m -o out -t html mmmu=rows' \
        '-j j -m m -l a/b -o out mmmu=rows' '-j j -m m -l .. -o out mmmu=rows' '-j j -m .. -o out mmmu=rows' '-x'; do
        # shellcheck disable=SC2086  # a line of arguments
        run --separate-stderr -2 prism.sh $line
        [ -n "$stderr" ] && [ "$output" = "" ]
    done
    [ ! -e calls ] && [ ! -e out ]
    run --separate-stderr -0 prism.sh -h
    [[ "$output" == "usage: prism.sh"* ]] && [ "$stderr" = "" ]
}

@test "prism.sh with the pocket pair: the table's values are the rows' means; again it writes nothing" {
    PATH=${CAPMILL_BIN:-$ROOT/bin}:$PATH # the real one
    cp "$SAMPLES/../prism.json" own.json
    jq -c '. as $r | .qa | to_entries[:6][] | {id: "\($r.id)-\(.key)", image: $r.image, question: .value.question,
        answer: .value.options[.value.answer | explode[0] - 65]}' "$SAMPLES/samples.jsonl" > rows
    line=(-j pocket-judge -m pocket -o out ./own.json=rows)
    export PRISM="-n 2 --root $SAMPLES"
    "$ROOT/pipelines/prism.sh" "${line[@]}" > table 2> log
    read -r mean best < <(jq -s -r '(map(.score) | add / length), (map(.best) | add / length)' out/pocket/own.jsonl | paste -sd' ')
    grep -qx "pocket  *$(printf %.1f "$(jq -n "$mean * 100")")  *$(printf %.1f "$(jq -n "$mean * 100")")" table
    grep -q 'Pocket world' table
    "$ROOT/pipelines/prism.sh" -b "${line[@]}" 2> log | grep -q "  $(printf %.1f "$(jq -n "$best * 100")")$"
    cp -p out/pocket/own.jsonl before
    "$ROOT/pipelines/prism.sh" "${line[@]}" 2> log | diff - table
    cmp out/pocket/own.jsonl before
}

@test "samples.sh ends with a table: all facts answer all questions, none answer few, the captioner is between" {
    PATH=${CAPMILL_BIN:-$ROOT/bin}:$PATH
    "$ROOT/pipelines/samples.sh" | tail -4 > table
    grep -q '^all drawn facts  *100.0 ±0.0  *100.0 ±0.0  *100.0 ±0.0  *100.0 ±0.0$' table
    none=$(awk '/^no caption/ { sub("±", "", $NF); print $(NF - 1) }' table)
    pocket=$(awk '/^pocket  / { print $(NF - 1) }' table)
    awk -v none="$none" -v pocket="$pocket" 'BEGIN { exit !(none > 0 && none < 25 && pocket > none + 10 && pocket < 75) }'
}

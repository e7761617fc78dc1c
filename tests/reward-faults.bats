# No reward that was not judged: whatever an endpoint does, a caption has the reward that a
# judge without faults gives, or an error. Each plan is a server of its own with random faults.
setup() {
    load common
    load server
}
teardown() { stop_servers || true; }

# Rows whose captions answer all, some or none of their questions; two are equal.
make_rows() {
    jq -c '.captions = [{text: "A red kite over a pier. marker:a", tokens: 9},
                        {text: "A pier. marker:b", tokens: 2}, {text: "", tokens: 0},
                        {text: "A pier. marker:b", tokens: 2}]' <<'EOF'
{"id":1,"qa":[{"question":"What flies?","options":["a red kite","a gull","a plane","a bee"],"answer":"A"},{"question":"Over what?","options":["a hill","a pier"],"answer":"B"}]}
{"id":2,"qa":[{"question":"What color is it?","options":["blue","green","red"],"answer":"C"}]}
{"id":3,"video":"v.mp4","qa":[{"question":"Where is it?","options":["in a hall","on a roof","at a pier"],"answer":"C"},{"question":"Who is there?","options":["nobody","a crowd"],"answer":"A"}]}
EOF
}

# What a row must be like beside the same row judged without faults: [captions judged, failed].
cat_checks() {
    cat <<'EOF'
def near($a; $b): ($a - $b | fabs) < 1e-12;
($want[0] | map({(.id | tostring): .}) | add) as $want
| [inputs | . as $row | $want[.id | tostring] as $ref
   | (.captions | length) == 4 or error("captions lost")
   | [$row.captions | to_entries[] | . as {$key, $value}
      | ($value | has("reward") != has("error")) or error("neither or both: \($value)")
      | ($value | has("error")) or $value == $ref.captions[$key] or error("not judged so: \($value)")
      | ($value.error == null) or ($value.error | .stage == "reward" and (.class | length) > 0)
        or error("bad error: \($value)")
      | $value]
   | map(select(.reward).reward.total) as $totals
   | $row.reward_group as $g
   | ($g.n == ($totals | length) and $g.failed == 4 - $g.n) or error("counts: \($g)")
   | if $g.n == 0 then [$g.mean, $g.std, $g.min, $g.max] == [null, null, null, null]
     else ($totals | add / length) as $mean
       | near($g.mean; $mean) and $g.min == ($totals | min) and $g.max == ($totals | max)
         and near($g.std * $g.std; $totals | map(. - $mean | . * .) | add / length) end
   | . or error("sums: \($g)")
   | [$g.n, $g.failed]]
| [length, (map(.[0]) | add // 0), (map(.[1]) | add // 0)] | @tsv
EOF
}

export_plan() {
    faults=(reset close reset-headers reset-body cut length-large length-small stall stall-headers
        stall-body drip drip-headers endless bad-chunk truncated invalid empty-body type idle-close
        idle-reset nul deep bad-status http-0.9 many-100 bad-gzip two-lengths no-choices
        empty-choices null-content fewer shuffled twice utf8 error-200 429-seconds 429-zero 429-huge
        429-junk html html-502 huge gzip-bomb sse redirect-host redirect-same refuse 500 503 400 404
        408 secret)
    export faults_text="${faults[*]}"
}

# plan NUMBER: rows written, captions judged and failed, as a line of numbers.
plan() {
    local number=$1 ways=("--score sampled --rounds 3" "--score sampled --all-qa" "--score expected")
    local faults options=() way status=0 url
    read -ra faults <<<"$faults_text"
    RANDOM=$number
    way=$((RANDOM % 3))
    for _ in 1 2 3; do
        options+=(--fault "${faults[RANDOM % ${#faults[@]}]}=$((1 + RANDOM % 30))%")
    done
    start_server --mode judge --seed "$number" --huge 1 --refuse 50 --stall 1000 "${options[@]}"
    url=$SERVER_URL
    # shellcheck disable=SC2086
    reward -m "$url#x" ${ways[way]} --timeout 0.2 --row-timeout 4 --retries $((RANDOM % 2)) rows >"out$number" \
        2>"log$number" || status=$?
    stop_servers || true # of killed servers
    jq -nr --slurpfile want "want$way" -f checks "out$number" >"sum$number" || {
        echo "plan $number: ${options[*]} ${ways[way]}"
        return 1
    }
    read -r rows judged failed <"sum$number"
    case $status in # 75: every endpoint was down, rows are left for --resume
    0) [ "$rows" = 3 ] && [ "$failed" = 0 ] ;;
    1) [ "$rows" = 3 ] && [ "$failed" -gt 0 ] ;;
    75) [ "$rows" -lt 3 ] ;;
    *) false ;;
    esac || {
        echo "plan $number: status $status with $rows rows, $judged judged, $failed failed"
        echo "${options[*]}"
        return 1
    }
    cat "sum$number"
    rm -f "out$number" "log$number" "sum$number"
}

@test "no reward that was not judged: random fault plans" {
    local plans=100 way=0 options
    [ -z "${LONG:-}" ] || plans=2000
    make_rows >rows
    cat_checks >checks
    start_server --mode judge
    for options in "--score sampled --rounds 3" "--score sampled --all-qa" "--score expected"; do
        # shellcheck disable=SC2086
        reward -m "$SERVER_URL#x" $options rows | jq -s . >want$way
        way=$((way + 1))
    done
    stop_servers || true # of killed servers
    export_plan
    export -f plan start_server stop_servers eventually
    export BATS_TEST_TMPDIR ROOT SERVERS=
    seq "$plans" | xargs -P 16 -I{} bash -c 'plan {}' >>sums || { cat sums; false; }
    awk -v plans="$plans" '{rows += $1; judged += $2; failed += $3}
        END {print NR " plans: " rows " rows, " judged " captions judged, " failed " failed"
             exit !(NR == plans && judged > NR && failed > NR)}' sums >figures || { cat figures; false; }
    sed 's/^/# /' figures >&3
}

# The presets in share/benchmarks: what the pages say of them, and their own words.
setup() {
    load common
    PRESETS=$CAPMILL_SHARE/benchmarks
}

@test "the page lists the presets that come along as they are" {
    sed -n 's/^\.It \([a-z-]* Ta .*\)/\1/; s/ Ta / /gp' "$ROOT/man/capmill-benchmarks.7" | grep -v '^\.It Em' | sort > listed
    for preset in "$PRESETS"/*.json; do
        jq -r --arg name "$(basename "$preset" .json)" '"\($name) \(.title) \(.kind) \(.published) \(.options)"' "$preset"
    done | sort > there
    [ "$(wc -l < there)" = 12 ]
    diff listed there
}

@test "the page lists every key that a preset may have, and the example on it is one" {
    sed -nE 's/^\.It Li (.*)/\1/p' "$ROOT/man/capmill-benchmarks.7" | sort > listed
    jq -r keys[] "$PRESETS"/*.json | sort -u | diff listed -
    sed -n '/^{$/,/^}$/p' "$ROOT/man/capmill-benchmarks.7" > own.json
    jq -e '.title == "Signs"' own.json
}

@test "the published rules are those of the files' names, as the published script takes them" {
    for preset in "$PRESETS"/*.json; do
        case $(basename "$preset") in
        *info*) want=info ;;
        *char*) want=chart ;;
        *) want=math ;;
        esac
        [ "$(jq -r .published "$preset")" = $want ] || { echo "$preset"; false; }
    done
}

@test "prompts: the caption first and once, the question once, no line that is blank by mistake" {
    for preset in "$PRESETS"/*.json; do
        jq -e '[.prompt[]] | length > 0 and all(.[];
            (map(select(contains("{caption}"))) | length) == 1 and (map(select(contains("{question}"))) | length) == 1
            and .[0] != "" and .[-1] != "" and all(.[]; test("^ | $|\n") | not)
            and ([.[] == ""] as $blank | all(range(1; length); ($blank[.] and $blank[. - 1]) | not)))' "$preset" > log ||
            { echo "$preset"; cat log; false; }
    done
}

@test "a preset of the lines in a table is named once: titles differ" {
    [ "$(jq -r .title "$PRESETS"/*.json | sort | uniq -d)" = "" ]
    jq -e '.notes and .source' "$PRESETS"/*.json > /dev/null
}

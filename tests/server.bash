# server.bash: the fault server for Bats files (tests/c/fault-server-driver.c says what it
# does). load it after common; call stop_servers in teardown.

# Start a server with these options: $SERVER_URL is its base, $SERVER_PID its process,
# $SERVER_LOG its log. Several may run; each call sets the names anew.
start_server() {
    local port_file
    port_file=$(mktemp -u "$BATS_TEST_TMPDIR/port-XXXXXX")
    SERVER_LOG=$port_file.log
    : >"$SERVER_LOG"
    "${CAPMILL_BUILD:-$ROOT/build}/tests/fault-server-driver" --port-file "$port_file" \
        --log "$SERVER_LOG" "$@" 3>&- 4>&- &
    SERVER_PID=$!
    SERVERS="${SERVERS:-} $SERVER_PID"
    eventually test -s "$port_file" || return 1
    SERVER_URL=http://127.0.0.1:$(cat "$port_file")/v1
    export SERVER_URL SERVER_LOG
}

stop_servers() {
    local pid
    for pid in ${SERVERS:-}; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null || true
    done
    SERVERS=
    return 0
}

# How many requests the last server's log shows for a marker (any, without one).
asked() {
    awk -F'\t' -v marker="${1:-}" 'marker == "" || $7 == marker' "$SERVER_LOG" | wc -l
}

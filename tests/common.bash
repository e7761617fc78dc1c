# common.bash: what every Bats file loads. Programs under test come first in PATH; each test
# has a folder of its own, $BATS_TEST_TMPDIR, and works in it.
bats_require_minimum_version 1.5.0
ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
PATH=${CAPMILL_BIN:-$ROOT/bin}:$PATH
export CAPMILL_SHARE=$ROOT/share
export SAMPLES=$ROOT/share/pocket/samples
export WORLD=$ROOT/share/pocket/world
export GOLDENS=$ROOT/tests/data/goldens
cd "$BATS_TEST_TMPDIR" || exit 1

# A value of the row(s) on stdin, as compact JSON: field .error.class
field() { jq -c "$1"; }

# The captions of greedy decoding, short: what most tests need of caption.
short_caption() { caption -m pocket --temperature 0 --max-tokens 12 "$@"; }

# Wait until a command holds, 10 s at most.
eventually() {
    for _ in $(seq 200); do
        if "$@"; then return 0; fi
        sleep 0.05
    done
    return 1
}

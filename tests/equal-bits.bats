# The same row, model and seed give the same bytes, whatever runs beside it.
setup() {
    load common
    for i in 00 01 02 03 04 05 06 07; do
        echo '{"id":"'$i'","image":"images/00'$i'.png","prompt":"Please describe this image in detail."}'
    done > rows
    echo '{"id":"m","messages":[{"role":"user","content":[{"type":"image","image":"images/0008.png"},{"type":"image","image":"images/0009.png"},{"type":"text","text":"Please describe this image in detail."}]}]}' >> rows
    sample rows > want
}
sample() { caption -m pocket -n 3 --seed 11 --logprobs=2 --max-tokens 40 --root "$SAMPLES" "$@"; }

@test "1 and 2 threads" {
    sample --threads 1 rows | cmp - want
    sample --threads 2 rows | cmp - want
}

@test "alone, in batches of any size, in another order" {
    sample --max-batch 1 rows | cmp - want
    sample --max-batch 7 rows | cmp - want
    while read -r row; do sample <<<"$row"; done < rows | cmp - want
    tac rows | sample | tac | cmp - want
    sample --unordered rows | sort | cmp - <(sort want)
}

@test "shards 1 to 5" {
    sort want > sorted
    for n in 1 2 3 4 5; do
        for ((i = 0; i < n; i++)); do sample --shard $i/$n rows; done | sort | cmp - sorted
    done
}

@test "a sample does not depend on how many there are" {
    caption -m pocket -n 1 --seed 11 --logprobs=2 --max-tokens 40 --root "$SAMPLES" rows |
        jq -c '.captions[0]' | cmp - <(jq -c '.captions[0]' want)
}

@test "the plain and the fast kernels say the same in greedy decoding" {
    CAPMILL_ISA=plain caption -m pocket --temperature 0 --root "$SAMPLES" rows > plain
    caption -m pocket --temperature 0 --root "$SAMPLES" rows | cmp - plain
}

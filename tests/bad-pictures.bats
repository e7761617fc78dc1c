# Pictures that cannot be read: each an error row with a clear message; others go on.
setup() { load common; good=$SAMPLES/images/0000.png; }

# class_of FILE: caption it with a good one behind; the class, and the reason on stderr.
class_of() {
    printf '{"id":"bad","image":"%s"}\n{"id":"good","image":"%s"}\n' "$1" "$good" > rows
    run --separate-stderr -1 short_caption --max-input-pixels 30000000 rows
    [ "$(jq -c 'select(.id=="good").captions | length' <<<"$output")" = 1 ] || return 1
    [ "$(jq -c 'select(.id=="bad").error.stage' <<<"$output")" = '"caption"' ] || return 1
    class=$(jq -r 'select(.id=="bad").error.class' <<<"$output")
    [[ "$stderr" == "caption: rows:1 (id=bad): "* ]]
}

@test "missing, empty, unreadable type" {
    class_of none.png; [ "$class" = media ]; [[ "$stderr" == *"none.png: "* ]]
    : > empty.png; class_of empty.png; [ "$class" = media ]; [[ "$stderr" == *empty* ]]
    echo '<html><body>404</body></html>' > page.jpg; class_of page.jpg; [[ "$stderr" == *HTML* ]]
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n' > lfs.png
    class_of lfs.png; [[ "$stderr" == *LFS* ]]
    echo hello > text.png; class_of text.png; [ "$class" = media ]
}

@test "truncated" {
    head -c 200 "$good" > cut.png; class_of cut.png; [ "$class" = media ]
    head -c 20 "$good" > cut2.png; class_of cut2.png; [ "$class" = media ]
}

@test "a folder, a FIFO, a device" {
    mkdir dir.png; class_of dir.png; [[ "$stderr" == *folder* ]]
    mkfifo pipe.png; class_of pipe.png; [[ "$stderr" == *FIFO* || "$stderr" == *pipe* ]]
    class_of /dev/zero; [[ "$stderr" == *device* ]]
}

@test "wrong extension is no error" {
    cp "$good" picture.jpg
    run -0 short_caption picture.jpg
}

@test "zero sides, bomb-sized, side ratio over 200" {
    # a PNG header of the given size, with a right checksum and no data behind it
    png() { # WIDTH HEIGHT
        perl -e 'print pack("a4NNCCCCC", "IHDR", @ARGV, 8, 2, 0, 0, 0)' "$1" "$2" > ihdr
        printf '\x89PNG\r\n\x1a\n\0\0\0\r'
        cat ihdr
        gzip -c ihdr | tail -c 8 | head -c 4 | perl -e 'local $/; print scalar reverse <>'
    }
    png 0 5 > zero.png; class_of zero.png; [ "$class" = media ]
    png 20000 20000 > bomb.png; class_of bomb.png; [ "$class" = too_large ]; [[ "$stderr" == *20000* ]]
    printf '{"id":"bad","image":"%s"}\n' "$GOLDENS/preprocess/images/ratio_over_200.png" > rows
    run --separate-stderr -1 short_caption rows
    [[ "$stderr" == *200* ]]
}

@test "URLs are refused, data URIs are read" {
    class_of "http://example.invalid/x.png"; [ "$class" = refused ]
    printf '{"image":"data:image/png;base64,%s"}\n' "$(base64 -w0 "$good")" > rows
    run -0 short_caption rows
    class_of "data:image/png;base64,!!!"; [ "$class" = media ]
}

# We-Math -> evaluation rows: multiple choice, category the number of steps.
#
#   jq -nc -f examples/prism-import-wemath.jq --arg root data testmini.json > rows.jsonl
#
# Reads the authors' list of {ID: "3steps_165", key: "3steps_3", question, option: "A. x; B. y"
# (a few with spaces alone between them), answer, image_path, "knowledge concept"}. A key ends in the number of the single step that is
# asked, or in "multi" for the whole problem. Rows keep problem and key, with which the
# benchmark's own measure joins a problem with its steps.
include "prism-import" {search: "./"};

# What follows an option's letter. A name at an option's end ("point ;O.; B. x") is none.
"[.．:](?!\\s*(;|$))\\s*" as $mark
| numbered(.) as {$n, $row}
| ($row.key // "" | [match("^([23])steps_(multi|[123])$").captures[].string]
   | if length == 2 then . else bad($n; "key \($row.key | tojson)") end) as [$steps, $which]
| ($row.option // "" | split_options(";\\s*"; $mark) // split_options("\\s*[;\\s]\\s*"; $mark)
   // bad($n; "option is no list A, B, ...")) as $options
| {id: "wemath-\($row.ID)-\($which)"}
  + ($row.image_path // $row.image | pictures($n))
  + ($row.question | asked($n))
  + lettered($n; $options | map(sub("\\s*;$"; "")); $row.answer)
  + {category: (if $which == "multi" then "\($steps) steps" else "1 step" end),
     problem: $row.ID, key: $row.key, concept: $row["knowledge concept"]}

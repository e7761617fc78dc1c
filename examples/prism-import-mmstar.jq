# MMStar -> evaluation rows: multiple choice, category one of six abilities.
#
#   jq -nc -f examples/prism-import-mmstar.jq published.jsonl > rows.jsonl
#
# Reads Parquet's records {index, question, image, answer, category, l2_category}. Options
# stand at the question's end, "Options: A: x, B: y, ..." (or a line each), and are taken out;
# where they don't run A, B, C, ... they stay in the question, and the row has no `options`.
# --arg root FOLDER goes before pictures' paths.
include "prism-import" {search: "./"};

numbered(.) as {$n, $row}
| ($row.question | asked($n).question | [match("(?s)^(.*\\S)\\s*\\bOptions:\\s*(.*)$")] | first // null) as $m
| ($m.captures[1].string // "" | split_options("(,\\s*|\\s*\n\\s*)"; ":\\s*")) as $options
| {id: "mmstar-\($row.index // bad($n; "no index"))"}
  + ($row.image | pictures($n))
  + (if $options then {question: $m.captures[0].string} + lettered($n; $options; $row.answer)
     elif $row.answer | IN(letters[]) then {question: $row.question, answer: $row.answer, kind: "choice"}
     else bad($n; "answer \($row.answer | tojson) is no letter") end)
  + {category: $row.category, l2_category: $row.l2_category}

# CharXiv, reasoning questions -> evaluation rows, category what the answer is made of.
#
#   jq -nc -f examples/prism-import-charxiv.jq --arg root images reasoning_val.json > rows.jsonl
#
# Reads the authors' {"0": {figure_id, query, answer, inst_category: 1 to 4}, ...}; pictures are
# FIGURE_ID.jpg. Numbers are scored by relaxed accuracy and texts by ANLS; the benchmark itself
# lets a model grade: --arg score judge gives rows of kind judge, for answer-score. As there,
# questions of category 4 say how many decimals are wanted. (For the descriptive questions take
# VLMEvalKit's table and vlmevalkit.jq: their wordings are a program's, not data.)
include "prism-import" {search: "./"};

def wanted:
  [match("\\.([0-9]+)$").captures[0].length] | first // 0
  | if . == 0 then "Give a whole number." elif . == 1 then "Give one decimal." else "Give \(.) decimals." end;

($ARGS.named.score == "judge") as $graded
| numbered(.[]) as {$n, $row}
| ["Text-in-Chart", "Text-in-General", "Number-in-Chart", "Number-in-General"] as $categories
| ($row.inst_category | if IN(1, 2, 3, 4) then . else bad($n; "inst_category is none of 1 to 4") end) as $k
| {id: "charxiv-\($row.figure_id)"}
  + ("\($row.figure_id // bad($n; "no figure_id")).jpg" | pictures($n))
  + ($row.query | asked($n) | if $k == 4 then .question += " " + ($row.answer | tostring | wanted) else . end)
  + ($row.answer | answered($n; if $graded then "judge" elif $k > 2 then "relaxed" else "anls" end))
  + {category: $categories[$k - 1]}

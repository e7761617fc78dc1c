# VisuLogic -> evaluation rows: multiple choice of four that are drawn in the picture.
#
#   jq -nc -f examples/prism-import-visulogic.jq data.jsonl > rows.jsonl
#
# Reads the authors' lines {id, image_path: "images/00000.png", question, label, tag}. category:
# the tag, where there is one. Rows have no `options`; the preset says that they are A to D.
# --arg root FOLDER goes before pictures' paths.
include "prism-import" {search: "./"};

numbered(.) as {$n, $row}
| {id: "visulogic-\($row.id // $n)"}
  + ($row.image_path // $row.image // "" | if type == "string" then sub("^\\./"; "") else . end | pictures($n))
  + ($row.question | asked($n))
  + (if $row.label | IN("A", "B", "C", "D") then {answer: $row.label, kind: "choice"}
     else bad($n; "label \($row.label | tojson) is none of A to D") end)
  + (($row.tag // $row.category) | if filled then {category: .} else {} end)

# InfoVQA -> evaluation rows: ANLS over several gold answers.
#
#   jq -nc -f examples/prism-import-infovqa.jq infographicsVQA_val_v1.0_withQT.json > rows.jsonl
#
# Reads the authors' {data: [{questionId, question, image_local_name, answers, answer_type?}]}
# (the test part has no answers, and is refused), or Parquet's records with image instead of
# image_local_name. category: answer_type, several joined by " + ". --arg root FOLDER goes
# before pictures' paths.
include "prism-import" {search: "./"};

numbered(.data[]? // .) as {$n, $row}
| {id: "infovqa-\($row.questionId // bad($n; "no questionId"))"}
  + ($row.image // $row.image_local_name | pictures($n))
  + ($row.question | asked($n))
  + ($row.answers // $row.answer | answered($n; "anls"))
  + ($row.answer_type | if type == "array" then join(" + ") else . end
     | if filled then {category: .} else {} end)

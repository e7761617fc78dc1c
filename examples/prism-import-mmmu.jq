# MMMU -> evaluation rows: multiple choice and open answers, category one of six disciplines.
#
#   jq -nc -f examples/prism-import-mmmu.jq published.jsonl > rows.jsonl
#
# Reads Parquet's records {id: "validation_Art_1", question, options: "['x', 'y']", answer,
# question_type: multiple-choice or open, image_1 ... image_7}. An open answer with a digit is
# scored as mathematics, another one as VQA does; a list of them counts as several. The test
# part's answers ("?") are refused. --arg root FOLDER goes before pictures' paths.
include "prism-import" {search: "./"};

numbered(.) as {$n, $row}
| ($row.id // bad($n; "no id")) as $id
| ($id | capture("^[a-z]+_(?<s>.+)_[0-9]+$").s // bad($n; "id \($id | tojson) names no subject")) as $subject
| {$id}
  + ($row | numbered_pictures | pictures($n))
  + ($row.question | asked($n))
  + (if $row.question_type == "multiple-choice"
     then lettered($n; $row.options | python_list // bad($n; "options are no list"); $row.answer)
     elif $row.question_type == "open" and $row.answer != "?"
     then ($row.answer | python_list // .) as $answer
       | $answer | answered($n; if [$answer] | flatten | any(.[] | tostring; test("[0-9\\\\]")) then "math" else "vqa" end)
     else bad($n; "neither a choice nor an open question with an answer") end)
  + {category: ($subject | discipline($n)), subject: $subject}

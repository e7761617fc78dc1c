# MMMU-Pro -> evaluation rows: multiple choice of up to ten, category one of six disciplines.
#
#   jq -nc -f examples/prism-import-mmmu-pro.jq published.jsonl > rows.jsonl
#
# Reads Parquet's records of the parts "standard" {id, question, options: "['x', 'y']", answer,
# image_1 ... image_7, subject} and "vision" {id, image, options, answer, subject}, whose
# question stands in the picture: the row's question says so, and its options are those of the
# table. --arg root FOLDER goes before pictures' paths.
include "prism-import" {search: "./"};

numbered(.) as {$n, $row}
| ($row | has("image")) as $vision
| {id: "mmmu-pro-\(if $vision then "vision" else "standard" end)-\($row.id // bad($n; "no id"))"}
  + (if $vision then $row.image else $row | numbered_pictures end | pictures($n))
  + (if $vision then {question: "Answer the question that is written in the image."} else $row.question | asked($n) end)
  + lettered($n; $row.options | python_list // bad($n; "options are no list"); $row.answer)
  + {category: ($row.subject // "" | discipline($n)), subject: $row.subject}

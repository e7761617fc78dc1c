# SEED-Bench -> evaluation rows: multiple choice on pictures, category one of nine dimensions.
#
#   jq -nc -f examples/prism-import-seed.jq --arg root SEED-Bench-image SEED-Bench.json > rows.jsonl
#
# Reads the authors' {questions: [{question_id, question_type_id, data_type, data_id, question,
# choice_a ... choice_d, answer}]} (data_id is the picture's file), or Parquet's records with
# image, a list, instead of data_id. Questions on videos are left out.
include "prism-import" {search: "./"};

["Scene Understanding", "Instance Identity", "Instance Attributes", "Instance Location",
 "Instances Counting", "Spatial Relation", "Instance Interaction", "Visual Reasoning",
 "Text Understanding"] as $dimensions
| numbered(.questions[]? // .) as {$n, $row}
| if $row.data_type | IN("image", "video") then $row else bad($n; "data_type is neither image nor video") end
| select(.data_type == "image")
| {id: "seed-\(.question_id // bad($n; "no question_id"))"}
  + (.image // .data_id | pictures($n))
  + (.question | asked($n))
  + lettered($n; [.choice_a, .choice_b, .choice_c, .choice_d | if filled then tostring else bad($n; "an option is missing") end]; .answer)
  + {category: (.question_type_id as $k | if $k | IN(range(1; 10)) then $dimensions[$k - 1]
                else bad($n; "question_type_id \($k) is no dimension of pictures") end)}

# ChartQA -> evaluation rows: relaxed accuracy, category human or augmented.
#
#   jq -nc -f examples/prism-import-chartqa.jq --arg category human test_human.json > rows.jsonl
#   jq -nc -f examples/prism-import-chartqa.jq published.jsonl > rows.jsonl
#
# Reads the authors' lists of {imgname, query, label}, which lie in a file for each category
# (so it must be told), their pictures in png/; or Parquet's records {image, question, answer,
# type: human_test or augmented_test}. --arg root FOLDER goes before pictures' paths.
include "prism-import" {search: "./"};

numbered(.) as {$n, $row}
| ($row.type // $ARGS.named.category // bad($n; "no type: say --arg category")) as $type
| ($type | sub("_test$"; "")) as $category
| {id: "chartqa-\($category)-\($n)"}
  + ($row.image // $row.imgname | pictures($n))
  + ($row.question // $row.query | asked($n))
  + ($row.answer // $row.label | answered($n; "relaxed"))
  + {category: $category}

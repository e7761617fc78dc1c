# MATH-Vision -> evaluation rows: mathematics and multiple choice, category the subject.
#
#   jq -nc -f examples/prism-import-mathvision.jq test.jsonl > rows.jsonl
#
# Reads the authors' lines {id, question, options, image: "images/1.jpg", answer, level, subject},
# or Parquet's records, where the picture is decoded_image. Records with options are multiple
# choice. Tags as <image1> are left out, for they mean parts of the one picture; a question that
# is nothing else stands in the picture, and the row's question says so. --arg root FOLDER goes
# before pictures' paths.
include "prism-import" {search: "./"};

numbered(.) as {$n, $row}
| ($row.options // []) as $options
| {id: "mathvision-\($row.id // bad($n; "no id"))"}
  + ($row.decoded_image // $row.image | pictures($n))
  + ($row.question // bad($n; "no question")
     | gsub("\\s*<image[0-9]+>(?=[.,;:?!])"; "") | gsub("\\s*<image[0-9]+>\\s*"; " ")
     | sub("^ +"; "") | sub(" +$"; "")
     | if . == "" then {question: "Solve the problem that is written in the image."} else asked($n) end)
  + (if ($options | length) > 0 then lettered($n; $options | map(tostring); $row.answer)
     else $row.answer | answered($n; "math") end)
  + {category: $row.subject, level: $row.level}

# ChartQA-Pro -> evaluation rows, category the question's type.
#
#   jq -nc -f examples/prism-import-chartqa-pro.jq published.jsonl > rows.jsonl
#
# Reads Parquet's records {Question: [..], Answer: [..], "Question Type", image, Year: ["NO", ..],
# Paragraph}. Of a conversation the last question is asked, behind the turns before it; a
# paragraph goes before the question. kind: choice where the answer is a letter (Multi Choice),
# vqa for years, fact checks and letters (equal, but for case), else items (numbers within 5%,
# other texts by ANLS, lists item by item), as in the authors' evaluate_predictions.py. --arg root FOLDER goes before pictures' paths.
include "prism-import" {search: "./"};

def list: if type == "array" then . elif . == null then [] else [.] end;

def trimmed: tostring | sub("^\\s+"; "") | sub("[\\s.]+$"; "");

def turns($questions; $answers):
  [range($questions | length - 1) | "Q: \($questions[.])\nA: \($answers[.])"] + ["Q: \($questions[-1])"] | join("\n");

numbered(.) as {$n, $row}
| ($row.Question | list) as $questions
| ($row.Answer | list) as $answers
| ($row["Question Type"] // bad($n; "no Question Type")) as $type
| if ($questions | length) == 0 or ($answers | length) != ($questions | length)
  then bad($n; "\($questions | length) questions, \($answers | length) answers") else . end
| ($answers[-1] | trimmed) as $answer
| (($row.Year | list)[-1] // "NO" | ascii_upcase == "YES") as $year
| {id: "chartqa-pro-\($n)"}
  + ($row.image | pictures($n))
  + (if ($questions | length) > 1 then turns($questions; $answers) else $questions[0] end
     | asked($n)
     | if $row.Paragraph | filled then .question = "\($row.Paragraph)\n\n\(.question)" else . end)
  + (if $type == "Multi Choice" and ($answer | test("^\\(?[A-Ja-j]\\)?$"))
     then {answer: ($answer | gsub("[()]"; "") | ascii_upcase), kind: "choice"}
     else $answer | answered($n;
       if $year or ($type | IN("Fact Checking", "Multi Choice")) then "vqa"
       else "items" end) end)
  + {category: $type}

# MathVerse -> evaluation rows: mathematics and multiple choice, category the problem's version.
#
#   jq -nc -f examples/prism-import-mathverse.jq --arg root images testmini.json > rows.jsonl
#
# Reads the authors' list of {sample_index, problem_index, problem_version, question, image,
# answer, question_type: multi-choice or free-form, metadata: {subject, subfield}}, or Parquet's
# records of the same keys. Options stand at the question's end, "Choices:" and a line each, and
# are taken out. An answer may be a letter, "(C)", or an option's text; several letters, a line
# each, are scored as mathematics, and their options stay in the question. Records without a
# picture (the version Text Only) are left out, because nothing can be captioned. Where the
# question stands in the picture alone (Vision Only) the row's question says so.
include "prism-import" {search: "./"};

# {question, options?} of a question with its choices.
def parted:
  ([match("(?s)^(.*\\S)\\s*\\n\\s*Choices?:\\s*(.*)$")] | first) as $m
  | if $m then ($m.captures[1].string | split_options("\\s*\\n\\s*"; "[:.]\\s*")) else null end
  # an option without a text stops the taking apart: then nothing is taken
  | if . and (any(.[]; test("\n[A-Z][:.]")) | not) then {question: $m.captures[0].string, options: .} else null end;

# The letter that an answer means, or null.
def letter($options):
  if test("^\\(?[A-Z]\\)?$") then gsub("[()]"; "")
  else . as $text | [$options | to_entries[] | select(.value == $text) | letters[.key]] | if length == 1 then .[0] else null end end;

numbered(.) as {$n, $row}
| select($row.image | filled)
| ($row.problem_version // bad($n; "no problem_version")) as $version
| ($row.question // "") as $question
| ($row.answer // "" | tostring) as $answer
| ($question | parted) as $parts
| ($answer | letter($parts.options // [])) as $letter
| {id: "mathverse-\($row.sample_index // bad($n; "no sample_index"))"}
  + ($row.image | pictures($n))
  + (if $question != "" then $question | asked($n)
     elif $version == "Vision Only" then {question: "Solve the problem that is written in the image."}
     else bad($n; "no question") end)
  + (if $row.question_type == "free-form" then $answer | answered($n; "math")
     elif $row.question_type != "multi-choice" then bad($n; "question_type is neither multi-choice nor free-form")
     elif $letter and $parts then {question: $parts.question} + lettered($n; $parts.options; $letter)
     elif $letter then {answer: $letter, kind: "choice"}
     elif $answer | test("^[A-Z](\\s+[A-Z])+$") then {answer: ($answer | gsub("\\s+"; ", ")), kind: "math"}
     else bad($n; "answer \($answer | tojson) is no option") end)
  + {category: $version, subject: $row.metadata.subject, problem: $row.problem_index}

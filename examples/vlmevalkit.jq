# VLMEvalKit tables as JSON -> evaluation rows {id, image, question, options, answer, kind, ...}.
#
#   jq -s -c -f examples/vlmevalkit.jq table.json > rows.jsonl
#
# (Every program reads a .tsv file itself: capmill(7), "Tables". This is for tables that
# came as JSON; examples/README.md says how a TSV file becomes that.)
#
# Reads all rows at once (-s), because a row's `image` may be the index of another row that
# holds the picture. Columns: index, image (base64, an index, or a Python list of base64
# texts), image_path (a path, or a Python list of them; read where image is empty), question,
# hint, A, B, C ..., answer. A hint goes before the question. A table without option columns
# has open answers: no `options`, no `kind`.

def filled: . != null and . != "";

# "['x', 'y']" -> ["x", "y"]; a plain text -> [text]
def listed: if startswith("[") and endswith("]") then [scan("'([^']*)'|\"([^\"]*)\"") | .[0] // .[1]] else [.] end;

def data_uri: "data:image;base64," + .;

# What a table's cell of pictures means, following one reference to another row.
def pictures($by_index):
  if .image | filled then
    (.image | tostring) as $cell
    | (if ($cell | length) <= 64 then $by_index[$cell] // error("no row with the picture \($cell)")
       else $cell end)
    | listed | map(data_uri)
  elif .image_path | filled then .image_path | listed
  else error("no picture: index \(.index)") end;

def labels: [range(65; 74) | [.] | implode]; # A to I

# The options up to the last that is filled.
def options:
  . as $row
  | [labels[] | $row[.]]
  | (to_entries | map(select(.value | filled) | .key) | max // -1) as $last
  | .[:$last + 1]
  | map(if filled then tostring else error("an option is missing: index \($row.index)") end);

(if (.[0] | type) == "array" then .[0] else . end) as $rows
| ($rows | map(select((.image | tostring | length) > 64) | {key: (.index | tostring), value: .image})
   | from_entries) as $by_index
| $rows[]
| . as $row
| pictures($by_index) as $pictures
| options as $options
| (.answer | tostring) as $answer
| if (.answer | filled | not) then error("no answer: index \(.index)") else . end
| if ($options | length) > 0 and (labels[:($options | length)] | index($answer) | not)
  then error("answer \($answer) is no option: index \(.index)") else . end
| {id: .index}
  + (if ($pictures | length) == 1 then {image: $pictures[0]} else {images: $pictures} end)
  + {question: (if .hint | filled then "\(.hint)\n\(.question)" else .question end)}
  + (if ($options | length) > 0 then {options: $options, answer: $answer, kind: "choice"}
     else {answer: $answer} end)
  + (del(.index, .image, .image_path, .question, .hint, .answer)
     | with_entries(select(.key as $k | labels | index($k) | not)))

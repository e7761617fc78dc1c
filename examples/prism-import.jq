# What the prism-import-*.jq converters share: a module, not a converter. Each of those turns a
# benchmark's own files into evaluation rows {id, image, question, options?, answer, kind,
# category?, ...}, a line each:
#
#   jq -nc -f examples/prism-import-chartqa.jq test_human.json > rows.jsonl
#
# Files are JSON (one list, or one object) or JSONL. Parquet becomes JSONL first, its pictures
# files: examples/README.md.

# Every record of the inputs with its number from 0: {n, row}. records: how a document that
# is no list holds its records.
def numbered(records):
  foreach (inputs | if type == "array" then .[] else records end) as $row (-1; . + 1; {n: ., row: $row});

def bad($n; $why): error("record \($n): \($why)");

def filled: . != null and . != "";

# A picture's place: a path, a data URI, or {path} of a data set whose pictures lie beside it.
def place:
  if type == "string" and . != "" then .
  elif type == "object" and (.bytes | not) and (.path | type) == "string" then .path
  else empty end;

# {image} or {images} of one or several pictures. root: a folder that goes before paths.
def pictures($n; $root):
  [(if type == "array" then .[] else . end) | (place // bad($n; "a picture is no path (Parquet: examples/README.md)"))
   | if $root == "" or test("^(data:|/)") then . else "\($root)/\(.)" end]
  | if length == 0 then bad($n; "no picture") elif length == 1 then {image: .[0]} else {images: .} end;

# --arg root FOLDER before every relative path.
def pictures($n): pictures($n; $ARGS.named.root // "");

def letters: [range(65; 91) | [.] | implode];

# A multiple-choice answer must be the letter of an option.
def lettered($n; $options; $answer):
  if $answer | IN(letters[:$options | length][]) then {options: $options, answer: $answer, kind: "choice"}
  else bad($n; "answer \($answer | tojson) is no letter of \($options | length) options") end;

# An open answer: a text, a number, or a list of them of which the best counts.
def answered($n; $kind):
  (if type == "array" then map(tostring) elif filled then tostring else "" end)
  | if length == 0 or (type == "array" and any(.[]; . == "")) then bad($n; "no answer") else {answer: ., kind: $kind} end;

def asked($n): if type == "string" and test("[^ \n]") then {question: .} else bad($n; "no question") end;

# Options that stand in one text, "A. x; B. y" -> ["x", "y"]: mark is a regular expression
# for what follows a letter, between for what goes before the next one. null where the
# letters don't run A, B, C, ...
def split_options($between; $mark):
  . as $text
  | {options: [], rest: (if test("^\\s*A" + $mark) then sub("^\\s*A" + $mark; "") else null end)}
  | if .rest == null then null
    else until(.rest == null;
      letters[(.options | length) + 1] as $next
      | ([.rest | match($between + $next + $mark)] | first) as $m
      | if $m == null then {options: (.options + [.rest]), rest: null}
        else {options: (.options + [.rest[:$m.offset]]), rest: .rest[$m.offset + $m.length:]} end)
      | .options | map(sub("^\\s+"; "") | sub("\\s+$"; ""))
      | if length > 1 and all(.[]; . != "") then . else null end
    end;

def hex: reduce (ascii_downcase | explode[]) as $c (0; . * 16 + (if $c > 96 then $c - 87 else $c - 48 end));

# What a Python string literal's inside means; escapes that Python doesn't know stay.
def unescaped:
  gsub("\\\\(?<e>x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[^xu]|[xu])";
    .e as $e
    | if $e == "n" then "\n" elif $e == "t" then "\t" elif $e == "r" then "\r"
      elif $e | IN("\\", "'", "\"") then $e
      elif ($e | length) > 1 then [$e[1:] | hex] | implode
      else "\\" + $e end);

# "['x', \"y's\", 7]" -> ["x", "y's", "7"]. A list stays; what is no such text is null.
def python_list:
  "'((?:[^'\\\\]|\\\\.)*)'|\"((?:[^\"\\\\]|\\\\.)*)\"|(-?[0-9][0-9.]*|None|True|False)" as $item
  | if type == "array" then map(tostring)
    elif type == "string" and test("^\\s*\\[\\s*((\($item))\\s*(,\\s*(\($item))\\s*)*,?\\s*)?\\]\\s*$"; "s")
    then [match($item; "gs") | .captures | map(.string) | if .[2] then .[2] else (.[0] // .[1]) | unescaped end]
    else null end;

# The subjects of MMMU and MMMU-Pro -> their disciplines.
def discipline($n):
  {"Art & Design": ["Art", "Art_Theory", "Design", "Music"],
   "Business": ["Accounting", "Economics", "Finance", "Manage", "Marketing"],
   "Science": ["Biology", "Chemistry", "Geography", "Math", "Physics"],
   "Health & Medicine": ["Basic_Medical_Science", "Clinical_Medicine",
     "Diagnostics_and_Laboratory_Medicine", "Pharmacy", "Public_Health"],
   "Humanities & Social Science": ["History", "Literature", "Psychology", "Sociology"],
   "Tech & Engineering": ["Agriculture", "Architecture_and_Engineering", "Computer_Science",
     "Electronics", "Energy_and_Power", "Materials", "Mechanical_Engineering"]} as $all
  | . as $subject
  | [$all | to_entries[] | select(.value | index($subject)) | .key] | first
    // bad($n; "\($subject | tojson) is no subject of MMMU");

# The pictures image_1 ... image_7 of a record of MMMU.
def numbered_pictures: [.image_1, .image_2, .image_3, .image_4, .image_5, .image_6, .image_7 | select(. != null)];

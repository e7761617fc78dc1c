# Recaptioned pictures and videos of any data set -> rows {id, image | video, caption}.
#
#   jq -c -f examples/to-captions.jq recaptioned.jsonl > rows.jsonl
#
# Reads JSONL or a JSON array: CapRL-2M, CapRL-Video-178K, and LLaVA / ShareGPT conversations
# with one answer. The picture is the first there is of image, image_path, path, file_name,
# images[0]; the text of caption, text, the last turn of conversations, output. What is used
# moves to the new names; all other fields stay.

def filled: type == "string" and . != "";

# The first filled one of some places, as {at, value}, `at` the field to be taken away.
def first_of(places): [places | select(.value | filled)] | .[0];

def picture: first_of(
  (("image", "image_path", "path", "file_name") as $at | {at: $at, value: .[$at]}),
  {at: "images", value: (.images | if type == "array" then .[0] else null end)});

def text: first_of(
  (("caption", "text") as $at | {at: $at, value: .[$at]}),
  {at: "conversations", value: (.conversations | if type == "array" then .[-1].value else null end)},
  {at: "output", value: .output});

def say($what): error("\($what): \(.id // input_line_number)");

if type == "array" then .[] else . end
| picture as $picture
| text as $text
| if $picture == null and (.video | filled | not) then say("no picture")
  elif $text == null then say("no caption")
  elif $picture.at == "images" and (.images | length) > 1 then say("more than one picture")
  elif $text.at == "conversations"
    and ([.conversations[] | select(.from == "gpt" or .from == "assistant")] | length) != 1
  then say("a conversation of several answers")
  else . end
| (if has("id") then {id} else {} end)
  + (if $picture then {image: $picture.value} else {video} end)
  + {caption: $text.value}
  + (del(.id) | delpaths([[$text.at]]) | if $picture then delpaths([[$picture.at]]) else del(.video) end)

# Rows whose prompt is a finished ChatML text or a list of chat turns -> rows with `messages`.
# Picture tags (<image>, or <|vision_start|><|image_pad|><|vision_end|>) give way to the row's
# pictures, in order; tags and pictures must be as many.
#
#   jq -c -f examples/prompt-to-messages.jq published.jsonl > rows.jsonl

def pictures:
  if .images then .images
  elif .image then [.image] | flatten(1)
  elif .image_path then [.image_path]
  else [] end;

# ChatML text -> turns; an open assistant turn at the end is what is to be written.
def chatml_turns:
  [splits("<\\|im_start\\|>") | select(. != "")
   | capture("^(?<role>[a-z]+)\n(?<content>.*)$"; "s")
   | .closed = (.content | test("<\\|im_end\\|>"))
   | .content |= sub("<\\|im_end\\|>\n?$"; "")]
  | map(select(.role != "assistant" or .closed) | del(.closed));

def tag: "<\\|vision_start\\|><\\|image_pad\\|><\\|vision_end\\|>|<image>";

# One turn's text -> parts, taking pictures from the front of $left.
def parts($left):
  [splits(tag)] as $texts
  | [range($texts | length) as $i
     | (if $i > 0 then {type: "image", image: $left[$i - 1]} else empty end),
       ($texts[$i] | select(. != "") | {type: "text", text: .})];

pictures as $pictures
| (if (.prompt | type) == "string" then .prompt | chatml_turns else .prompt end) as $turns
| ([$turns[].content | [match(tag; "g")] | length] | add // 0) as $tags
| if $tags != ($pictures | length)
  then error("row has \($tags) picture tags and \($pictures | length) pictures: \(.id // input_line_number)")
  else . end
| .messages = (reduce $turns[] as $turn ({out: [], used: 0};
    ($turn.content | [match(tag; "g")] | length) as $n
    | .used as $used
    | .out += [$turn | .content = (if $n == 0 then .content
                                   else .content | parts($pictures[$used:]) end)]
    | .used += $n) | .out)
| del(.prompt, .image, .images, .image_path)

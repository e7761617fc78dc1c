# LLaVA / ShareGPT conversations -> rows with `messages` (OpenAI chat form).
#
#   jq -c -f examples/llava-to-messages.jq llava.json > rows.jsonl
#
# Reads a JSON array or JSONL: {id, image | images | video, conversations: [{from, value}]}.
# Each <image> (<video>) tag gives way to the next picture (video); tags and media must be as
# many. Ids need not be unique.

def role:
  {human: "user", user: "user", gpt: "assistant", assistant: "assistant", system: "system"}[.]
  // error("no role \"\(.)\"");

# What the row holds, in order: the parts that tags become.
def media($row):
  [($row.images // $row.image // empty) | if type == "array" then .[] else . end
   | {type: "image", image: .}]
  + [($row.videos // $row.video // empty) | if type == "array" then .[] else . end
     | {type: "video", video: .}];

# The kind of each tag of a text, in order.
def tags: [match("<(image|video)>"; "g").captures[0].string];

# One turn's text -> content, taking media from the front of $left.
def content($left):
  tags as $kinds
  | if $kinds == [] then .
    else
      [splits("\n?<(image|video)>\n?")] as $texts
      | [range($texts | length) as $i
         | (if $i > 0 then
              if $left[$i - 1].type == $kinds[$i - 1] then $left[$i - 1]
              else error("tag <\($kinds[$i - 1])> and the row's media differ") end
            else empty end),
           ($texts[$i] | select(. != "") | {type: "text", text: .})]
    end;

if type == "array" then .[] else . end
| . as $row
| media($row) as $media
| ([.conversations[].value | tags | length] | add // 0) as $count
| if $count != ($media | length)
  then error("\($count) tags and \($media | length) media: \(.id // input_line_number)") else . end
| del(.conversations, .image, .images, .video, .videos)
  + {messages: (reduce $row.conversations[] as $turn ({out: [], used: 0};
      .used as $used
      | .out += [{role: ($turn.from | role), content: ($turn.value | content($media[$used:]))}]
      | .used += ($turn.value | tags | length)) | .out)}

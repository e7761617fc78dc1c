# Rows of the published training sets, CapRL-QA-75K (pictures) and CapRL-Video-QA-20K
# (videos) -> rows with a plain prompt, the picture or video, and `qa`.
#
#   jq -c -f examples/caprl-qa.jq published.jsonl > rows.jsonl
#
# Their one turn begins with an <image> or <video> tag, which gives way to the row's picture
# or video. Choices keep their letters: every program reads them ("A) red", "A. red"). A
# picture inside a Parquet file must be written out first: examples/README.md.

def say($what): error("\($what): \(.id // input_line_number)");

def one_medium:
  if .videos then {video: (.videos | if length == 1 then .[0] else error("not one video") end)}
  elif (.image | type) == "string" then {image}
  elif (.image | type) == "object" and .image.path then {image: .image.path}
  elif .image_path then {image: .image_path}
  else say("no path of a picture or video")
  end
  | if (.video // .image | type) == "string" then . else error("a video or picture is no path") end;

def plain_prompt:
  if (.prompt | type) == "array" and (.prompt | length) == 1 and .prompt[0].role == "user"
  then .prompt[0].content else say("the prompt is not one user turn") end
  | if test("^<(image|video)>[ \n]*") then sub("^<(image|video)>[ \n]*"; "")
    else error("the prompt does not begin with a tag") end
  | if test("<(image|video)>") then error("the prompt has more than one tag") else . end;

one_medium as $medium
| plain_prompt as $prompt
| if (.reward_model.ground_truth | type) != "array" then say("no reward_model.ground_truth") else . end
| .reward_model.ground_truth as $qa
| (if has("id") then {id} else {} end) + $medium + {prompt: $prompt, qa: $qa}
  + del(.id, .image, .image_path, .videos, .prompt, .reward_model)

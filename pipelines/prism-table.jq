# Summaries of prism-eval -> the table of the papers: a line for each run, a column for each
# benchmark, and their average; in percent.
#
#   jq -nr --arg format text --arg measure mean --arg se no -f prism-table.jq cells
#
# Reads cells {run, benchmark, title, summary} in the order that lines and columns shall have;
# summary null: there is none.
# format: text, markdown, latex or csv. measure: mean (over a picture's captions) or best (of
# them). se yes: standard errors beside the values (csv: columns of their own). A run that lacks
# a benchmark has no average, for it could not be compared; a value of which rows failed is
# marked (*). The best value of a column stands out where there are several runs.

# What is used of a summary, and nothing else: {value, se, failed} in percent.
def figures:
  {value: (if $measure == "best" then .best else .mean end),
   se: (if $measure == "best" then .best_se else .mean_se end), failed: (.failed // 0)}
  | if .value == null then error("a summary has no \($measure)") else . end
  | .value *= 100 | .se |= if . == null then null else . * 100 end;

# 7.25 with 1 digit -> "7.3"
def fixed($digits):
  (. * pow(10; $digits) | round | tostring) as $all
  | ("0" * ($digits + 1 - ($all | length)) // "") + $all
  | if $digits == 0 then . else .[:-$digits] + "." + .[-$digits:] end;

def unique_in_order: reduce .[] as $x ([]; if index([$x]) then . else . + [$x] end);

def left($width): . + (" " * ($width - length) // "");
def right($width): (" " * ($width - length) // "") + .;

def latex:
  {"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
   "|": "\\textbar{}", "<": "\\textless{}", ">": "\\textgreater{}"} as $names
  | gsub("(?<c>[\\\\~^&%$#_{}|<>])"; $names[.c] // "\\" + .c);

# A text without what would end a cell of a Markdown table.
def markdown: gsub("(?<c>[\\\\|*_`<>])"; "\\" + .c) | gsub("[\r\n]+"; " ");

def csv: if test("[,\"\r\n]") then "\"" + gsub("\""; "\"\"") + "\"" else . end;

[inputs | .figures = (if .summary then .summary | figures else null end)] as $cells
| ($cells | map(.run) | unique_in_order) as $runs
| ($cells | map(.benchmark) | unique_in_order) as $benchmarks
| if any($cells[]; .figures) then . else error("no summaries of prism-eval there") end

| [$benchmarks[] as $b | [$cells[] | select(.benchmark == $b)] | first | .title // $b] as $titles
| [$runs[] as $run
   | [$benchmarks[] as $b | [$cells[] | select(.run == $run and .benchmark == $b) | .figures] | first] as $row
   | $row + [if all($row[]; . != null)
             then {value: ($row | map(.value) | add / length),
                   # benchmarks are independent: the variance of a mean of k is their sum / k^2
                   se: (if all($row[]; .se != null)
                        then ($row | map(.se * .se) | add | sqrt) / ($row | length) else null end),
                   failed: ($row | map(.failed) | add)}
             else null end]] as $lines
| ($benchmarks | length + 1) as $width
# What stands out in a column: the best of several values, as it is printed.
| [range($width) as $c | [$lines[][$c] | select(. != null) | .value | fixed(1)]
   | if length > 1 then max_by(tonumber) else null end] as $best
| (any($lines[][]; . != null and .failed > 0)) as $marked

# One value as text: strong says how the best of a column is written, gap what goes before a
# standard error, mark what stands for failed rows.
| def value($c; strong; $gap; $mark):
    if . == null then "-"
    else (.value | fixed(1) | if . == $best[$c] then strong else . end)
        + (if $se == "yes" and .se != null then $gap + (.se | fixed(1)) else "" end)
        + (if .failed > 0 then $mark else "" end)
    end;
  def table(strong; $gap; $mark):
    [range($runs | length) as $r
     | [$runs[$r]] + [range($width) as $c | $lines[$r][$c] | value($c; strong; $gap; $mark)]];

"* some rows failed: the value is over the others." as $note
| if $format == "csv" then
    ([["run"] + [($titles + ["Average"])[] | ., if $se == "yes" then "\(.) se" else empty end]]
     + [range($runs | length) as $r
        | [$runs[$r]] + [$lines[$r][] | (if . == null then "" else .value | fixed(2) end),
            if $se == "yes" then (.se // null | if . == null then "" else fixed(2) end) else empty end]])[]
    | map(csv) | join(",")
  elif $format == "markdown" then
    "| |\(($titles + ["Average"]) | map(" \(markdown) |") | add)",
    "|---|\("---:|" * $width)",
    (table("**\(.)**"; " ± "; "\\*")[] | .[0] |= markdown | "|\(map(" \(.) |") | add)"),
    if $marked then "", "\\" + $note else empty end
  elif $format == "latex" then
    "\\begin{tabular}{l\("r" * $width)}", "\\hline",
    " & \(($titles + ["Average"]) | map(latex) | join(" & ")) \\\\", "\\hline",
    (table("\\textbf{\(.)}"; " $\\pm$ "; "*")[] | .[0] |= latex | "\(join(" & ")) \\\\"),
    "\\hline", "\\end{tabular}",
    if $marked then "% " + $note else empty end
  elif $format == "text" then
    ([[""] + $titles + ["Average"]] + table(.; " ±"; "*")) as $all
    | [range($width + 1) as $c | [$all[][$c] | length] | max] as $widths
    | ($all[] | . as $line | ($line[0] | left($widths[0]))
        + ([range(1; $width + 1) as $c | "  " + ($line[$c] | right($widths[$c]))] | add)),
      if $marked then $note else empty end
  else error("format \($format): none of text, markdown, latex, csv") end

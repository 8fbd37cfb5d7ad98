# Lists a Makefile's targets and variables by group: `awk -v width=80 -f toolchain/help.awk Makefile`.
# `##@ Group` starts a group; `target: ## text` is a target; `##= NAME text` a variable.
function entry(name, text,    words, count, line, i) {
  count = split(text, words, " ")
  line = sprintf("  %-16s", name)
  for (i = 1; i <= count; i++) {
    if (length(line) + 1 + length(words[i]) > width) {
      print line
      line = sprintf("  %-16s", "")
    }
    line = line " " words[i]
  }
  print line
}
BEGIN { if (width < 60) width = 80; if (width > 120) width = 120 }
/^##@ / { printf "\n%s\n", substr($0, 5) }
/^##= / { name = $2; $1 = $2 = ""; entry(name, $0) }
/^[a-z0-9-]+:.* ## / { name = $0; sub(/:.*/, "", name); sub(/^.* ## /, ""); entry(name, $0) }

# shellcheck shell=bash
# TAB completion in bash, loaded by `eval "$(make -s env)"`: of `make` in this clone (targets, their variables, and the
# values of these) and of `aidc` (commands, options, and their values).

AIDC_COMPLETES=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
declare -gA AIDC_OPTIONS=()

# _aidc_names KIND STACK: what a name can be, one a line. Nothing where nobody can tell.
_aidc_names() {
  local file only=(--filter "label=aidc.stack=$2" --filter label=aidc.kind=service)
  case $1 in
    stacks)
      for file in "$AIDC_COMPLETES"/Pulumi.*.yaml; do
        file=${file##*/Pulumi.}
        echo "${file%.yaml}"
      done
      ;;
    services | nodes)
      [[ $1 == services ]] || only+=(--filter label=aidc.role=compute)
      docker ps --all "${only[@]}" --format '{{.Names}}' | sed "s/^aidc-$2-//"
      ;;
    *) (cd "$AIDC_COMPLETES" && .venv/bin/python -m operations names "$1" --stack "$2") ;;
  esac 2>/dev/null
}

# _aidc_reply WORD CANDIDATES [PREFIX]: COMPREPLY, each with PREFIX, but without what of WORD stands before the last
# character at which readline breaks words. Candidates are lines, and compared here: `compgen -W` would expand them.
_aidc_reply() {
  local before=${1%"${1##*[@:=]}"} candidate
  COMPREPLY=()
  while IFS= read -r candidate; do
    [[ ! $candidate || $candidate != "$1"* ]] || COMPREPLY+=("${3:-}${candidate#"$before"}")
  done <<<"$2"
}

# _aidc_value KIND STACK WORD: completes a value.
_aidc_value() {
  local list=
  case $1 in
    files)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "$3")
      ;;
    several) # separated by commas
      [[ $3 != *,* ]] || list=${3%,*},
      _aidc_reply "${3##*,}" "all"$'\n'"$(_aidc_names rotatable "$2")" "$list"
      ;;
    one) COMPREPLY=(1) ;;
    *) _aidc_reply "$3" "$(_aidc_names "$1" "$2")" ;;
  esac
}

# _aidc_kind NAME: which values a variable of `make` or an option of `aidc` has.
_aidc_kind() {
  case $1 in
    S | --service) echo services ;;
    NODE | --node) echo nodes ;;
    JOB | --job) echo jobs ;;
    MODEL | --model) echo models ;;
    STACK | --stack) echo stacks ;;
    WHAT | --what) echo several ;;
    SCRIPT | WORKDIR | REQUIREMENTS | FROM | OUT | --workdir | --requirements | --from | --out) echo files ;;
    YES | PURGE | WATCH | JSON | DETACH | KEEP | REFRESH | TEST | STOP | OFF | DAMAGED) echo one ;;
  esac
}

_aidc_make() {
  local line=${COMP_LINE:0:COMP_POINT} word target='' stack=${STACK:-dev} kind known given
  word=${line##*[[:space:]]}
  COMPREPLY=()
  if ! [[ -f Makefile && . -ef $AIDC_COMPLETES ]]; then
    [[ ! -f Makefile ]] || _aidc_reply "$word" "$(sed -n 's/^\([A-Za-z0-9][A-Za-z0-9_.-]*\):\([^=].*\)\{0,1\}$/\1/p' Makefile)"
    return
  fi
  read -ra given <<<"${line%"$word"}"
  for known in "${given[@]:1}"; do
    case $known in
      STACK=*) stack=${known#STACK=} ;;
      -* | *=*) ;;
      *) target=$known ;;
    esac
  done
  if [[ $word == *=* ]]; then
    kind=$(_aidc_kind "${word%%=*}")
    # A job of the backup is another kind of job.
    [[ $target != backup ]] || kind=
    [[ ! $kind ]] || _aidc_value "$kind" "$stack" "${word#*=}"
  elif [[ $target ]]; then
    _aidc_reply "$word" "$(awk -v target="$target" '
      /^##= / {
        whose = $0; sub(/^##= [A-Z]+ */, "", whose); sub(/:.*/, "", whose); count = split(whose, of, /[ ,]+/)
        for (i = 1; i <= count; i++) if (of[i] == target || $2 == "STACK") { print $2 "="; break }
      }' Makefile)"
    compopt -o nospace
  else
    _aidc_reply "$word" "$(sed -n 's/^\([a-z][a-z0-9-]*\):.* ## .*/\1/p' Makefile)"
  fi
}

_aidc_aidc() {
  local line=${COMP_LINE:0:COMP_POINT} word words command stack=${STACK:-dev} last kind i
  word=${line##*[[:space:]]}
  COMPREPLY=()
  read -ra words <<<"${line%"$word"}"
  command=${words[1]:-}
  if [[ ! $command ]]; then
    _aidc_reply "$word" "$(_aidc_names commands "$stack")"
    return
  fi
  for ((i = 2; i < ${#words[@]}; i++)); do
    [[ ${words[i - 1]} != --stack ]] || stack=${words[i]}
  done
  last=${words[-1]}
  kind=$(_aidc_kind "$last")
  [[ $command != backup || $kind != jobs ]] || kind=
  if [[ $last == -* && $kind ]]; then
    _aidc_value "$kind" "$stack" "$word"
  elif [[ $word == -* ]]; then
    [[ -v AIDC_OPTIONS[$command] ]] ||
      AIDC_OPTIONS[$command]=$("$AIDC_COMPLETES/.venv/bin/aidc" "$command" --help 2>/dev/null |
        grep --only-matching --extended-regexp -- '(^|[[ ,])--[a-z][a-z-]*' | tr -d '[ ,' | sort --unique)
    _aidc_reply "$word" "${AIDC_OPTIONS[$command]}"
  elif [[ $command == stop && $last == stop ]]; then
    _aidc_value jobs "$stack" "$word"
  fi
}

complete -o default -F _aidc_make make
complete -o default -F _aidc_aidc aidc

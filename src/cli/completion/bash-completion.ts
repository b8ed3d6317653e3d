import type { CompletedFlag, CompletedValue, CompletionModel } from "./completion-model.ts";

/**
 * The completion script for bash 3.2 and newer, without the bash-completion package. Bash hands `--flag=value` over in
 * three words (unless `=` is taken out of COMP_WORDBREAKS), so the script knows both forms.
 */
export function bashCompletion({ globalFlags, places }: CompletionModel): string {
  const steps = places.flatMap(({ path, words }) =>
    words.map(({ word, leadsTo }) => `    ${quote(`${path}:${word}`)}) echo ${quote(leadsTo)} ;;`),
  );
  const words = places
    .filter((place) => place.words.length > 0)
    .map(
      (place) => `    ${quote(place.path)}) echo ${quote(place.words.map(({ word }) => word).join(" "))} ;;`,
    );
  const flags = places
    .filter((place) => place.flags.length > 0)
    .map((place) => `    ${quote(place.path)}) echo ${quote(flagWords(place.flags))} ;;`);
  const values = places.flatMap((place) =>
    valueFlags(place.flags).map(
      ([pattern, value]) => `    ${quote(`${place.path}:`)}${pattern}) ${echoValue(value)} ;;`,
    ),
  );
  const globalValues = valueFlags(globalFlags).map(
    ([pattern, value]) => `    *:${pattern}) ${echoValue(value)} ;;`,
  );
  const positions = places.flatMap((place) =>
    place.arguments.map((value, index) => {
      const last = place.repeated && index === place.arguments.length - 1;
      return `    ${quote(`${place.path}:`)}${last ? "*" : index}) ${echoValue(value)} ;;`;
    }),
  );
  return `# Completion of nex for bash. Put this into ~/.bashrc:  eval "$(nex completion bash)"
# or save it as ~/.local/share/bash-completion/completions/nex
_nex_step() {
  case "$1" in
${steps.join("\n")}
    *) return 1 ;;
  esac
}
_nex_words() {
  case "$1" in
${words.join("\n")}
  esac
}
_nex_flags() {
  case "$1" in
${flags.join("\n")}
  esac
  echo ${quote(flagWords(globalFlags))}
}
_nex_value() {
  case "$1" in
${[...values, ...globalValues].join("\n")}
    *) return 1 ;;
  esac
}
_nex_argument() {
  case "$1" in
${positions.join("\n")}
  esac
}
${BODY}complete -F _nex nex
`;
}

const BODY = `_nex_offer() {
  local kind="\${1%% *}" rest="\${1#* }" item
  case "$kind" in
    file)
      compopt -o filenames 2>/dev/null
      while IFS= read -r item; do COMPREPLY+=("$item"); done < <(compgen -f -- "$2")
      ;;
    directory)
      compopt -o filenames 2>/dev/null
      while IFS= read -r item; do COMPREPLY+=("$item"); done < <(compgen -d -- "$2")
      ;;
    context)
      for item in "\${XDG_CONFIG_HOME:-$HOME/.config}"/nats/context/*.json; do
        item="\${item##*/}"
        item="\${item%.json}"
        [ "$item" != "*" ] && [ "\${item#"$2"}" != "$item" -o -z "$2" ] && COMPREPLY+=("$item")
      done
      ;;
    words)
      while IFS= read -r item; do COMPREPLY+=("$item"); done < <(compgen -W "$rest" -- "$2")
      ;;
  esac
}
_nex() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" path="" position=0 index=1 word next flag="" value
  COMPREPLY=()
  while [ "$index" -lt "$COMP_CWORD" ]; do
    word="\${COMP_WORDS[index]}"
    case "$word" in
      --) [ "$flag" = "" ] && flag="--" ;;
      -*)
        if [ "\${COMP_WORDS[index + 1]}" = "=" ]; then
          [ $((index + 2)) -ge "$COMP_CWORD" ] && flag="$word"
          index=$((index + 2))
        elif [ "\${word#*=}" = "$word" ] && _nex_value "$path:$word" >/dev/null; then
          [ $((index + 1)) -eq "$COMP_CWORD" ] && flag="$word"
          index=$((index + 1))
        fi
        ;;
      *)
        if next="$(_nex_step "$path:$word")"; then path="$next"; else position=$((position + 1)); fi
        ;;
    esac
    index=$((index + 1))
  done
  [ "$cur" = "=" ] && cur=""
  if [ -n "$flag" ] && [ "$flag" != "--" ]; then
    value="$(_nex_value "$path:$flag")" && _nex_offer "$value" "$cur"
    return 0
  fi
  case "$cur" in
    --*=*)
      if value="$(_nex_value "$path:\${cur%%=*}")"; then
        _nex_offer "$value" "\${cur#*=}"
        for index in "\${!COMPREPLY[@]}"; do COMPREPLY[index]="\${cur%%=*}=\${COMPREPLY[index]}"; done
      fi
      ;;
    -*)
      _nex_offer "words $(_nex_flags "$path")" "$cur"
      case "\${COMPREPLY[0]}" in *=) [ "\${#COMPREPLY[@]}" -eq 1 ] && compopt -o nospace 2>/dev/null ;; esac
      ;;
    *)
      word="$(_nex_words "$path")"
      if [ -n "$word" ]; then _nex_offer "words $word" "$cur"; else _nex_offer "$(_nex_argument "$path:$position")" "$cur"; fi
      ;;
  esac
  return 0
}
`;

function flagWords(flags: readonly CompletedFlag[]): string {
  return flags.map(({ name, value }) => (value === undefined ? name : `${name}=`)).join(" ");
}

function valueFlags(flags: readonly CompletedFlag[]): [pattern: string, value: CompletedValue][] {
  return flags.flatMap(({ name, short, value }): [string, CompletedValue][] =>
    value === undefined ? [] : [name, ...(short === undefined ? [] : [short])].map((text) => [text, value]),
  );
}

function echoValue(value: CompletedValue): string {
  return `echo ${quote(value.kind === "choices" ? `words ${value.choices.join(" ")}` : value.kind)}`;
}

/** As one word of a shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

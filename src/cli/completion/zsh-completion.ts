import { quote } from "./bash-completion.ts";
import type { CompletedFlag, CompletedValue, CompletionModel } from "./completion-model.ts";

/** The completion script for zsh; names are shown with what they mean. */
export function zshCompletion({ globalFlags, places }: CompletionModel): string {
  const steps = places.flatMap(({ path, words }) =>
    words.map(({ word, leadsTo }) => `    ${quote(`${path}:${word}`)}) REPLY=${quote(leadsTo)} ;;`),
  );
  const words = places
    .filter((place) => place.words.length > 0)
    .map(
      (place) =>
        `    ${quote(place.path)}) reply=(${place.words.map(({ word, help }) => described(word, help)).join(" ")}) ;;`,
    );
  const flags = places
    .filter((place) => place.flags.length > 0)
    .map((place) => `    ${quote(place.path)}) reply+=(${flagWords(place.flags)}) ;;`);
  const values = places.flatMap((place) =>
    valueFlags(place.flags).map(
      ([name, value]) => `    ${quote(`${place.path}:${name}`)}) ${setValue(value)} ;;`,
    ),
  );
  const globalValues = valueFlags(globalFlags).map(([name, value]) => `    *:${name}) ${setValue(value)} ;;`);
  const positions = places.flatMap((place) =>
    place.arguments.map((value, index) => {
      const last = place.repeated && index === place.arguments.length - 1;
      return `    ${quote(`${place.path}:`)}${last ? "*" : index}) ${setValue(value)} ;;`;
    }),
  );
  return `#compdef nex
# Completion of nex for zsh. Put this into ~/.zshrc, after compinit:  source <(nex completion zsh)
# or save it as _nex in a folder of $fpath
_nex_step() {
  case "$1" in
${steps.join("\n")}
    *) return 1 ;;
  esac
}
_nex_words() {
  reply=()
  case "$1" in
${words.join("\n")}
  esac
}
_nex_flags() {
  reply=(${flagWords(globalFlags)})
  case "$1" in
${flags.join("\n")}
  esac
}
_nex_value() {
  case "$1" in
${[...values, ...globalValues].join("\n")}
    *) return 1 ;;
  esac
}
_nex_argument() {
  reply=(any)
  case "$1" in
${positions.join("\n")}
  esac
}
${BODY}`;
}

const BODY = `_nex_offer() {
  local -a names
  case "$reply[1]" in
    file) _files ;;
    directory) _files -/ ;;
    context)
      names=(\${XDG_CONFIG_HOME:-$HOME/.config}/nats/context/*.json(N:t:r))
      compadd -a names
      ;;
    words) compadd -- $reply[2,-1] ;;
    *) _message 'value' ;;
  esac
}
_nex() {
  local cur="$words[CURRENT]" place="" word REPLY
  local -i position=0 index=2
  local -a reply switches valued
  while (( index < CURRENT )); do
    word="$words[index]"
    case "$word" in
      --|--*=*) ;;
      -*)
        if _nex_value "$place:$word"; then
          if (( index + 1 == CURRENT )); then
            _nex_offer
            return
          fi
          (( index++ ))
        fi
        ;;
      *)
        if _nex_step "$place:$word"; then place="$REPLY"; else (( position++ )); fi
        ;;
    esac
    (( index++ ))
  done
  case "$cur" in
    --*=*)
      if _nex_value "$place:\${cur%%=*}"; then
        compset -P 1 '*='
        _nex_offer
      fi
      ;;
    -*)
      _nex_flags "$place"
      switches=(\${reply:#*=:*})
      valued=(\${(M)reply:#*=:*})
      _describe -o 'flag' switches -- valued -S ''
      ;;
    *)
      _nex_words "$place"
      if (( $#reply )); then
        _describe 'command' reply
      else
        _nex_argument "$place:$position"
        _nex_offer
      fi
      ;;
  esac
}
if [[ "$funcstack[1]" == "_nex" ]]; then _nex "$@"; else compdef _nex nex; fi
`;

function flagWords(flags: readonly CompletedFlag[]): string {
  return flags
    .map(({ name, help, value }) => described(value === undefined ? name : `${name}=`, help))
    .join(" ");
}

function described(word: string, help: string): string {
  return quote(`${word.replaceAll(":", String.raw`\:`)}:${help}`);
}

function valueFlags(flags: readonly CompletedFlag[]): [name: string, value: CompletedValue][] {
  return flags.flatMap(({ name, short, value }): [string, CompletedValue][] =>
    value === undefined ? [] : [name, ...(short === undefined ? [] : [short])].map((text) => [text, value]),
  );
}

function setValue(value: CompletedValue): string {
  const items = value.kind === "choices" ? ["words", ...value.choices] : [value.kind];
  return `reply=(${items.map(quote).join(" ")})`;
}

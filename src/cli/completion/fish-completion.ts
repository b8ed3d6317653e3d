import { quote as shellQuote } from "./bash-completion.ts";
import type { CompletedFlag, CompletedPlace, CompletedValue, CompletionModel } from "./completion-model.ts";

/** The completion script for fish; names are shown with what they mean. */
export function fishCompletion({ globalFlags, places }: CompletionModel): string {
  const valued = [...globalFlags, ...places.flatMap(({ flags }) => flags)].filter(
    ({ value }) => value !== undefined,
  );
  const names = new Set(valued.flatMap(({ name, short }) => (short === undefined ? [name] : [name, short])));
  const steps = places.flatMap(({ path, words }) =>
    words.map(
      ({ word, leadsTo }) =>
        `            case ${quote(`${path}:${word}`)}\n                set place ${quote(leadsTo)}\n                continue`,
    ),
  );
  return `# Completion of nex for fish. Save it as ~/.config/fish/completions/nex.fish:
#   nex completion fish > ~/.config/fish/completions/nex.fish
# Prints the command of the line so far, and the number of its arguments before the cursor.
function __nex_place
    set -l place ''
    set -l position 0
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip -eq 1
            set skip 0
            continue
        end
        switch $word
            case ${[...names].map(quote).join(" ")}
                set skip 1
                continue
            case '-*'
                continue
        end
        switch "$place:$word"
${steps.join("\n")}
        end
        set position (math $position + 1)
    end
    echo $place
    echo $position
end
function __nex_at
    set -l found (__nex_place)
    test "$found[1]" = "$argv[1]"
end
function __nex_argument
    set -l found (__nex_place)
    test "$found[1]" = "$argv[1]" -a $found[2] -ge $argv[2] -a $found[2] -le $argv[3]
end
function __nex_contexts
    set -l folder $HOME/.config
    set -q XDG_CONFIG_HOME; and set folder $XDG_CONFIG_HOME
    for file in $folder/nats/context/*.json
        string replace -r '\\.json$' '' (string split -r -m 1 / $file)[-1]
    end
end
complete -c nex -f
${[...globalFlags.map((flag) => flagLine(flag)), ...places.flatMap(placeLines)].join("\n")}
`;
}

function placeLines(place: CompletedPlace): string[] {
  const at = `__nex_at ${quote(place.path)}`;
  return [
    ...place.words.map(
      ({ word, help }) => `complete -c nex -n ${quote(at)} -a ${quote(word)} -d ${quote(help)}`,
    ),
    ...place.flags.map((flag) => flagLine(flag, at)),
    ...place.arguments.flatMap((value, index) => {
      const offer = offerOf(value);
      if (offer === undefined) return [];
      const last = place.repeated && index === place.arguments.length - 1 ? 9999 : index;
      const condition = `__nex_argument ${quote(place.path)} ${index} ${last}`;
      return [`complete -c nex -n ${quote(condition)} ${offer}`];
    }),
  ];
}

function flagLine({ name, short, help, value }: CompletedFlag, condition?: string): string {
  return [
    "complete -c nex",
    ...(condition === undefined ? [] : [`-n ${quote(condition)}`]),
    `-l ${name.slice(2)}`,
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
    ...(value === undefined ? [] : ["-r", offerOf(value) ?? "-f"]),
    `-d ${quote(help)}`,
  ].join(" ");
}

function offerOf(value: CompletedValue): string | undefined {
  switch (value.kind) {
    case "any":
      return undefined;
    case "choices":
      return `-f -a ${quote(value.choices.join(" "))}`;
    case "file":
      return "-F";
    case "directory":
      return "-f -a '(__fish_complete_directories)'";
    case "context":
      return "-f -a '(__nex_contexts)'";
  }
}

/** fish knows two escapes in single quotes. */
function quote(text: string): string {
  if (!text.includes("'") && !text.includes("\\")) return shellQuote(text);
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`)}'`;
}

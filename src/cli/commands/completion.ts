import { defineCommand } from "../command.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** `nex completion`: a script that teaches a shell the commands, flags and values of `nex`. */
export const completion = defineCommand({
  description:
    'Prints a completion script for a shell: commands, flags, their values, files and NATS contexts. bash: put eval "$(nex completion bash)" into ~/.bashrc. zsh: put source <(nex completion zsh) into ~/.zshrc, after compinit. fish: save the script as ~/.config/fish/completions/nex.fish.',
  arguments: { shell: { help: "Shell to write for", choices: SHELLS } },
  examples: ["completion bash", "completion zsh", "completion fish"],
  run: async ({ arguments: { shell }, output }) => {
    const { commandTable } = await import("../command-table.ts");
    const { completionModel } = await import("../completion/completion-model.ts");
    const model = await completionModel(commandTable);
    switch (shell) {
      case "bash":
        return output.raw((await import("../completion/bash-completion.ts")).bashCompletion(model));
      case "zsh":
        return output.raw((await import("../completion/zsh-completion.ts")).zshCompletion(model));
      case "fish":
        return output.raw((await import("../completion/fish-completion.ts")).fishCompletion(model));
    }
  },
});

import { z } from "zod";
import type { Command } from "../command.ts";
import { completionScript, SHELLS } from "../completion.ts";

const CompletionReport = z.strictObject({ version: z.literal(1), shell: z.enum(SHELLS), script: z.string() });
type CompletionReport = z.infer<typeof CompletionReport>;

export const completion: Command<CompletionReport> = {
    name: "completion",
    summary: "Print a completion script for bash, zsh or fish",
    operands: "<shell>",
    operandValues: SHELLS,
    details: [
        "Completes commands, options, their values and stack names. To enable it in the current shell:",
        "",
        '    bash: eval "$(clustermesh completion bash)"',
        '    zsh:  eval "$(clustermesh completion zsh)"',
        "    fish: clustermesh completion fish | source",
        "",
        "Add the line to ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish to enable it in every shell.",
        '`clustermesh` must be on the PATH, or a shell function: clustermesh() { npx clustermesh "$@"; }',
    ].join("\n"),
    options: {},
    withoutProject: true,
    report: CompletionReport,
    async run(_context, _options, [name]) {
        const shell = z.enum(SHELLS).parse(name);
        const script = await completionScript(shell);
        return { code: 0, report: { version: 1, shell, script }, text: script.trimEnd() };
    },
};

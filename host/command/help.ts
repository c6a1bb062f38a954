/** `ashlar help`: text from the table of commands. */
import type { Option } from "./arguments.ts";
import type { Command } from "./commands.ts";

const WIDTH = 100;

/** What `ashlar help` prints. */
export function generalHelp(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    "Ashlar runs WebAssembly programs deterministically: same module, same input, same result, same fuel.",
    "",
    "Usage: ashlar COMMAND [OPTIONS]",
    "",
    ...lines,
    "",
    "`ashlar help COMMAND` or `ashlar COMMAND --help` explains one.",
    "NO_COLOR=1 turns colours off. Exit code 2: the command line is wrong; 1: anything else failed.",
    "",
  ].join("\n");
}

/** What `ashlar help COMMAND` prints. */
export function commandHelp({ name, summary, usage, options, details, examples }: Command): string {
  const lines = [`ashlar ${name}: ${summary}`, "", `Usage: ashlar ${name} ${usage}`];
  if (options.length > 0) lines.push("");
  for (const option of options) {
    lines.push(`  --${option.name}${valueText(option)}${option.repeatable ? "  (repeatable)" : ""}`);
    lines.push(...wrap(option.doc, 6));
  }
  for (const paragraph of details) lines.push("", ...wrap(paragraph, 0));
  if (examples.length > 0) lines.push("", "Examples:", ...examples.map((example) => `  ${example}`));
  return `${lines.join("\n")}\n`;
}

function valueText({ value, optional }: Option): string {
  if (value === undefined) return "";
  return optional ? `[=${value}]` : ` ${value}`;
}

function wrap(text: string, indent: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(" ".repeat(indent) + line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  lines.push(" ".repeat(indent) + line);
  return lines;
}

/** `ashlar help`: text from a table of commands. */
import type { Option } from "./arguments.ts";
import { type CommandRow, HELP, type Program } from "./command.ts";

const WIDTH = 100;

/** What `ashlar help` prints, or `help` of another program. */
export function generalHelp<Given>({ name: program, about, commands }: Program<Given>): string {
  const rows = [...commands, HELP];
  const width = Math.max(...rows.map(({ name }) => name.length));
  const lines = rows.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    about,
    "",
    `Usage: ${program} COMMAND [OPTIONS]`,
    "",
    ...lines,
    "",
    `\`${program} help COMMAND\` or \`${program} COMMAND --help\` explains one.`,
    "NO_COLOR=1 turns colours off. Exit code 2: the command line is wrong; 1: anything else failed.",
    "",
  ].join("\n");
}

/** What `ashlar help COMMAND` prints. */
export function commandHelp(command: CommandRow, program: string): string {
  const { name, summary, usage, options, details, examples } = command;
  const lines = [`${program} ${name}: ${summary}`, "", `Usage: ${program} ${name} ${usage}`];
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

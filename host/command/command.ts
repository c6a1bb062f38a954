/** What tables of commands are made of. */
import type { Arguments, Option } from "./arguments.ts";

/** What the help tells of a command. */
export interface CommandRow {
  readonly name: string;
  readonly summary: string;
  /** What stands behind the name. */
  readonly usage: string;
  /** Fewest and most words that are no options. */
  readonly positionals: readonly [number, number];
  /** True when words behind `--` mean something. */
  readonly rest?: boolean;
  readonly options: readonly Option[];
  /** Paragraphs of the help. */
  readonly details: readonly string[];
  readonly examples: readonly string[];
}

/** `Given` is what commands are given beside their words. */
export interface Command<Given> extends CommandRow {
  /** Answers the exit code. What a command needs it loads when it runs. */
  run(args: Arguments, given: Given): Promise<number>;
}

/** A word with words of its own behind it. */
export interface Group<Given> {
  readonly name: string;
  readonly summary: string;
  /** `path`: what stands before them on the line, such as `ashlar assets`. */
  verbs(path: string): Promise<Program<Given>>;
}

export interface Program<Given> {
  /** What stands before the command's name on a line. */
  readonly name: string;
  /** The first line of the help. */
  readonly about: string;
  readonly commands: readonly (Command<Given> | Group<Given>)[];
}

/** What every program has. */
export const HELP: CommandRow = {
  name: "help",
  summary: "explain a command",
  usage: "[COMMAND]",
  positionals: [0, 1],
  options: [],
  details: [],
  examples: [],
};

/** The row that those have which are commands of the system. */
export const VERSION: Command<unknown> = {
  name: "version",
  summary: "print the versions of Ashlar, its ABI and its fuel schedule",
  usage: "[--json]",
  positionals: [0, 0],
  options: [{ name: "json", doc: "Print one JSON object." }],
  details: [],
  examples: [],
  run: async (args) => (await import("./version.ts")).version(args),
};

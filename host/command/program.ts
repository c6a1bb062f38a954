/** How a line is taken apart by a table of commands. */
import { nearestOf, parseArguments } from "./arguments.ts";
import { type Command, type Group, HELP, type Program, VERSION } from "./command.ts";
import { describeFailure, ExitCode, failureOf, usageError } from "./failure.ts";
import { isReaderGone, note, plain, print } from "./terminal.ts";

/** Runs one line and answers the exit code. Every error is told here. */
export async function main<Given>(program: Program<Given>, words: readonly string[], given: Given): Promise<number> {
  try {
    return await dispatch(program, words, given);
  } catch (error) {
    // Nobody reads on: what SIGPIPE does to other programs.
    if (isReaderGone(error)) return ExitCode.PIPE;
    const failure = failureOf(error);
    note(describeFailure(failure));
    return failure.exitCode;
  }
}

async function dispatch<Given>(program: Program<Given>, words: readonly string[], given: Given): Promise<number> {
  const [first, ...others] = words;
  if (first === undefined) {
    note((await import("./help.ts")).generalHelp(program));
    return ExitCode.USAGE;
  }
  const name = ALIASES[first] ?? first;
  if (name === HELP.name) return help(program, others);
  const command = commandNamed(program, name);
  if ("verbs" in command) return dispatch(await command.verbs(`${program.name} ${command.name}`), others, given);
  const line = `${program.name} ${command.name}`;
  const options = [...command.options, { name: HELP.name, doc: "" }];
  const args = parseArguments(others, options, { program: program.name, command: command.name });
  if (args.options.has(HELP.name)) return help(program, [command.name]);
  const [fewest, most] = command.positionals;
  const { length } = args.positionals;
  const hint = `Usage: ${line} ${command.usage}`;
  if (length < fewest) {
    const missing = command.usage.split(" ")[length]!;
    throw usageError(`\`${line}\` needs ${/^[AEIOU]/.test(missing) ? "an" : "a"} ${missing}.`, hint);
  }
  if (length > most || (args.rest.length > 0 && !command.rest)) {
    const word = args.positionals[most] ?? args.rest[0]!;
    const guest = command.rest ? "\nArguments of the guest stand behind --." : "";
    throw usageError(`\`${line}\` has no use for ${JSON.stringify(word)}.`, hint + guest);
  }
  return command.run(args, given);
}

const ALIASES: { readonly [word: string]: string } = {
  "--help": HELP.name,
  "-h": HELP.name,
  "--version": VERSION.name,
  "-V": VERSION.name,
};

/** Prints the help of the program, or of the command that the words name. */
async function help<Given>(program: Program<Given>, words: readonly string[]): Promise<number> {
  const { commandHelp, generalHelp } = await import("./help.ts");
  const [first, ...others] = words;
  if (first === undefined) {
    print(generalHelp(program));
    return ExitCode.OK;
  }
  const command = (ALIASES[first] ?? first) === HELP.name ? HELP : commandNamed(program, first);
  if ("verbs" in command) return help(await command.verbs(`${program.name} ${command.name}`), others);
  if (others.length > 0)
    throw usageError(
      `\`${program.name} ${HELP.name}\` has no use for ${JSON.stringify(others[0])}.`,
      `Usage: ${program.name} ${HELP.name} ${HELP.usage}`,
    );
  print(commandHelp(command, program.name));
  return ExitCode.OK;
}

function commandNamed<Given>({ name: program, commands }: Program<Given>, name: string): Command<Given> | Group<Given> {
  const command = commands.find((candidate) => candidate.name === name);
  if (command !== undefined) return command;
  const nearest = nearestOf(name, [HELP.name, ...commands.map((candidate) => candidate.name)]);
  const isModule = /\.(wasm|wat)$/.test(name) && commands.some((candidate) => candidate.name === "run");
  const hint = isModule
    ? `To run a module: ${program} run ${plain(name)}`
    : nearest === undefined
      ? `\`${program} help\` lists the commands.`
      : `Did you mean \`${program} ${nearest}\`?`;
  throw usageError(`There is no command ${JSON.stringify(name)}.`, hint);
}

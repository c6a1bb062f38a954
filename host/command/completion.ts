/** `ashlar completion`: scripts by which shells complete a line, made from the table of commands (spec CLI-COMPLETION). */
import type { Arguments, Option } from "./arguments.ts";
import { type Command, type CommandRow, type Group, HELP, type Program } from "./command.ts";
import { ExitCode, usageError } from "./failure.ts";
import { print } from "./terminal.ts";

const SHELLS: { readonly [shell: string]: (name: string, places: readonly Place[]) => string } = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export async function completion<Given>({ positionals }: Arguments, program: Program<Given>): Promise<number> {
  const [shell] = positionals;
  const script = Object.hasOwn(SHELLS, shell!) ? SHELLS[shell!] : undefined;
  if (script === undefined)
    throw usageError(
      `There is no completion for ${JSON.stringify(shell)}.`,
      `It is one of: ${Object.keys(SHELLS).join(", ")}.`,
    );
  print(script(program.name, await placesOf(program)));
  return ExitCode.OK;
}

/** What may stand at a place of a line. */
interface Place {
  /** The words before it: `ashlar`, `ashlar store`, `ashlar store get`. */
  readonly path: string;
  /** Words of which one stands there; none where files do. */
  readonly words: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly Option[];
  /** False where no more words are. */
  readonly hasWords: boolean;
}

const HELP_OPTION: Option = { name: HELP.name, doc: HELP.summary };

/** All places, a program's before those behind its words. */
async function placesOf<Given>(program: Program<Given>): Promise<readonly Place[]> {
  const { name: path, commands } = program;
  const rows: readonly (Command<Given> | Group<Given> | CommandRow)[] = [...commands, HELP];
  const inner: Place[] = [];
  const explained: Place[] = [];
  const words = rows.map(({ name, summary }) => ({ name, summary }));
  for (const row of rows) {
    const place = `${path} ${row.name}`;
    if ("verbs" in row) {
      const group = await row.verbs(place);
      inner.push(...(await placesOf(group)));
      const verbs = group.commands.map(({ name, summary }) => ({ name, summary }));
      explained.push({ path: `${path} ${HELP.name} ${row.name}`, words: verbs, options: [], hasWords: true });
    } else if (row !== HELP) {
      const isWorded = /^[a-z]+(\|[a-z]+)+$/.test(row.usage.split(" ")[0]!);
      const choices = isWorded ? row.usage.split(" ")[0]!.split("|") : [];
      inner.push({
        path: place,
        words: choices.map((name) => ({ name, summary: "" })),
        options: [...row.options, HELP_OPTION],
        hasWords: row.positionals[1] > 0 || row.rest === true,
      });
    }
  }
  const help = { path: `${path} ${HELP.name}`, words: words.slice(0, -1), options: [], hasWords: true };
  return [{ path, words, options: [], hasWords: true }, ...inner, help, ...explained];
}

/** The words that an option's value is one of. */
function choicesOf({ value = "" }: Option): readonly string[] {
  return /^[a-z][a-z0-9-]*(\|[a-z0-9-]+)*$/.test(value) ? value.split("|") : [];
}

function takesFile({ value = "" }: Option): boolean {
  return /^(FILE|DIR|OUT|PATCH|HOST|NAME=FILE|NAME=(KEY\|)?@FILE)/.test(value);
}

/** Whether the value may stand in the next word. */
function takesWord({ value, optional }: Option): boolean {
  return value !== undefined && optional !== true;
}

/** The first sentence of what the help tells of an option. */
function sentence(doc: string): string {
  return doc.split(/[.;] /)[0]!.replace(/\.$/, "");
}

/** In single quotes of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The patterns of all words that lead to another place. */
function ways(places: readonly Place[]): string {
  return places
    .slice(1)
    .map(({ path }) => quoted(path))
    .join("|");
}

function bashScript(program: string, places: readonly Place[]): string {
  const cases = places.map(({ path, words, options, hasWords }) => {
    const names = words.map(({ name }) => name).join(" ");
    const valued = options.filter(takesWord);
    const values = valued.filter((option) => choicesOf(option).length > 0);
    const quiet = valued.filter((option) => choicesOf(option).length === 0 && !takesFile(option));
    const lines = [
      `    ${quoted(path)})`,
      ...(options.length > 0 ? [`      options=${quoted(options.map(({ name }) => `--${name}`).join(" "))}`] : []),
      ...(hasWords && names === "" ? [] : [`      words=${quoted(names)} files=`]),
    ];
    if (valued.length > 0) {
      lines.push("      case $option in");
      for (const option of values)
        lines.push(`        --${option.name}) values=${quoted(choicesOf(option).join(" "))} ;;`);
      if (quiet.length > 0) lines.push(`        ${quiet.map(({ name }) => `--${name}`).join("|")}) values=' ' ;;`);
      const files = valued.filter(takesFile);
      if (files.length > 0)
        lines.push(`        ${files.map(({ name }) => `--${name}`).join("|")}) files=yes values=files ;;`);
      lines.push("      esac");
    }
    return [...lines, "      ;;"].join("\n");
  });
  return `# Completion of ${program} for bash. To have it: source <(${program} completion bash)
_${program}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} place=${program} option=\${COMP_WORDS[COMP_CWORD - 1]} options= words= values= files=yes i
  # Bash takes --option=value for three words.
  if [[ $cur == = ]]; then cur=; elif [[ $option == = ]]; then option=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$place \${COMP_WORDS[i]}" in
    ${ways(places)}) place+=" \${COMP_WORDS[i]}" ;;
    *) break ;;
    esac
  done
  # Behind -- stands what the guest is told.
  for ((; i < COMP_CWORD; i++)); do
    [[ \${COMP_WORDS[i]} == -- ]] && return
  done
  case $place in
${cases.join("\n")}
  esac
  if [[ $values == files ]]; then
    :
  elif [[ -n $values ]]; then
    files=
    COMPREPLY=($(compgen -W "$values" -- "$cur"))
  elif [[ $cur == -* && -n $options ]]; then
    files=
    COMPREPLY=($(compgen -W "$options" -- "$cur"))
  elif [[ -n $words ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
  fi
  [[ -n $files ]] || compopt +o default +o bashdefault 2>/dev/null
}
complete -o bashdefault -o default -F _${program} ${program}
`;
}

function zshScript(program: string, places: readonly Place[]): string {
  const action = (option: Option): string => {
    const choices = choicesOf(option);
    if (choices.length > 0) return `(${choices.join(" ")})`;
    return takesFile(option) ? "_files" : " ";
  };
  const argument = (option: Option): string => {
    const { name, value, optional, repeatable, doc } = option;
    const text = `[${sentence(doc).replace(/[[\]\\]/g, "\\$&")}]`;
    const value_ =
      value === undefined ? "" : `${optional ? "::" : ":"}${value.replace(/[\\:]/g, "\\$&")}:${action(option)}`;
    const equals = value === undefined ? "" : optional ? "=-" : "=";
    return quoted(`${repeatable ? "*" : ""}--${name}${equals}${text}${value_}`);
  };
  const cases = places.map(({ path, words, options, hasWords }) => {
    const described = words.map(({ name, summary }) =>
      quoted(`${name}${summary === "" ? "" : `:${summary.replaceAll(":", "\\:")}`}`),
    );
    const rest =
      words.length > 0 ? [`':word:(${words.map(({ name }) => name).join(" ")})'`] : hasWords ? ["'*:file:_files'"] : [];
    const body =
      options.length === 0
        ? `      local -a found=(\n        ${described.join("\n        ")}\n      )\n      _describe command found`
        : `      _arguments ${["", ...options.map(argument), ...rest].join(" \\\n        ").trimStart()}`;
    return `    (${quoted(path)})\n${body}\n      ;;`;
  });
  return `#compdef ${program}
# Completion of ${program} for zsh. To have it: source <(${program} completion zsh), or as the file _${program} in a folder of $fpath.
_${program}() {
  local place=${program}
  local -i at=2
  while ((at < CURRENT)); do
    case "$place \${words[at]}" in
    (${ways(places)}) place+=" \${words[at]}" ;;
    (*) break ;;
    esac
    ((at++))
  done
  shift $((at - 2)) words
  ((CURRENT -= at - 2))
  case $place in
${cases.join("\n")}
  esac
}
if [[ $funcstack[1] == _${program} ]]; then _${program} "$@"; else compdef _${program} ${program}; fi
`;
}

function fishScript(program: string, places: readonly Place[]): string {
  const lines = places.flatMap(({ path, words, options, hasWords }) => {
    const begin = `complete -c ${program} -n ${quoted(`__${program}_at "${path}"`)}`;
    const own = options.map((option) => {
      const { name, doc } = option;
      const choices = choicesOf(option);
      const value = !takesWord(option)
        ? ""
        : choices.length > 0
          ? ` -x -a ${quoted(choices.join(" "))}`
          : takesFile(option)
            ? " -r -F"
            : " -x";
      return `${begin} -l ${name}${value} -d ${quoted(sentence(doc))}`;
    });
    const named = words.map(
      ({ name, summary }) => `${begin} -a ${name}${summary === "" ? "" : ` -d ${quoted(summary)}`}`,
    );
    return [...(hasWords && words.length === 0 ? [`${begin} -F`] : []), ...named, ...own];
  });
  const paths = places.slice(1).map(({ path }) => quoted(path));
  return `# Completion of ${program} for fish. To have it: ${program} completion fish | source
function __${program}_at
    set -l place ${program}
    for word in (commandline -opc)[2..]
        contains -- "$place $word" ${paths.join(" ")}
        and set place "$place $word"
        or break
    end
    test "$place" = "$argv[1]"
end
complete -c ${program} -f
${lines.join("\n")}
`;
}

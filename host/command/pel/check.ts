/** `ashlar pel check`. */
import type { Store } from "../../asl/index.ts";
import type { Node } from "../../pel/program.ts";
import { type Answer, type Answering, answering } from "../answer.ts";
import type { Arguments } from "../arguments.ts";
import { columns, counted } from "../columns.ts";
import { usageError } from "../failure.ts";
import { replaceFile } from "../files.ts";
import { stoppable } from "../store/stopping.ts";
import { plain } from "../terminal.ts";
import { readFileNamed, readProgram } from "./program-source.ts";
import { withNamedStore } from "./stores.ts";

const { answer }: Answering = answering("pel");

export async function check(args: Arguments): Promise<number> {
  const { options, positionals } = args;
  const output = options.get("output")?.[0];
  if (output === "" || output === "-") throw usageError("-o takes the name of a file.");
  const work = async (file: Uint8Array | undefined, store?: Store): Promise<Answer> => {
    const { name, program, bytes, key, modules } = await readProgram(positionals[0]!, file, store);
    if (output !== undefined) replaceFile(output, bytes, "CLI-OUTPUT", "program");
    const ops = new Map<Node["op"], number>();
    for (const { op } of program.nodes) ops.set(op, (ops.get(op) ?? 0) + 1);
    const inputs = program.nodes.flatMap((node) =>
      node.op === "input" ? [{ name: node.name, typeTag: node.tag ?? null }] : [],
    );
    const outputs = program.outputs.map(({ name }) => name);
    return {
      data: {
        program: key,
        bytes: bytes.length,
        nodes: program.nodes.length,
        ops: Object.fromEntries(ops),
        inputs,
        outputs,
        modules: modules.length,
        ...(output !== undefined && { output }),
      },
      text: () =>
        columns([
          ["program", key, counted(bytes.length, "byte")],
          ["nodes", [...ops].map(([op, count]) => `${count} ${op}`).join(", ")],
          ...inputs.map(({ name }) => ["input", name]),
          ...outputs.map((name) => ["output", name]),
        ]) + (output === undefined ? "" : `${plain(output)}: the encoding of ${plain(name)}\n`),
    };
  };
  return answer("check", args, () =>
    stoppable(async (signal) => {
      const file = await readFileNamed(positionals[0]!, signal);
      return options.has("store") ? withNamedStore(args, "read", (store) => work(file, store)) : work(file);
    }),
  );
}

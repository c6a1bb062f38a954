/**
 * Writes what is derived from the tables: guest bindings, and the tables in `specs/16*`. `--check` writes nothing and
 * exits 1 when a file is not up to date.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BYTES_CALLS } from "../vm/bytes.ts";
import type { CallFuel, Declaration, Parameter, ParameterType } from "../vm/declaration.ts";
import { BYTES_KIND } from "../vm/heap.ts";
import { TRAP_MESSAGES, TrapCode } from "../vm/trap.ts";
import { assemblyScript } from "./bindings/assemblyscript.ts";
import { packedSize } from "./dispatch.ts";
import { KINDS } from "./kinds.ts";
import { STATUS_MESSAGES, Status, type StatusName } from "./status.ts";
import { OpenFlag, SYSCALLS } from "./table.ts";

const ROWS: readonly Declaration[] = [...BYTES_CALLS, ...SYSCALLS];

/** The parts of the specs that are generated, by the name in their markers. */
const TABLES: { readonly [name: string]: () => string } = {
  statuses: () =>
    table(
      ["number", "status", "meaning"],
      Object.entries(Status).map(([name, number]) => [`${number}`, `\`${name}\``, STATUS_MESSAGES[name as StatusName]]),
    ),
  traps: () =>
    table(
      ["code", "trap", "meaning"],
      Object.entries(TrapCode)
        .filter(([, code]) => code >= 50)
        .map(([name, code]) => [`${code}`, `\`${name}\``, TRAP_MESSAGES[name as keyof typeof TrapCode]]),
    ),
  flags: () =>
    table(
      ["bit", "flag"],
      Object.entries(OpenFlag).map(([name, bit]) => [`${bit}`, `\`${name}\``]),
    ),
  kinds: () =>
    table(
      ["id", "kind", "create", "read", "update", "destroy"],
      [BYTES_KIND, ...KINDS].map(({ id, name, create, read, update, destroy }) => [
        `${id}`,
        name,
        create,
        read,
        update,
        destroy,
      ]),
    ),
  policies: () =>
    table(
      ["call", "capability", "fuel", "may free", "statuses", "traps"],
      ROWS.map((row) => [
        `\`${row.module}.${row.name}\``,
        row.capability,
        fuelText(row.fuel, row.params),
        row.mayFree ? "yes" : "no",
        row.statuses.join(" "),
        row.traps.join(" "),
      ]),
    ),
  signatures: () => SYSCALLS.map(signature).join("\n"),
};

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function fuelText(fuel: CallFuel, params: readonly Parameter[]): string {
  if (typeof fuel === "number") return `${fuel}`;
  return `${fuel.base} + ${params[fuel.lengthArgument]!.name} / ${1 / fuel.perByte}`;
}

function typeText(type: ParameterType): string {
  return typeof type === "object" ? `ref ${type.ref}` : type;
}

function signature(row: (typeof SYSCALLS)[number]): string {
  const list = (items: readonly Parameter[]): string =>
    items.map(({ name, type }) => `${name}: ${typeText(type)}`).join(", ");
  const block = row.results.length > 1 ? ` \`${row.name}_p\`: ${packedSize(row)} bytes of results.` : "";
  const lines = [`### ${row.module}.${row.name}`, "", `\`(${list(row.params)}) -> (${list(row.results)})\``, ""];
  lines.push(row.doc + block, "");
  for (const { name, doc } of [...row.params, ...row.results]) lines.push(`- \`${name}\`: ${doc}`);
  if (row.params.length + row.results.length > 0) lines.push("");
  return lines.join("\n");
}

/** `text` with what stands between each pair of markers made anew. */
export function refresh(text: string): string {
  return text.replace(
    /(<!-- generated: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_all, open: string, name: string, close: string) => {
      const make = TABLES[name];
      if (make === undefined) throw new RangeError(`no generated part is named ${name}`);
      return `${open}\n${make().trimEnd()}\n\n${close}`;
    },
  );
}

/** Every generated file: its path from the repository's root, and what it should hold given what it holds. */
export const GENERATED: readonly { readonly path: string; readonly make: (present: string) => string }[] = [
  {
    path: "syscalls/bindings/assemblyscript/syscalls.ts",
    make: () => assemblyScript(ROWS, [BYTES_KIND, ...KINDS]),
  },
  { path: "specs/16-host-abi-and-syscalls.md", make: refresh },
  { path: "specs/16a-syscall-policies.md", make: refresh },
];

function main(check: boolean): void {
  const stale = GENERATED.filter(({ path, make }) => {
    const file = fileURLToPath(new URL(`../${path}`, import.meta.url));
    const present = existsSync(file) ? readFileSync(file, "utf8") : "";
    const wanted = make(present);
    if (wanted === present) return false;
    if (!check) writeFileSync(file, wanted);
    return true;
  });
  for (const { path } of stale) console.log(check ? `${path} is not up to date: npm run generate` : `wrote ${path}`);
  if (check && stale.length > 0) process.exitCode = 1;
}

if (import.meta.main) main(process.argv.includes("--check"));

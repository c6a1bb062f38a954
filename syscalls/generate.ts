/**
 * Writes what is derived from the tables: guest bindings, the tables in `specs/16*` and `18`, and the skeleton of the test of all
 * outcomes. `--check` writes nothing and exits 1 when a file is not up to date.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { CallFuel, Parameter } from "../vm/declaration.ts";
import { TRAP_MESSAGES, TrapCode } from "../vm/trap.ts";
import { assemblyScriptBindings } from "./bindings/assemblyscript.ts";
import { cBindings } from "./bindings/c.ts";
import { hostInterface, isPacked, resultBlock } from "./bindings/interface.ts";
import { rustBindings } from "./bindings/rust.ts";
import { outcomeSkeleton } from "./outcomes.ts";
import { STATUS_MESSAGES, Status, type StatusName } from "./status.ts";
import { OpenFlag, SYSCALLS, type Syscall, type SyscallParameter } from "./table.ts";
import { ERRNO_OF_STATUS, Errno } from "./wasi/errno.ts";
import { WASI_FUNCTIONS } from "./wasi/table.ts";

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
      hostInterface().kinds.map(({ id, name, create, read, update, destroy }) => [
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
      hostInterface().rows.map((row) => [
        `\`${row.module}.${row.name}\``,
        row.capability,
        fuelText(row.fuel, row.params),
        row.mayFree ? "yes" : "no",
        row.statuses.join(" "),
        row.traps.join(" "),
      ]),
    ),
  signatures: () => SYSCALLS.map(signature).join("\n"),
  errnos: () =>
    table(
      ["status", "errno", "number"],
      Object.entries(ERRNO_OF_STATUS).map(([status, errno]) => [`\`${status}\``, errno, `${Errno[errno]}`]),
    ),
  wasi: () =>
    table(
      ["function", "fuel", "syscalls", "errnos"],
      WASI_FUNCTIONS.map(({ row, syscalls, errnos }) => [
        `\`${row.name}\``,
        fuelText(row.fuel, row.params),
        syscalls.join(" "),
        errnos.join(" "),
      ]),
    ),
};

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function fuelText(fuel: CallFuel, params: readonly Parameter[]): string {
  if (typeof fuel === "number") return `${fuel}`;
  const { name } = params[fuel.lengthArgument]!;
  return `${fuel.base} + ${fuel.perByte < 1 ? `${name} / ${1 / fuel.perByte}` : `${name} × ${fuel.perByte}`}`;
}

function typeText({ type, nullable }: SyscallParameter): string {
  return typeof type === "object" ? `ref ${type.ref}${nullable ? "|null" : ""}` : type;
}

function signature(row: Syscall): string {
  const list = (items: readonly SyscallParameter[]): string =>
    items.map((item) => `${item.name}: ${typeText(item)}`).join(", ");
  const block = isPacked(row) ? ` \`${row.name}_p\`: ${resultBlock(row).size} bytes of results.` : "";
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
  { path: "syscalls/bindings/assemblyscript/syscalls.ts", make: () => assemblyScriptBindings() },
  { path: "syscalls/bindings/c/ashlar_syscalls.h", make: () => cBindings() },
  { path: "syscalls/bindings/rust/syscalls.rs", make: () => rustBindings() },
  { path: "test/syscalls/outcomes.generated.ts", make: () => outcomeSkeleton() },
  { path: "specs/16-host-abi-and-syscalls.md", make: refresh },
  { path: "specs/16a-syscall-policies.md", make: refresh },
  { path: "specs/18-wasi.md", make: refresh },
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

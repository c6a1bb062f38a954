/** The steps of `escapes.ts` as syscalls. */
import { Status, statusName } from "../../syscalls/status.ts";
import { OpenFlag, TimesFlag } from "../../syscalls/table.ts";
import { type Driver, NULL_REF, type Ref } from "../conformance/driver.ts";
import type { Step, StepName } from "./escapes.ts";
import { SECRET, type World } from "./worlds.ts";

const { READ, WRITE, CREATE, EXCLUSIVE, TRUNCATE, APPEND, DIRECTORY, NOFOLLOW } = OpenFlag;
const { ACCESSED, MODIFIED } = TimesFlag;

export type Path = string | Uint8Array;

/** Makes the call of a step and tells its answer. */
export type Attacker = (call: StepName, args: readonly Path[]) => string;

/** The arguments and the answers of a step. `outside`: what `@` stands for. */
export function readStep([call, ...rest]: Step, outside: string): { call: StepName; args: Path[]; answers: string[] } {
  const place = (path: Path): Path => (typeof path === "string" ? path.replace("@", outside) : path);
  const answers = String(rest.at(-1)).split("|");
  return { call, args: rest.slice(0, -1).map(place), answers };
}

/** What an attacker is answered in a world, a line a step, and what is wrong with it. */
export function attackIn(
  world: World,
  steps: readonly Step[],
  call: Attacker,
): { readonly told: readonly string[]; readonly wrong: readonly string[] } {
  const before = world.untouched();
  const told: string[] = [];
  const wrong: string[] = [];
  for (const step of steps) {
    const { call: name, args, answers } = readStep(step, world.outside);
    const answer = call(name, args);
    const line = `${name} ${args.join(" ").replaceAll(world.outside, "@")}: ${answer}`;
    told.push(line);
    if (!answers.includes(answer) || answer.includes(SECRET)) wrong.push(`${line}, not ${answers.join("|")}`);
  }
  if (world.untouched() !== before) wrong.push("what is outside, or read-only, was touched");
  return { told, wrong };
}

/** A directory's path and the path behind `>`. */
export function splitPath(path: Path): readonly [directory: string | undefined, path: Path] {
  if (typeof path !== "string" || !path.includes(">")) return [undefined, path];
  const [directory, rest] = path.split(">") as [string, string];
  return [directory, rest];
}

export function syscallAttacker(guest: Driver): Attacker {
  /** Opens the directories that the paths begin at, for one call. */
  const at = (paths: readonly Path[], use: (...places: [Path, Ref][]) => string): string => {
    const handles: Ref[] = [];
    const places = paths.map((whole): [Path, Ref] => {
      const [directory, path] = splitPath(whole);
      if (directory === undefined) return [path, NULL_REF];
      handles.push(guest.handle(directory, DIRECTORY));
      return [path, handles.at(-1)!];
    });
    const answer = use(...places);
    for (const handle of handles) guest.close(handle);
    return answer;
  };
  const told = (status: number): string => statusName(status) ?? `${status}`;
  const opened = (path: Path, flags: number, use: (handle: Ref) => string): string =>
    at([path], ([path, dir]) => {
      const { status, handle } = guest.open(path, flags, dir);
      if (status !== Status.OK) return told(status);
      const answer = use(handle);
      guest.close(handle);
      return answer;
    });
  const read = (path: Path, flags: number): string =>
    opened(path, flags, (handle) => {
      const { status, text } = guest.read(handle, 0, 100);
      return status === Status.OK ? `OK ${text}` : told(status);
    });
  const write = (path: Path, flags: number, text: string): string =>
    opened(path, flags, (handle) => told(guest.write(handle, -1, text).status));
  const stat = (path: Path, flags: number): string =>
    at([path], ([path, dir]) => {
      const { status, kind, bytes, links } = guest.stat(path, flags, dir);
      return status === Status.OK ? `OK ${kind} ${bytes} ${links}` : told(status);
    });
  const times = (path: Path, flags: number): string =>
    at([path], ([path, dir]) => told(guest.setTimes(path, flags | ACCESSED | MODIFIED, 3n, 4n, dir)));
  const timesOf = (handle: Ref): string => told(guest.setTimes("", ACCESSED | MODIFIED, 3n, 4n, handle));

  const calls: { readonly [name in StepName]: (path: Path, second: Path) => string } = {
    read: (path) => read(path, READ),
    readNoFollow: (path) => read(path, READ | NOFOLLOW),
    write: (path) => write(path, WRITE, "evil"),
    append: (path) => write(path, WRITE | APPEND, "evil"),
    truncate: (path) => opened(path, WRITE | TRUNCATE, () => "OK"),
    create: (path) => write(path, WRITE | CREATE, "made"),
    exclusive: (path) => write(path, WRITE | CREATE | EXCLUSIVE, "made"),
    list: (path) =>
      opened(path, DIRECTORY, (handle) => {
        const { status, entries } = guest.list(handle, 0, 1000);
        return status === Status.OK ? ["OK", ...entries.map(({ name }) => name)].join(" ") : told(status);
      }),
    stat: (path) => stat(path, 0),
    lstat: (path) => stat(path, NOFOLLOW),
    times: (path) => times(path, 0),
    ltimes: (path) => times(path, NOFOLLOW),
    mkdir: (path) => at([path], (place) => told(guest.mkdir(...place))),
    rmdir: (path) => at([path], (place) => told(guest.rmdir(...place))),
    unlink: (path) => at([path], (place) => told(guest.unlink(...place))),
    rename: (path, second) =>
      at([path, second], ([from, dir], [to, newDir]) => told(guest.rename(from, to, dir, newDir))),
    link: (path, second) => at([path, second], ([from, dir], [to, newDir]) => told(guest.link(from, to, dir, newDir))),
    symlink: (target, path) => at([path], ([path, dir]) => told(guest.symlink(target, path, dir))),
    readlink: (path) =>
      at([path], ([path, dir]) => {
        const { status, target } = guest.readlink(path, 4096, dir);
        return status === Status.OK ? `OK ${target}` : told(status);
      }),
    writeOpen: (path) => write(path, READ, "evil"),
    truncateOpen: (path) => opened(path, READ, (handle) => told(guest.truncate(handle, 0))),
    timesOpen: (path) => opened(path, READ, timesOf),
    timesOpenDirectory: (path) => opened(path, DIRECTORY, timesOf),
  };
  return (call, [path, second]) => calls[call](path!, second!);
}

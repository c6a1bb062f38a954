/** The steps of `escapes.ts` as calls of WASI; errnos are told as the statuses that they stand for. */
import { ERRNO_OF_STATUS, Errno, errnoName } from "../../syscalls/wasi/errno.ts";
import { WASI_MODULE } from "../../syscalls/wasi/table.ts";
import { type Driver, type Ref, wide } from "../conformance/driver.ts";
import { type Attacker, type Path, splitPath } from "./attacker.ts";
import type { StepName } from "./escapes.ts";

/** Preopened directories: the mounts of a world, in their order. */
const PREOPENED: readonly string[] = ["rw", "ro", "view"];
const FIRST = 3;
const READS = 0x2;
const WRITES = 0x40;
const FOLLOW = 1;
const APPEND = 1;
const CREAT = 1;
const DIRECTORY = 2;
const EXCL = 4;
const TRUNC = 8;
const ATIM_MTIM = 5;
const END = 2;
/** Where answers, paths and data lie in the program's memory. */
const OUT = 0x100;
const VECTOR = 0x200;
const PATH = 0x1000;
const SECOND_PATH = 0x8000;
const DATA = 0x10000;

const KINDS: { readonly [filetype: number]: number } = { 4: 1, 3: 2, 7: 3 };

const STATUSES = new Map(Object.entries(ERRNO_OF_STATUS).map(([status, errno]) => [errno as string, status]));

export function wasiAttacker({ call, memory }: Pick<Driver, "memory"> & { call: Driver["call"] }): Attacker {
  const { bytes } = memory;
  const view = new DataView(bytes.buffer);
  /** OK, the status that the errno stands for, or the errno. */
  const did = (name: string, ...words: (number | Ref)[]): string => {
    const { returned } = call(WASI_MODULE, name, ...words);
    if (returned === Errno.SUCCESS) return "OK";
    const errno = errnoName(returned!) ?? `${returned}`;
    return STATUSES.get(errno) ?? errno;
  };
  const told = (answer: string, tell: () => string | number): string => (answer === "OK" ? `OK ${tell()}` : answer);
  const number = (): number => view.getUint32(OUT, true);
  const text = (at: number, length: number): string => Buffer.from(bytes.subarray(at, at + length)).toString();

  /** Puts a text into memory: pointer and length. */
  const put = (path: Path, at: number): [number, number] => {
    const given = typeof path === "string" ? Buffer.from(path) : path;
    bytes.set(given, at);
    return [at, given.length];
  };
  /** The preopened directory that a path from the guest's root belongs to, and the rest of it. */
  const resolve = (path: Path): [fd: number, path: Path] => {
    const given = Buffer.from(typeof path === "string" ? Buffer.from(path) : path).toString("latin1");
    const [, name = "", rest = ""] = /^\/+([^/]+)(?:\/+|$)(.*)$/s.exec(given) ?? [];
    const index = PREOPENED.indexOf(name);
    if (index < 0) return [FIRST, path];
    return [FIRST + index, rest === "" ? "." : Buffer.from(rest, "latin1")];
  };
  const open = (fd: number, path: Path, follow: number, oflags: number, rights: number, fdflags = 0): string =>
    did("path_open", fd, follow, ...put(path, PATH), oflags, wide(rights), wide(0), fdflags, OUT);

  /** Calls `use` with the descriptor and the rest of each path; `>` opens a directory for it. */
  const at = (paths: readonly Path[], use: (...places: [number, Path][]) => string): string => {
    const opened: number[] = [];
    const places = paths.map((whole): [number, Path] => {
      const [directory, path] = splitPath(whole);
      if (directory === undefined) return resolve(whole);
      const answer = open(...resolve(directory), FOLLOW, DIRECTORY, READS);
      if (answer !== "OK") throw new Error(`${directory} cannot be opened: ${answer}`);
      opened.push(number());
      return [number(), path];
    });
    const answer = use(...places);
    for (const fd of opened) did("fd_close", fd);
    return answer;
  };
  interface Way {
    readonly oflags?: number;
    readonly rights?: number;
    readonly fdflags?: number;
    readonly follow?: number;
  }
  const opened = (
    path: Path,
    { oflags = 0, rights = 0, fdflags = 0, follow = FOLLOW }: Way,
    use: (fd: number) => string,
  ) =>
    at([path], ([dir, path]) => {
      const answer = open(dir, path, follow, oflags, rights, fdflags);
      if (answer !== "OK") return answer;
      const fd = number();
      const used = use(fd);
      did("fd_close", fd);
      return used;
    });
  const vector = (length: number): [number, number] => {
    view.setUint32(VECTOR, DATA, true);
    view.setUint32(VECTOR + 4, length, true);
    return [VECTOR, 1];
  };
  const read = (path: Path, follow: number): string =>
    opened(path, { rights: READS, follow }, (fd) =>
      told(did("fd_read", fd, ...vector(100), OUT), () => text(DATA, number())),
    );
  const write = (path: Path, way: Way, contents: string): string =>
    opened(path, { rights: WRITES, ...way }, (fd) => {
      put(contents, DATA);
      did("fd_seek", fd, wide(0), END, OUT);
      return did("fd_write", fd, ...vector(contents.length), OUT);
    });
  const stat = (path: Path, follow: number): string =>
    at([path], ([dir, path]) =>
      told(did("path_filestat_get", dir, follow, ...put(path, PATH), DATA), () => {
        const [kind, links, size] = [
          bytes[DATA + 16]!,
          view.getUint32(DATA + 24, true),
          view.getUint32(DATA + 32, true),
        ];
        return `${KINDS[kind] ?? 0} ${size} ${links}`;
      }),
    );
  const times = (path: Path, follow: number): string =>
    at([path], ([dir, path]) =>
      did("path_filestat_set_times", dir, follow, ...put(path, PATH), wide(3), wide(4), ATIM_MTIM),
    );
  const timesOf = (fd: number): string => did("fd_filestat_set_times", fd, wide(3), wide(4), ATIM_MTIM);
  const one = (name: string) => (path: Path) => at([path], ([dir, path]) => did(name, dir, ...put(path, PATH)));
  const list = (fd: number): string =>
    told(did("fd_readdir", fd, DATA, 65_536, wide(0), OUT), () => {
      const names: string[] = [];
      for (let entry = DATA; entry < DATA + number(); ) {
        const length = view.getUint32(entry + 16, true);
        names.push(text(entry + 24, length));
        entry += 24 + length;
      }
      return names.filter((name) => name !== "." && name !== "..").join(" ");
    });

  const calls: { readonly [name in StepName]: (path: Path, second: Path) => string } = {
    read: (path) => read(path, FOLLOW),
    readNoFollow: (path) => read(path, 0),
    write: (path) => write(path, {}, "evil"),
    append: (path) => write(path, { fdflags: APPEND }, "evil"),
    truncate: (path) => opened(path, { oflags: TRUNC, rights: WRITES }, () => "OK"),
    create: (path) => write(path, { oflags: CREAT }, "made"),
    exclusive: (path) => write(path, { oflags: CREAT | EXCL }, "made"),
    list: (path) => opened(path, { oflags: DIRECTORY, rights: READS }, list).trim(),
    stat: (path) => stat(path, FOLLOW),
    lstat: (path) => stat(path, 0),
    times: (path) => times(path, FOLLOW),
    ltimes: (path) => times(path, 0),
    mkdir: one("path_create_directory"),
    rmdir: one("path_remove_directory"),
    unlink: one("path_unlink_file"),
    rename: (path, second) =>
      at([path, second], ([dir, from], [newDir, to]) =>
        did("path_rename", dir, ...put(from, PATH), newDir, ...put(to, SECOND_PATH)),
      ),
    link: (path, second) =>
      at([path, second], ([dir, from], [newDir, to]) =>
        did("path_link", dir, 0, ...put(from, PATH), newDir, ...put(to, SECOND_PATH)),
      ),
    symlink: (target, path) =>
      at([path], ([dir, path]) => did("path_symlink", ...put(target, SECOND_PATH), dir, ...put(path, PATH))),
    readlink: (path) =>
      at([path], ([dir, path]) =>
        told(did("path_readlink", dir, ...put(path, PATH), DATA, 4096, OUT), () => text(DATA, number())),
      ),
    writeOpen: (path) =>
      opened(path, { rights: READS }, (fd) => did("fd_write", fd, ...vector(4), OUT).replace("BADF", "ACCESS")),
    truncateOpen: (path) =>
      opened(path, { rights: READS }, (fd) => did("fd_filestat_set_size", fd, wide(0)).replace("BADF", "ACCESS")),
    timesOpen: (path) => opened(path, { rights: READS }, timesOf),
    timesOpenDirectory: (path) => opened(path, { oflags: DIRECTORY }, timesOf),
  };
  return (name, [path, second]) => calls[name](path!, second!);
}

/** `fs.read`, `write`, `size`, `truncate` and `sync`: bytes, holes, ends and what a failed call leaves. */
import { Status } from "../../../syscalls/status.ts";
import { OpenFlag } from "../../../syscalls/table.ts";
import type { Context } from "./context.ts";

const { READ, WRITE, CREATE, TRUNCATE, APPEND, DIRECTORY } = OpenFlag;

export function transferCases({ capabilities, check, change, drive }: Context): void {
  check("[ABI-TRANSFER-4, ABI-TRANSFER-8] reads, short only at the end", (t) => {
    const guest = drive({ f: "0123456789" });
    const file = guest.handle("/f", READ);
    t.same(guest.read(file, 0, 4), { status: 0, bytes: 4, eof: 0, text: "0123" });
    t.same(guest.read(file, 4, 6), { status: 0, bytes: 6, eof: 1, text: "456789" });
    t.same(guest.read(file, 8, 100), { status: 0, bytes: 2, eof: 1, text: "89" });
    t.same(guest.read(file, 9, 0), { status: 0, bytes: 0, eof: 0, text: "" });
    t.same(guest.read(file, 10, 0), { status: 0, bytes: 0, eof: 1, text: "" });
    t.same(guest.read(file, 10, 5), { status: 0, bytes: 0, eof: 1, text: "" });
    for (const offset of [2 ** 31, 2 ** 32, 2 ** 32 + 5, 2 ** 40, 2 ** 53 - 2, 2 ** 53 - 1, 2 ** 62])
      t.same(guest.read(file, offset, 5), { status: 0, bytes: 0, eof: 1, text: "" }, `at ${offset}`);
    t.equal(guest.trap("fs", "read", file, [-1, -1], guest.own, 0, 1), "BadArgument");
    t.equal(guest.size(file), 10);
    t.equal(guest.close(file), 0);
    const empty = drive({ f: "" });
    t.same(empty.read(empty.handle("/f", READ), 0, 9), { status: 0, bytes: 0, eof: 1, text: "" });
  });

  check("[ABI-TRANSFER-4] a read fills its window and nothing beside it", (t) => {
    const guest = drive({ f: "0123456789" });
    const file = guest.handle("/f", READ);
    const window = guest.memory.bytes.subarray(100_000, 100_020);
    window.fill(0xee);
    guest.call("fs", "read", file, [3, 0], guest.own, 100_004, 5);
    t.equal(Buffer.from(window).toString("latin1"), `${"\xee".repeat(4)}34567${"\xee".repeat(11)}`);
    window.fill(0xee);
    guest.call("fs", "read", file, [8, 0], guest.own, 100_000, 20);
    t.equal(Buffer.from(window).toString("latin1"), `89${"\xee".repeat(18)}`);
  });

  check("[ABI-TRANSFER-4] large reads and writes in one call", (t) => {
    const text = Array.from({ length: 20_000 }, (_, k) => `${k}`.padStart(10, "0")).join("");
    const guest = drive({ f: text });
    const whole = guest.read(guest.handle("/f", READ), 0, 200_001);
    t.same([whole.bytes, whole.eof, whole.text === text], [200_000, 1, true]);
    const first = guest.read(guest.handle("/f", READ), 0, 199_999);
    t.same([first.bytes, first.eof, first.text === text.slice(0, -1)], [199_999, 0, true]);
    if (!capabilities.writable) return;
    t.same(guest.write(guest.handle("/g", WRITE | CREATE), 0, text), { status: 0, bytes: 200_000 });
    t.equal(guest.contents("/g") === text, true);
  });

  change("[ABI-TRANSFER-6] writes: whole, anywhere, holes are zero", (t) => {
    const guest = drive({ f: "0123456789" });
    const file = guest.handle("/f", READ | WRITE);
    t.same(guest.write(file, 2, "ab"), { status: 0, bytes: 2 });
    t.equal(guest.contents("/f"), "01ab456789");
    t.same(guest.write(file, 9, "xyz"), { status: 0, bytes: 3 });
    t.equal(guest.size(file), 12);
    t.same(guest.write(file, 15, "!"), { status: 0, bytes: 1 });
    t.equal(guest.contents("/f"), "01ab45678xyz\0\0\0!");
    t.same(guest.write(file, 100, ""), { status: 0, bytes: 0 });
    t.equal(guest.size(file), 16);
    t.same(guest.read(file, 14, 10), { status: 0, bytes: 2, eof: 1, text: "\0!" });
    t.same(guest.write(file, 2 ** 53 - 1, "x"), { status: Status.TOO_LARGE, bytes: 0 });
    t.same(guest.write(file, 2 ** 62, "x"), { status: Status.TOO_LARGE, bytes: 0 });
    t.same(guest.write(file, 0, "\0\xff\x80"), { status: 0, bytes: 3 });
    t.equal(guest.contents("/f"), "\0\xff\x80b45678xyz\0\0\0!");
    t.equal(guest.size(file), 16);
  });

  change("[ABI-TRANSFER-6, ABI-TRANSFER-9] far places: there, or refused as a whole", (t) => {
    // How long a file can be is the file system's own affair; none of these fits into memory.
    const refusals: readonly number[] = [Status.TOO_LARGE, Status.QUOTA, Status.NO_SPACE];
    const guest = drive({ f: "text" });
    const file = guest.handle("/f", READ | WRITE);
    for (const place of [2 ** 32, 2 ** 33, 2 ** 40, 2 ** 52, 2 ** 53 - 2]) {
      const { status, bytes } = guest.write(file, place, "x");
      if (status === 0) {
        t.same([bytes, guest.size(file)], [1, place + 1], `at ${place}`);
        t.same(guest.read(file, place - 2, 5), { status: 0, bytes: 3, eof: 1, text: "\0\0x" }, `at ${place}`);
        t.equal(guest.truncate(file, 4), 0);
      } else t.same([refusals.includes(status), bytes, guest.size(file)], [true, 0, 4], `at ${place}: ${status}`);
      const longer = guest.truncate(file, place);
      if (longer === 0) t.same([guest.size(file), guest.truncate(file, 4)], [place, 0], `of ${place}`);
      else t.same([refusals.includes(longer), guest.size(file)], [true, 4], `of ${place}: ${longer}`);
    }
    t.equal(guest.contents("/f"), "text");
  });

  change("[ABI-TRANSFER-3] a write at -1 appends, whatever others have written", (t) => {
    const guest = drive({ f: "one" });
    const file = guest.handle("/f", READ | WRITE);
    const other = guest.handle("/f", WRITE);
    t.same(guest.write(file, -1, "two"), { status: 0, bytes: 3 });
    t.same(guest.write(other, -1, "three"), { status: 0, bytes: 5 });
    t.same(guest.write(file, -1, "four"), { status: 0, bytes: 4 });
    t.same(guest.write(file, 0, "O"), { status: 0, bytes: 1 });
    t.same(guest.write(file, -1, ""), { status: 0, bytes: 0 });
    t.equal(guest.contents("/f"), "Onetwothreefour");
    const fresh = guest.handle("/g", WRITE | CREATE);
    t.same(guest.write(fresh, -1, "first"), { status: 0, bytes: 5 });
    t.equal(guest.contents("/g"), "first");
  });

  change("[ABI-TRANSFER-3] files opened to append", (t) => {
    const guest = drive({ log: "one" });
    const log = guest.handle("/log", WRITE | APPEND);
    t.same(guest.write(log, -1, "two"), { status: 0, bytes: 3 });
    t.same(guest.write(guest.handle("/log", WRITE), 6, "three"), { status: 0, bytes: 5 });
    t.same(guest.write(log, -1, "four"), { status: 0, bytes: 4 });
    t.equal(guest.contents("/log"), "onetwothreefour");
    for (const offset of [0, 15, 2 ** 40])
      t.same(guest.write(log, offset, "no"), { status: Status.INVALID, bytes: 0 }, `at ${offset}`);
    t.equal(guest.contents("/log"), "onetwothreefour");
    t.equal(guest.truncate(log, 3), 0);
    t.same(guest.write(log, -1, "!"), { status: 0, bytes: 1 });
    t.equal(guest.contents("/log"), "one!");
    const fresh = guest.handle("/fresh", WRITE | CREATE | APPEND);
    t.same(guest.write(fresh, -1, "a"), { status: 0, bytes: 1 });
    t.equal(guest.contents("/fresh"), "a");
    const emptied = guest.handle("/log", WRITE | APPEND | TRUNCATE);
    t.same(guest.write(emptied, -1, "new"), { status: 0, bytes: 3 });
    t.equal(guest.contents("/log"), "new");
  });

  change("[ABI-TRANSFER-7] handles allow what they were opened for", (t) => {
    const guest = drive({ f: "text" });
    t.same(guest.write(guest.handle("/f", READ), 0, "x"), { status: Status.ACCESS, bytes: 0 });
    t.same(guest.write(guest.handle("/f", READ), -1, "x"), { status: Status.ACCESS, bytes: 0 });
    t.equal(guest.truncate(guest.handle("/f", READ), 0), Status.ACCESS);
    t.same(guest.read(guest.handle("/f", WRITE), 0, 4), { status: Status.ACCESS, bytes: 0, eof: 0, text: "" });
    t.same(guest.read(guest.handle("/f", WRITE | APPEND), -1, 4), {
      status: Status.ACCESS,
      bytes: 0,
      eof: 0,
      text: "",
    });
    t.equal(guest.size(guest.handle("/f", WRITE)), 4);
    t.equal(guest.size(guest.handle("/f", WRITE | APPEND)), 4);
    t.equal(guest.contents("/f"), "text");
  });

  check("[ABI-TRANSFER-7] a handle that only reads changes nothing", (t) => {
    const guest = drive({ f: "text" });
    const file = guest.handle("/f", READ);
    t.same(guest.write(file, 0, "x"), { status: Status.ACCESS, bytes: 0 });
    t.same(guest.write(file, 0, ""), { status: Status.ACCESS, bytes: 0 });
    t.equal(guest.truncate(file, 4), Status.ACCESS);
    t.equal(guest.contents("/f"), "text");
  });

  change("[ABI-TRANSFER-9] shorter, longer by zeroes, and what lay behind the end is gone", (t) => {
    const guest = drive({ f: "0123456789" });
    const file = guest.handle("/f", READ | WRITE);
    t.equal(guest.truncate(file, 4), 0);
    t.equal(guest.contents("/f"), "0123");
    t.equal(guest.truncate(file, 4), 0);
    t.equal(guest.truncate(file, 7), 0);
    t.equal(guest.contents("/f"), "0123\0\0\0");
    t.equal(guest.size(file), 7);
    t.same(guest.read(file, 6, 5), { status: 0, bytes: 1, eof: 1, text: "\0" });
    t.equal(guest.truncate(file, 0), 0);
    t.equal(guest.contents("/f"), "");
    t.equal(guest.truncate(file, 100_000), 0);
    t.equal(guest.contents("/f"), "\0".repeat(100_000));
    t.equal(guest.truncate(file, 2), 0);
    t.same(guest.write(file, 5, "x"), { status: 0, bytes: 1 });
    t.equal(guest.contents("/f"), "\0\0\0\0\0x");
  });

  change("[ABI-TRANSFER-9] lengths that no file has", (t) => {
    const guest = drive({ f: "text" });
    const file = guest.handle("/f", READ | WRITE);
    for (const bytes of [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n])
      t.equal(guest.truncate(file, bytes), Status.TOO_LARGE, `${bytes}`);
    t.equal(guest.size(file), 4);
    t.equal(guest.contents("/f"), "text");
  });

  check("[ABI-TRANSFER-10] sync of files and directories", (t) => {
    const guest = drive({ "d/f": "text" });
    t.equal(guest.sync(guest.handle("/d/f", READ)), 0);
    t.equal(guest.sync(guest.handle("/d", DIRECTORY)), 0);
    if (!capabilities.writable) return;
    const file = guest.handle("/d/f", WRITE);
    guest.write(file, 4, "!");
    t.equal(guest.sync(file), 0);
    guest.unlink("/d/f");
    t.equal(guest.sync(file), 0);
  });

  check("[ABI-WINDOW-1] windows at the end of an object, and one past it", (t) => {
    const guest = drive({ f: "0123456789" });
    const file = guest.handle("/f", READ);
    const end = guest.memory.bytes.length;
    t.same(guest.call("fs", "read", file, [0, 0], guest.own, end - 3, 3).results, [0, 3, 0]);
    t.same(guest.call("fs", "read", file, [0, 0], guest.own, end, 0).results, [0, 0, 0]);
    t.equal(guest.trap("fs", "read", file, [0, 0], guest.own, end - 3, 4), "HeapWindow");
    t.equal(guest.trap("fs", "read", file, [0, 0], guest.own, end + 1, 0), "HeapWindow");
    t.equal(guest.trap("fs", "read", file, [0, 0], guest.own, -1, 2), "HeapWindow");
    t.equal(guest.trap("fs", "read", file, [0, 0], guest.own, 1, -1), "HeapWindow");
  });
}

/** `--profile`: where fuel went, as folded stacks or as a page with a flame graph (spec 81-profile). */
import type { ProfileRow } from "../../vm/fuel-profile.ts";
import { cannotWrite } from "./files.ts";
import { profilePage } from "./profile-page.ts";
import { readableName } from "./rust-names.ts";
import { plain, writeFully } from "./terminal.ts";

/** Characters gathered before they are written. */
const CHUNK = 65_536;

export interface ProfileFile {
  /** Open for writing. */
  readonly fd: number;
  /** True for the page, else folded stacks. */
  readonly isPage: boolean;
}

/** Writes the profile of `module` to each of the open files. Throws CLI-PROFILE. */
export function writeProfiles(files: readonly ProfileFile[], rows: readonly ProfileRow[], module: string): void {
  for (const { fd, isPage } of files) {
    try {
      let text = "";
      for (const piece of isPage ? profilePage(rows, module) : foldedStacks(rows)) {
        text += piece;
        if (text.length < CHUNK) continue;
        writeFully(fd, Buffer.from(text));
        text = "";
      }
      writeFully(fd, Buffer.from(text));
    } catch (error) {
      throw cannotWrite("CLI-PROFILE", "profile", error);
    }
  }
}

/** A line for each stack that charged fuel itself: its frames, outermost first, and the fuel (spec PROFILE-FOLDED-1). */
export function* foldedStacks(rows: readonly ProfileRow[]): Generator<string> {
  const stack: string[] = [];
  for (const { depth, name, fuel } of rows) {
    stack.length = depth - 1;
    stack.push(plain(readableName(name)).replaceAll(";", "\\u{3b}"));
    if (fuel > 0) yield `${stack.join(";")} ${fuel}\n`;
  }
}

/** Which names of assets are names of files everywhere (spec TOOL-PORTABLE-1): packing warns of others, extracting refuses them. */

/** Names of devices of Windows, whatever stands behind a dot; the superscript digits count as digits there. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:\..*)?$/i;
const RESERVED = /[<>:"|?*]/;

/** What keeps an allowed name of an asset from being that of a file on some system; undefined when nothing does. */
export function portableProblem(name: string): string | undefined {
  for (const part of name.split("/")) {
    if (DEVICE.test(part)) return `${JSON.stringify(part)} is a device on Windows`;
    const reserved = RESERVED.exec(part)?.[0];
    if (reserved !== undefined) return `on Windows no name of a file has ${JSON.stringify(reserved)} in it`;
    if (/[. ]$/.test(part))
      return `on Windows no name of a file ends in a dot or a space, as ${JSON.stringify(part)} does`;
  }
  return undefined;
}

/** Two names that cannot be files of one folder everywhere. */
export interface Clash {
  /** Indices of the names; `first` is the smaller. */
  readonly first: number;
  readonly second: number;
  readonly message: string;
}

/** Names that are one file where upper and lower case are one, and names of files that others need as a folder. */
export function clashesOf(names: readonly string[]): readonly Clash[] {
  const files = new Map<string, number>();
  const clashes: Clash[] = [];
  const add = (one: number, other: number, what: string): void => {
    const first = Math.min(one, other);
    const second = Math.max(one, other);
    const message = `${JSON.stringify(names[first])} and ${JSON.stringify(names[second])} ${what}`;
    clashes.push({ first, second, message });
  };
  for (const [index, name] of names.entries()) {
    const key = caseFolded(name);
    const before = files.get(key);
    if (before === undefined) files.set(key, index);
    else add(before, index, "are one file where upper and lower case are one");
  }
  for (const [index, name] of names.entries()) {
    const key = caseFolded(name);
    for (let at = key.indexOf("/"); at >= 0; at = key.indexOf("/", at + 1)) {
      const file = files.get(key.slice(0, at));
      if (file === undefined) continue;
      add(file, index, "cannot both be there: the one is a folder of the other");
      break;
    }
  }
  return clashes;
}

/** What names have in common that differ in case only. Upper case first: what has no single letter there (the German sharp s) is as its replacement. */
function caseFolded(name: string): string {
  return name.toUpperCase().toLowerCase().normalize("NFC");
}

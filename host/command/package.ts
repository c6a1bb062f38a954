/** The package's own files. */
import { readFileSync } from "node:fs";

/** Where the nearest manifest above this file is that names the package: the code runs from its sources and from `dist`. */
export function packageRoot(): { readonly url: URL; readonly version: string } {
  for (let up = ".."; ; up += "/..") {
    const url = new URL(`${up}/`, import.meta.url);
    try {
      const { name, version } = JSON.parse(readFileSync(new URL("package.json", url), "utf8"));
      if (name === "ashlar") return { url, version };
    } catch (error) {
      if (up.length > 30) throw error;
    }
  }
}

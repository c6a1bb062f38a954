/** For typedoc: names modules as they are imported, `ashlar/store` for `host/asl`. */
import { readFileSync } from "node:fs";
import { Converter } from "typedoc";

const { name, exports } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
const NAMES = Object.fromEntries(
  Object.entries(exports)
    .filter(([, { types }]) => types !== undefined)
    .map(([path, { types }]) => [types.replace(/^\.\/dist\/|(\/index)?\.d\.ts$/g, ""), `${name}${path.slice(1)}`]),
);

export function load(application) {
  application.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.children ?? []) module.name = NAMES[module.name] ?? module.name;
  });
}

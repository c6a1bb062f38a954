/** Settings of an importer: every one is looked at, and one that nobody knows is an error (spec TOOL-IMPORT-2). */
import { PackError } from "../../host/assets/errors.ts";
import { type Json, type JsonObject, pointerStep } from "../../host/assets/json.ts";

/** The error for a setting. `pointer` is into the settings. */
function wrongSetting(pointer: string, message: string): PackError {
  return new PackError("PACK-CONFIG", message, { pointer });
}

/** Reads settings one by one; {@link Settings.end} refuses the rest. */
export class Settings {
  readonly #all: JsonObject;
  readonly #known = new Set<string>();

  constructor(all: JsonObject) {
    this.#all = all;
  }

  /** Undefined when it is not set. */
  value(name: string): Json | undefined {
    this.#known.add(name);
    return Object.hasOwn(this.#all, name) ? this.#all[name] : undefined;
  }

  integer(name: string, least: number, most: number): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
    throw this.wrong(name, `must be an integer from ${least} to ${most}`);
  }

  boolean(name: string): boolean | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === "boolean") return value;
    throw this.wrong(name, "must be true or false");
  }

  choice<const Choice extends string | number>(name: string, choices: readonly Choice[]): Choice | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    const chosen = choices.find((choice) => choice === value);
    if (chosen !== undefined) return chosen;
    throw this.wrong(name, `must be ${choices.map((choice) => JSON.stringify(choice)).join(" or ")}`);
  }

  /** The error for the setting `name`. */
  wrong(name: string, expected: string): PackError {
    const shown = JSON.stringify(this.#all[name]) ?? "nothing";
    const value = shown.length > 60 ? `${shown.slice(0, 60)}…` : shown;
    return wrongSetting(pointerStep(name), `${JSON.stringify(name)} ${expected}, not ${value}`);
  }

  /** Throws when there is a setting that was not asked for. */
  end(): void {
    for (const name of Object.keys(this.#all)) {
      if (this.#known.has(name)) continue;
      const known = [...this.#known].sort().map((key) => JSON.stringify(key));
      const expected = known.length === 0 ? "this importer has none" : `known are ${known.join(", ")}`;
      throw wrongSetting(pointerStep(name), `there is no setting ${JSON.stringify(name)}: ${expected}`);
    }
  }
}

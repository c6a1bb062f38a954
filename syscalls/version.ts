/** The custom section by which a guest says which version of the ABI it was built for (spec ABI-VERSION-2). */
import { Reader } from "../vm/bytecode/reader.ts";
import type { ModuleStructure } from "../vm/bytecode/structure.ts";
import { DecodeError, LinkError } from "../vm/errors.ts";
import { ABI_VERSION } from "./table.ts";

export const ABI_SECTION = "ashlar.abi";

/** Throws a LinkError unless this host speaks the version that the module was built for. A module that does not say: 1. */
export function checkAbiVersion(structure: Pick<ModuleStructure, "bytes" | "customs">): void {
  const sections = structure.customs.filter(({ name }) => name === ABI_SECTION);
  const section = sections[0];
  if (section === undefined) return;
  if (sections.length > 1) throw refused("the section is there more than once");
  const version = readVersion(structure.bytes, section.start, section.end);
  if (version === undefined) throw refused("the section is not one version number in LEB128");
  if (version !== ABI_VERSION)
    throw refused(
      `the module was built for version ${version} of the host ABI; this host speaks version ${ABI_VERSION}`,
    );
}

function readVersion(bytes: Uint8Array, start: number, end: number): number | undefined {
  try {
    const reader = new Reader(bytes, start, end);
    const version = reader.readU32();
    return reader.position === end ? version : undefined;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function refused(message: string): LinkError {
  return new LinkError(ABI_SECTION, "version", message);
}

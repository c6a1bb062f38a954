/** What is found of receipts (spec PER-VERIFY-3, PER-VERIFY-4). */
import type { ArtifactKey } from "../asl/index.ts";
import { type NodeClaim, type RunClaim, VERSIONS } from "./claim.ts";
import type { Node } from "./program.ts";
import type { ReadReceipt } from "./provenance.ts";

/** `differs`: a receipt says what is not so. `unverifiable`: nothing of that kind was found, and something could not be run again. */
export type Verdict = "verified" | "differs" | "unverifiable";

export interface Finding {
  /**
   * `differs`: the receipt says what is not so. `version`: a program of another version made it, which is no fault of its. `missing`: what it takes
   * to run it again is not in the store. `damaged`: the store has that, and it is not what it was.
   */
  readonly type: "differs" | "version" | "missing" | "damaged";
  /** Whose it is. */
  readonly receipt: ArtifactKey;
  /** Of a run: canonical index of the first node that it is about. */
  readonly node: number | undefined;
  readonly op: Node["op"] | undefined;
  /** What of the receipt it is: `outcome`, `outputs`, `tag`, `order`, `fuel`, `trace`, `claims`, `inputs`, `program`, `module`, `version` or `receipt`. */
  readonly field: string;
  readonly output: { readonly index: number; readonly name: string | undefined } | undefined;
  /** Of the first byte of that output that differs. */
  readonly offset: number | undefined;
  /** What the receipt says, and what is so. */
  readonly recorded: string;
  readonly actual: string;
  readonly message: string;
}

/** Most findings that are told. */
export const MOST_FINDINGS = 100;

/** What a finding tells beside what most have not. */
export type Told = Pick<Finding, "type" | "receipt" | "field" | "message"> & Partial<Finding>;

/** The same, whosever it is. */
export type Problem = Omit<Told, "receipt">;

export function findingOf(told: Told): Finding {
  return {
    node: undefined,
    op: undefined,
    output: undefined,
    offset: undefined,
    recorded: "",
    actual: "",
    ...told,
  };
}

/** What was found, of which the first are kept. */
export class Findings {
  readonly first: Finding[] = [];
  total = 0;
  /** Whose they are. */
  readonly receipts: Set<ArtifactKey> = new Set();
  #differs = false;

  add(finding: Finding): void {
    this.total++;
    this.receipts.add(finding.receipt);
    this.#differs ||= finding.type === "differs";
    if (this.first.length < MOST_FINDINGS) this.first.push(finding);
  }
  get verdict(): Verdict {
    return this.#differs ? "differs" : this.total > 0 ? "unverifiable" : "verified";
  }
}

/** What is wrong with a receipt that cannot be read. */
export function unread(
  key: ArtifactKey,
  { problem: type = "damaged", message = "" }: Omit<ReadReceipt, "claim"> & { readonly message?: string },
): Finding {
  return findingOf({ type, receipt: key, field: type === "version" ? "version" : "receipt", message });
}

/** What is wrong with a receipt that another version has made. */
export function versionFinding(receipt: ArtifactKey, claim: NodeClaim | RunClaim): Finding | undefined {
  for (const [field, what] of [
    ["abi", "version of the host ABI"],
    ["fuelSchedule", "fuel schedule"],
    ["compiler", "version of the PEL compiler"],
  ] as const)
    if (claim[field] !== VERSIONS[field])
      return findingOf({
        type: "version",
        receipt,
        field: "version",
        recorded: String(claim[field]),
        actual: String(VERSIONS[field]),
        message: `it cannot be verified by this program: the ${what} is ${claim[field]}, and this program's is ${VERSIONS[field]}`,
      });
  return undefined;
}

/** The values of `--dir`: which folder of the host a guest sees where. */
import { usageError } from "./failure.ts";
import type { Grant } from "./run-messages.ts";

const HINT = "Write --dir HOST::GUEST or --dir HOST::GUEST:ro, as in --dir ./texts::/texts:ro";

/** `HOST::GUEST[:ro]`, or `HOST[:ro]` for a folder that the guest sees under the same path. Throws a usage error. */
export function parseGrant(text: string): Grant {
  const readOnly = text.endsWith(":ro");
  const paths = readOnly ? text.slice(0, -3) : text;
  const at = paths.lastIndexOf("::");
  const host = at < 0 ? paths : paths.slice(0, at);
  const guest = at < 0 ? samePath(host) : paths.slice(at + 2);
  if (host === "" || guest === "")
    throw usageError(`--dir ${text} lacks the ${host === "" ? "host's" : "guest's"} folder.`, HINT);
  if (!guest.startsWith("/")) throw usageError(`--dir ${text}: the guest's path must begin with "/".`, HINT);
  if (guest.split("/").includes("..")) throw usageError(`--dir ${text}: the guest's path must not hold "..".`, HINT);
  return { host, guest, readOnly };
}

function samePath(host: string): string {
  if (host === "" || host.startsWith("/")) return host;
  if (/\\|^[a-z]:/i.test(host) || host.split("/").includes(".."))
    throw usageError(`--dir ${host}: the guest cannot see it under this path.`, HINT);
  return `/${host}`;
}

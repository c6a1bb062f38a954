/** The host ABI: its table, and the dispatcher that turns the table and an implementation into imports. */
export type { Call, HostFunctions, Implementation, SyscallBody, TransferHandle } from "./dispatch.ts";
export { hostFunctions } from "./dispatch.ts";
export { Exit } from "./exit.ts";
export { DIR_KIND, FILE_KIND, KINDS, STREAM_KIND } from "./kinds.ts";
export { Panic } from "./panic.ts";
export { STATUS_MESSAGES, Status, type StatusName, statusName } from "./status.ts";
export { ABI_VERSION, OpenFlag, SYSCALLS, type Syscall, type SyscallParameter, syscall, type Window } from "./table.ts";
export { ABI_SECTION, checkAbiVersion } from "./version.ts";

export function processIdentity(pid: number): string | undefined;
export function lockHolder(path: string): number | undefined;
export function tryLock(path: string): number | undefined;
export function unlock(path: string): void;

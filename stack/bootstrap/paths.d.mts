export const ROOT: string;
export const TOOLS: string;
export function toolEnvironment(binFolders?: string[]): NodeJS.ProcessEnv;

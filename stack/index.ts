/** The stack as a library: real servers and processes, started and stopped by tests and tools. */
export { type Stack, startStack } from "./stack.ts";

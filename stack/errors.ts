/** Something the person who runs the stack can mend; its message says how, and is shown without a stack trace. */
export class StackError extends Error {
  override name = "StackError";
}

/** @returns the text in one line of at most so many characters, without what a terminal would take for a command */
export function printable(text: string, lengthMax: number): string {
  const line = text.replace(/[\p{C}\s]+/gu, " ").trim();
  return line.length > lengthMax ? `${line.slice(0, lengthMax - 1)}…` : line;
}

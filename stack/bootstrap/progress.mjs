const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/** How often a terminal's step list is drawn again, and how often a log gets a sign of life, in milliseconds. */
const REDRAW_MS = 80;
const REMINDER_MS = 15_000;

/**
 * The list of set-up steps, as they start, go on and end. A terminal sees it redrawn in place; anything else, such as
 * a CI log, gets a plain line per event.
 */
export class Progress {
  /** @type {{title: string, detail: string, startedAt: number, outcome?: "done" | "failed", endedAt?: number}[]} */
  #steps = [];
  #drawnLines = 0;
  #frame = 0;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  #stream;

  /** @param {NodeJS.WriteStream} stream */
  constructor(stream = process.stderr) {
    this.#stream = stream;
  }

  /**
   * Runs one step and shows it. Steps may run at the same time.
   *
   * @template T
   * @param {string} title
   * @param {(report: (detail: string) => void) => Promise<T>} work `report` replaces the step's progress text
   * @returns {Promise<T>}
   */
  async step(title, work) {
    const step = { title, detail: "", startedAt: Date.now() };
    this.#steps.push(step);
    if (this.#stream.isTTY) this.#timer ??= setInterval(() => this.#draw(), REDRAW_MS);
    else this.#stream.write(`  … ${title}\n`);
    const reminder = this.#stream.isTTY ? undefined : setInterval(() => this.#line("…", step), REMINDER_MS);
    try {
      const result = await work((detail) => {
        step.detail = detail;
      });
      this.#end(step, "done");
      return result;
    } catch (error) {
      this.#end(step, "failed");
      throw error;
    } finally {
      clearInterval(reminder);
    }
  }

  #end(step, outcome) {
    step.outcome = outcome;
    step.endedAt = Date.now();
    step.detail = "";
    if (!this.#stream.isTTY) return this.#line(outcome === "done" ? "✔" : "✖", step);
    this.#draw();
    if (this.#steps.every((other) => other.outcome)) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#steps = [];
      this.#drawnLines = 0;
    }
  }

  #line(mark, step) {
    this.#stream.write(`  ${mark} ${this.#text(step)}\n`);
  }

  #text(step) {
    const seconds = (((step.endedAt ?? Date.now()) - step.startedAt) / 1000).toFixed(1);
    return `${step.title} (${seconds} s)${step.detail ? ` — ${step.detail}` : ""}`;
  }

  #draw() {
    this.#frame = (this.#frame + 1) % FRAMES.length;
    const marks = { done: "\x1b[32m✔\x1b[0m", failed: "\x1b[31m✖\x1b[0m" };
    const widthMax = (this.#stream.columns || 80) - 5;
    const lines = this.#steps.map((step) => {
      const mark = step.outcome ? marks[step.outcome] : `\x1b[36m${FRAMES[this.#frame]}\x1b[0m`;
      return `\x1b[2K  ${mark} ${this.#text(step).slice(0, widthMax)}\n`;
    });
    this.#stream.write((this.#drawnLines ? `\x1b[${this.#drawnLines}A` : "") + lines.join(""));
    this.#drawnLines = lines.length;
  }
}

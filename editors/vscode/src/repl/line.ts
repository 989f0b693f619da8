// The text being typed: one or more lines, a cursor, a history. Knows nothing of terminals.

const WORD_BEFORE = /[^\s()'`,"#]+[\s()'`,"#]*$/;
const WORD_AFTER = /^[\s()'`,"#]*[^\s()'`,"#]+/;

/** The text, where the cursor is in it (UTF-16 units), and what was typed before, newest first. */
export class Line {
  text = '';
  at = 0;
  private killed = '';
  private recalled = -1;
  private draft = '';

  constructor(public history: string[] = []) {}

  /** Put TEXT where the cursor is. */
  insert(text: string): void {
    this.change(this.text.slice(0, this.at) + text + this.text.slice(this.at), this.at + text.length);
  }

  /** Put TEXT in place of what stands from START up to the cursor. */
  replace(start: number, text: string): void {
    this.change(this.text.slice(0, start) + text + this.text.slice(this.at), start + text.length);
  }

  /** Return what was typed, and begin anew; it is the newest of the history unless it is that already. */
  take(): string {
    const { text } = this;
    if (text.trim() !== '' && this.history[0] !== text) {
      this.history.unshift(text);
    }
    this.change('', 0);
    return text;
  }

  /** Forget what was typed. */
  clear(): void {
    this.change('', 0);
  }

  left(): void {
    this.at -= before(this.text, this.at).length;
  }

  right(): void {
    this.at += after(this.text, this.at).length;
  }

  wordLeft(): void {
    this.at -= WORD_BEFORE.exec(this.text.slice(0, this.at))?.[0].length ?? this.at;
  }

  wordRight(): void {
    const rest = this.text.slice(this.at);
    this.at += WORD_AFTER.exec(rest)?.[0].length ?? rest.length;
  }

  home(): void {
    this.at = this.lineStart();
  }

  end(): void {
    this.at = this.lineEnd();
  }

  backspace(): void {
    this.cut(this.at - before(this.text, this.at).length, this.at);
  }

  delete(): void {
    this.cut(this.at, this.at + after(this.text, this.at).length);
  }

  killEnd(): void {
    this.kill(this.at, this.lineEnd() === this.at ? Math.min(this.at + 1, this.text.length) : this.lineEnd());
  }

  killStart(): void {
    this.kill(this.lineStart(), this.at);
  }

  killWord(): void {
    const end = this.at;
    this.wordLeft();
    this.kill(this.at, end);
  }

  yank(): void {
    this.insert(this.killed);
  }

  /** Go a line up; from the first one to what was typed before and begins as what stands here. */
  up(): void {
    const start = this.lineStart();
    if (start === 0) {
      this.recall(1);
    } else {
      const above = lineStart(this.text, start - 1);
      this.at = Math.min(above + this.at - start, start - 1);
    }
  }

  /** Go a line down; from the last one to what was typed later. */
  down(): void {
    const end = this.lineEnd();
    if (end === this.text.length) {
      this.recall(-1);
    } else {
      const next = this.text.indexOf('\n', end + 1);
      this.at = Math.min(end + 1 + this.at - this.lineStart(), next < 0 ? this.text.length : next);
    }
  }

  private recall(step: 1 | -1): void {
    const draft = this.recalled < 0 ? this.text : this.draft;
    let index = this.recalled + step;
    while (index >= 0 && index < this.history.length && !this.history[index]?.startsWith(draft)) {
      index += step;
    }
    if (index < this.history.length && (index >= 0 || this.recalled >= 0)) {
      const text = this.history[index] ?? draft;
      this.change(text, text.length);
      [this.recalled, this.draft] = [Math.max(index, -1), draft];
    }
  }

  private change(text: string, at: number): void {
    [this.text, this.at, this.recalled] = [text, at, -1];
  }

  private cut(start: number, end: number): void {
    this.change(this.text.slice(0, start) + this.text.slice(end), start);
  }

  private kill(start: number, end: number): void {
    this.killed = this.text.slice(start, end);
    this.cut(start, end);
  }

  private lineStart(): number {
    return lineStart(this.text, this.at);
  }

  private lineEnd(): number {
    const end = this.text.indexOf('\n', this.at);
    return end < 0 ? this.text.length : end;
  }
}

function lineStart(text: string, at: number): number {
  return text.slice(0, at).lastIndexOf('\n') + 1;
}

function before(text: string, at: number): string {
  return /(?:[\uD800-\uDBFF][\uDC00-\uDFFF]|[^])$/.exec(text.slice(0, at))?.[0] ?? '';
}

function after(text: string, at: number): string {
  return /^[^]/u.exec(text.slice(at))?.[0] ?? '';
}

// A terminal in which a person types Lisp to something that answers it.
import * as vscode from 'vscode';
import type { Completions } from '../protocol';
import type { Key, KeyName } from './keys';
import { keysOf } from './keys';
import { Line } from './line';
import { cells, Screen } from './screen';

const SHOWN_COMPLETIONS = 100;
const BRACKETED_PASTE = '\x1b[?2004h';
const CLEARED = '\x1b[2J\x1b[3J\x1b[H';

/** What answers the person. */
export interface Partner {
  /** Return what stands before what is typed. */
  prompt(): string;
  /** Return what was typed before, newest first. */
  history(): Promise<string[]>;
  /** Return whether TEXT can be sent, or goes on in a further line. */
  isComplete(text: string): Promise<boolean>;
  /** Return what may stand at OFFSET of TEXT, in UTF-16 units. */
  complete(text: string, offset: number): Promise<Completions | undefined>;
  /** Take TEXT; ends when the next can be typed. */
  send(text: string): Promise<void>;
  /** Stop what TEXT began. */
  interrupt(): Promise<void>;
  closed(): void;
}

type State = 'busy' | 'typing' | 'reading' | 'ended';

export class ReplTerminal implements vscode.Pseudoterminal {
  private readonly written = new vscode.EventEmitter<string>();
  private readonly ended = new vscode.EventEmitter<void>();
  readonly onDidWrite = this.written.event;
  readonly onDidClose = this.ended.event;
  private readonly line = new Line();
  private readonly screen = new Screen();
  private state: State = 'busy';
  private ahead: Key[] = [];
  private handling: Promise<void> = Promise.resolve();
  /** What was printed after the last line feed. */
  private partial = '';
  private question = '';
  private answered: ((text: string) => void) | undefined;
  private isOpen = false;
  private early = '';

  constructor(
    readonly partner: Partner,
    private readonly greeting: string,
  ) {}

  open(dimensions: vscode.TerminalDimensions | undefined): void {
    this.isOpen = true;
    this.screen.columns = dimensions?.columns ?? this.screen.columns;
    this.written.fire(BRACKETED_PASTE);
    this.print(`\x1b[2m${this.greeting}\x1b[0m\n${this.early}`);
    void this.begin();
  }

  close(): void {
    this.answered?.('');
    this.partner.closed();
  }

  /** Say TEXT and take nothing more; any key closes the terminal. */
  end(text: string): void {
    this.say(`\x1b[2m${text}; any key closes this\x1b[0m\n`);
    this.written.fire(this.screen.erase());
    this.state = 'ended';
  }

  setDimensions({ columns }: vscode.TerminalDimensions): void {
    this.screen.columns = columns;
    this.redraw();
  }

  handleInput(data: string): void {
    if (this.state === 'ended') {
      this.ended.fire();
    }
    for (const key of keysOf(data)) {
      if (this.state !== 'typing' && isInterrupt(key)) {
        this.interrupt();
      } else {
        this.handling = this.handling.then(() => this.take(key));
      }
    }
  }

  /** Print TEXT above what is being typed. */
  print(text: string): void {
    if (!this.isOpen) {
      this.early += text;
    } else if (text !== '') {
      const erased = this.isTaking ? this.screen.erase() : '';
      this.partial = (this.partial + text).slice((this.partial + text).lastIndexOf('\n') + 1);
      this.written.fire(erased + text.replace(/\r?\n/g, '\r\n'));
      this.redraw();
    }
  }

  /** Print TEXT in a line of its own. */
  say(text: string): void {
    this.print(this.partial === '' ? text : `\n${text}`);
  }

  /** Return the line that the person types after QUESTION; an empty one when the terminal is closed or it is WITHDRAWN. */
  async read(question: string, withdrawn: vscode.CancellationToken): Promise<string> {
    if (withdrawn.isCancellationRequested) {
      return '';
    }
    this.answered?.('');
    if (this.partial !== '' && question.endsWith(this.partial)) {
      this.written.fire('\r\x1b[0J');
      this.partial = '';
    }
    this.question = question.slice(question.lastIndexOf('\n') + 1);
    this.print(question.slice(0, question.length - this.question.length));
    const answer = new Promise<string>((resolve) => (this.answered = resolve));
    const listening = withdrawn.onCancellationRequested(() => this.stopReading());
    this.goOn('reading');
    return answer.finally(() => listening.dispose());
  }

  /** Take no answer any more; what was typed of it is gone. */
  private stopReading(): void {
    if (this.state === 'reading') {
      this.line.clear();
      this.written.fire(this.screen.leave(this.shownPrompt(), ''));
      [this.partial, this.state] = ['', 'busy'];
    }
    this.answered?.('');
    this.answered = undefined;
  }

  private get isTaking(): boolean {
    return this.state === 'typing' || this.state === 'reading';
  }

  private async begin(): Promise<void> {
    this.line.history = await this.partner.history();
    this.goOn('typing');
  }

  /** Take keys in STATE from now on; first those that were typed too early. */
  private goOn(state: State): void {
    if (this.state === 'ended') {
      return;
    }
    this.state = state;
    this.redraw();
    const { ahead } = this;
    this.ahead = [];
    ahead.forEach((key) => (this.handling = this.handling.then(() => this.take(key))));
  }

  private async take(key: Key): Promise<void> {
    if (this.state === 'busy' && isInterrupt(key)) {
      this.interrupt();
    } else if (this.state === 'busy') {
      this.ahead.push(key);
    } else if (key.kind === 'text') {
      this.line.insert(key.text);
      this.redraw();
    } else {
      await this.obey(key.name);
    }
  }

  private interrupt(): void {
    this.ahead = [];
    void this.partner.interrupt();
  }

  private async obey(name: KeyName): Promise<void> {
    switch (name) {
      case 'enter':
        return this.state === 'reading' ? this.answer() : this.enter();
      case 'newline':
        this.line.insert('\n');
        break;
      case 'interrupt':
        this.keep('');
        break;
      case 'endOfFile':
        return this.state === 'reading' ? this.answer() : undefined;
      case 'complete':
        await this.complete();
        break;
      case 'search':
        await this.search();
        break;
      case 'clear':
        this.written.fire(this.screen.erase() + CLEARED);
        break;
      default:
        this.line[name]();
    }
    this.redraw();
  }

  private async enter(): Promise<void> {
    const { text } = this.line;
    if (text.trim() !== '' && !(await this.partner.isComplete(text))) {
      this.line.insert('\n');
      this.redraw();
    } else {
      this.keep(text);
      if (text.trim() !== '') {
        void this.send(text);
      } else {
        this.redraw();
      }
    }
  }

  private async send(text: string): Promise<void> {
    this.state = 'busy';
    await this.partner.send(text);
    this.goOn('typing');
  }

  private answer(): void {
    const { text } = this.line;
    this.written.fire(this.screen.leave(this.shownPrompt(), text));
    [this.partial, this.state] = ['', 'busy'];
    this.line.clear();
    this.answered?.(text);
    this.answered = undefined;
  }

  /** Let what was typed stand where it is; TEXT goes into the history. */
  private keep(text: string): void {
    this.written.fire(this.screen.leave(this.shownPrompt(), this.line.text));
    this.partial = '';
    if (text === '') {
      this.line.clear();
    } else {
      this.line.take();
    }
  }

  private async complete(): Promise<void> {
    const { text, at } = this.line;
    const found = this.state === 'typing' ? await this.partner.complete(text, at) : undefined;
    const labels = (found?.items ?? []).map(({ label }) => label);
    if (found === undefined || labels.length === 0) {
      return;
    }
    const common = labels.reduce(commonStart);
    if (labels.length === 1 || common.length > at - found.start) {
      this.line.replace(found.start, labels.length === 1 ? (labels[0] ?? '') : common);
    }
    if (labels.length > 1) {
      this.print(this.table(labels));
    }
  }

  private async search(): Promise<void> {
    const items = this.line.history.map((code) => ({ label: code.replace(/\s*\n\s*/g, ' '), code }));
    const picked = await vscode.window.showQuickPick(items, { title: 'Typed before' });
    if (picked !== undefined) {
      this.line.clear();
      this.line.insert(picked.code);
    }
  }

  private table(labels: string[]): string {
    const shown = labels.slice(0, SHOWN_COMPLETIONS);
    const width = Math.max(...shown.map(cells)) + 2;
    const perRow = Math.max(1, Math.floor(this.screen.columns / width));
    let text = '';
    for (let row = 0; row < shown.length; row += perRow) {
      const padded = shown.slice(row, row + perRow).map((label) => label + ' '.repeat(width - cells(label)));
      text += `${padded.join('').trimEnd()}\n`;
    }
    const more = labels.length - shown.length;
    return more > 0 ? `${text}… and ${more} more\n` : text;
  }

  private shownPrompt(): string {
    return this.state === 'reading' ? this.question : `\x1b[1;34m${this.partner.prompt()}\x1b[0m`;
  }

  private redraw(): void {
    if (this.isTaking) {
      const { text, at } = this.line;
      const drawn = this.screen.draw(this.shownPrompt(), text, at);
      this.written.fire(this.partial === '' ? drawn : `\r\n${drawn}`);
      this.partial = '';
    }
  }
}

function isInterrupt(key: Key): boolean {
  return key.kind === 'key' && key.name === 'interrupt';
}

function commonStart(one: string, other: string): string {
  let length = 0;
  while (length < one.length && one[length]?.toLowerCase() === other[length]?.toLowerCase()) {
    length += 1;
  }
  return one.slice(0, length);
}

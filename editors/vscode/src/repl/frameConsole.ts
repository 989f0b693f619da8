// A console in a frame: what is typed is evaluated with the frame's variables.
import type { Completions, Debugger, Evaluation, Frame } from '../protocol';
import type { Server } from '../server';
import { keyOf } from '../stopNodes';
import { Evaluations } from './evaluations';
import type { Output } from './output';
import type { Partner } from './terminal';
import { ReplTerminal } from './terminal';

export class FrameConsole implements Partner {
  readonly terminal: ReplTerminal;
  readonly evaluations: Evaluations;
  private readonly typed: string[] = [];
  private isBusy = false;

  constructor(
    private readonly server: Server,
    output: Output,
    private readonly stop: Debugger,
    private readonly frame: Frame,
    private readonly gone: (console: FrameConsole) => void,
  ) {
    this.terminal = new ReplTerminal(this, `; in ${frame.description}`);
    this.evaluations = new Evaluations(server, output, this.terminal);
  }

  prompt(): string {
    return `[${this.frame.index}]> `;
  }

  history(): Promise<string[]> {
    return Promise.resolve(this.typed);
  }

  async isComplete(code: string): Promise<boolean> {
    return (await this.server.ask<{ complete: boolean }>('lisp.inputComplete', { text: code }))?.complete ?? true;
  }

  complete(text: string, offset: number): Promise<Completions | undefined> {
    return this.server.ask<Completions>('lisp.complete', { text, offset });
  }

  async send(code: string): Promise<void> {
    this.isBusy = true;
    await this.evaluations.run('debugger.evalInFrame', { ...keyOf(this.stop), frame: this.frame.index, code });
    this.isBusy = false;
  }

  /** Return whether THREAD does now what was typed here. */
  isBusyIn(thread: number): boolean {
    return this.isBusy && this.stop.thread === thread;
  }

  interrupt(): Promise<void> {
    return this.evaluations.interrupt();
  }

  closed(): void {
    this.evaluations.dispose();
    this.gone(this);
  }

  ended(evaluation: Evaluation): void {
    this.evaluations.ended(evaluation);
  }

  /** Take in the STOPS there are now; when this one was left there is nothing more to evaluate in. */
  stopsChanged(stops: Debugger[]): void {
    const { thread, level, evaluation } = this.stop;
    const isThere = (each: Debugger): boolean =>
      each.thread === thread && each.level === level && each.evaluation === evaluation;
    if (!stops.some(isThere)) {
      this.terminal.end('; the frame was left');
      this.gone(this);
    }
  }
}

// A REPL of the image: a package, results by number, a history.
import type { Completions, Evaluation } from '../protocol';
import type { Server } from '../server';
import { Evaluations } from './evaluations';
import type { Output } from './output';
import type { Partner } from './terminal';
import { ReplTerminal } from './terminal';

/** After so long an evaluation's id is asked for, so that its output can be told from others'. */
const SOON_MS = 50;
const HISTORY = 500;
const USER = 'COMMON-LISP-USER';

type History = { inputs: { code: string }[] };

export class Repl implements Partner {
  readonly terminal: ReplTerminal;
  readonly evaluations: Evaluations;
  private package = USER;
  /** Which evaluation gave the result of each number. */
  private readonly results = new Map<number, string>();

  constructor(
    private readonly server: Server,
    output: Output,
    readonly name: string,
    private readonly gone: (repl: Repl) => void,
  ) {
    this.terminal = new ReplTerminal(this, '; Alt+Enter new line · Ctrl+R history · Ctrl+C interrupt · Ctrl+click inspect');
    this.evaluations = new Evaluations(server, output, this.terminal);
  }

  prompt(): string {
    return `${this.package === USER ? 'CL-USER' : this.package}> `;
  }

  async history(): Promise<string[]> {
    const found = await this.server.ask<History>('lisp.replHistory', { limit: HISTORY });
    return (found?.inputs ?? []).map(({ code }) => code);
  }

  async isComplete(code: string): Promise<boolean> {
    return (await this.server.ask<{ complete: boolean }>('lisp.inputComplete', { text: code }))?.complete ?? true;
  }

  complete(text: string, offset: number): Promise<Completions | undefined> {
    return this.server.ask<Completions>('lisp.complete', { text, offset, repl: this.name });
  }

  async send(code: string): Promise<void> {
    this.enter(await this.evaluations.run('lisp.eval', { code, repl: this.name, timeoutMs: SOON_MS }));
  }

  interrupt(): Promise<void> {
    return this.evaluations.interrupt();
  }

  closed(): void {
    this.evaluations.dispose();
    this.gone(this);
  }

  /** Take in that EVALUATION has ended. */
  ended(evaluation: Evaluation): void {
    if (this.evaluations.ended(evaluation)) {
      this.enter(evaluation);
    }
  }

  /** Return what inspector.open needs for the value that `#vNUMBER:INDEX` means, if that is known here. */
  valueOf(number: number, index: number): { evaluation: string; value: number } | undefined {
    const evaluation = this.results.get(number);
    return evaluation === undefined ? undefined : { evaluation, value: index };
  }

  /** The package after an evaluation is that of the next, and its result has a number. */
  private enter(evaluation: Evaluation | undefined): void {
    if (evaluation?.package) {
      this.package = evaluation.package;
    }
    if (evaluation?.number != null) {
      this.results.set(evaluation.number, evaluation.id);
    }
  }
}

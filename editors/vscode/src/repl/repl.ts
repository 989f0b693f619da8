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

  /** NAME is undefined for the REPL whose `*` and package are those of evaluations in files. */
  constructor(
    private readonly server: Server,
    output: Output,
    readonly name: string | undefined,
    private readonly gone: (repl: Repl) => void,
  ) {
    this.terminal = new ReplTerminal(this, '; Alt+Enter new line · Ctrl+R history · Ctrl+C interrupt · Ctrl+click inspect');
    this.evaluations = new Evaluations(server, output, this.terminal);
  }

  prompt(): string {
    return `${this.package === USER ? 'CL-USER' : this.package}> `;
  }

  async history(): Promise<string[]> {
    const found = await this.server.ask<History>('lisp.replHistory', { limit: HISTORY, ...this.own() });
    return (found?.inputs ?? []).map(({ code }) => code);
  }

  async isComplete(code: string): Promise<boolean> {
    return (await this.server.ask<{ complete: boolean }>('lisp.inputComplete', { code }))?.complete ?? true;
  }

  complete(text: string, offset: number): Promise<Completions | undefined> {
    return this.server.ask<Completions>('lisp.complete', { text, offset, package: this.package, ...this.own() });
  }

  async send(code: string): Promise<void> {
    this.enter(await this.evaluations.run('lisp.eval', { code, ...this.own(), timeoutMs: SOON_MS }));
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

  /** Return the parameters that mean this REPL. */
  own(): { repl?: string } {
    return this.name === undefined ? {} : { repl: this.name };
  }

  /** The package after an evaluation is that of the next. */
  private enter(evaluation: Evaluation | undefined): void {
    if (evaluation?.package) {
      this.package = evaluation.package;
    }
  }
}

// The evaluations of one terminal: their output as it comes, and how each ended or stopped.
import { ResponseError } from 'vscode-languageclient/node';
import type { Evaluation } from '../protocol';
import type { Server } from '../server';
import type { Output } from './output';
import { outcome, failure } from './outcome';

const LONG_MS = 3_600_000;

/** How much an evaluation has printed, in characters: as told by notifications, and as shown here. */
type Progress = { told: number; shown: number };

export class Evaluations {
  private running: string | undefined;
  /** Ends when it is known under which id the newest evaluation goes on, or that it has ended. */
  private known: Promise<unknown> = Promise.resolve();
  private readonly open = new Map<string, Progress>();

  constructor(
    private readonly server: Server,
    private readonly output: Output,
    private readonly screen: { print(text: string): void; say(text: string): void },
  ) {}

  /** Ask for OPERATION with PARAMS; print what it prints and how it ended or stopped, and return that. */
  async run(operation: string, params: object): Promise<Evaluation | undefined> {
    try {
      const asked = this.server.request<Evaluation>(operation, params);
      this.known = 'timeoutMs' in params ? asked.catch((error: unknown) => this.learn(error)) : Promise.resolve();
      const evaluation = await this.paused(asked);
      this.tell(evaluation);
      return evaluation;
    } catch (error) {
      this.screen.say(failure(error));
      this.server.explainTrust(error);
      return undefined;
    } finally {
      this.running = undefined;
    }
  }

  /** Take in that EVALUATION has ended; one that had stopped here is told. */
  ended(evaluation: Evaluation): boolean {
    const isOurs = evaluation.id !== this.running && this.open.has(evaluation.id);
    if (isOurs) {
      this.tell(evaluation);
    }
    return isOurs;
  }

  /** Return whether EVALUATION was asked for here and has not ended. */
  async has(evaluation: string | null | undefined): Promise<boolean> {
    await this.known;
    return this.open.has(evaluation ?? '');
  }

  /** Stop what runs now in the debugger. */
  async interrupt(): Promise<void> {
    await this.known;
    await this.server.call('lisp.interrupt', this.running === undefined ? {} : { evaluation: this.running });
  }

  dispose(): void {
    [...this.open.keys()].forEach((id) => this.output.leave(id));
    this.open.clear();
  }

  private async paused(asked: Promise<Evaluation>): Promise<Evaluation> {
    try {
      return await asked;
    } catch (error) {
      if (idIn(error) === undefined) {
        throw error;
      }
      await this.known;
      return await this.follow(idIn(error) ?? '');
    }
  }

  /** An evaluation that takes longer is known by its id from now on. */
  private learn(error: unknown): void {
    this.running = idIn(error);
    if (this.running !== undefined) {
      this.begin(this.running);
    }
  }

  private async follow(id: string): Promise<Evaluation> {
    for (;;) {
      const evaluation = await this.server.request<Evaluation>('lisp.evaluation', { id, waitMs: LONG_MS });
      if (evaluation.state !== 'running') {
        return evaluation;
      }
    }
  }

  private begin(id: string): Progress {
    const progress: Progress = { told: 0, shown: 0 };
    this.open.set(id, progress);
    this.output.claim(id, (text) => {
      progress.told += text.length;
      const fresh = Math.min(text.length, progress.told - progress.shown);
      if (fresh > 0) {
        this.screen.print(text.slice(text.length - fresh));
        progress.shown = progress.told;
      }
    });
    return progress;
  }

  /** The notifications of output and the answer come in any order; what neither has shown yet is shown. */
  private tell(evaluation: Evaluation): void {
    const progress = this.open.get(evaluation.id) ?? this.begin(evaluation.id);
    const { output } = evaluation;
    if (output.length > progress.shown) {
      this.screen.print(output.slice(progress.shown));
      progress.shown = output.length;
    }
    if (evaluation.state !== 'stopped') {
      this.open.delete(evaluation.id);
      this.output.leave(evaluation.id);
    }
    this.screen.say(outcome(evaluation));
  }
}

function idIn(error: unknown): string | undefined {
  return error instanceof ResponseError ? (error.data as { evaluation?: string } | undefined)?.evaluation : undefined;
}

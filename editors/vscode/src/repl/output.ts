// What evaluations print, for those who asked for them: each text goes to whom its evaluation belongs.
import type { Printed } from '../protocol';

type Sink = (text: string) => void;

const KEPT_BYTES = 65_536;

/** Texts by evaluation; what comes before its evaluation's id is known here is kept for a moment. */
export class Output {
  private readonly sinks = new Map<string, Sink>();
  private readonly kept: Printed[] = [];
  private size = 0;

  /** Take in that something was PRINTED. */
  take(printed: Printed): void {
    const sink = this.sinks.get(printed.evaluation ?? '');
    if (sink !== undefined) {
      sink(printed.text);
      return;
    }
    this.kept.push(printed);
    this.size += printed.text.length;
    while (this.size > KEPT_BYTES) {
      this.size -= this.kept.shift()?.text.length ?? this.size;
    }
  }

  /** Give SINK everything that EVALUATION prints and has printed. */
  claim(evaluation: string, sink: Sink): void {
    this.sinks.set(evaluation, sink);
    for (const { text, evaluation: id } of this.kept) {
      if (id === evaluation) {
        sink(text);
      }
    }
  }

  /** Give nobody what EVALUATION prints; it has ended. */
  leave(evaluation: string): void {
    this.sinks.delete(evaluation);
  }
}

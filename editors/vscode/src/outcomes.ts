// The outcome of an evaluation or compilation, in the status bar and the output: never in the way.
import * as vscode from 'vscode';
import type { Compilation, Evaluation, Leaving } from './protocol';

const SHOWN_MS = 20_000;
const LENGTH = 120;

export class Outcomes implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('descartes.outcome', vscode.StatusBarAlignment.Left);
  private hiding: NodeJS.Timeout | undefined;
  private readonly awaited = new Set<string>();

  constructor(private readonly printed: vscode.OutputChannel) {
    this.item.name = 'Lisp value';
    this.item.command = 'descartes.ui.showOutput';
  }

  /** Show RESULT of OPERATION, if it is an outcome; one that is not there yet is shown when it comes. */
  show(operation: string, result: unknown): void {
    if (/^lisp\.(compile|load)|^debugger\.recompile/.test(operation)) {
      this.compiled(result as Compilation);
    } else if (/^lisp\.eval|^debugger\.evalInFrame/.test(operation)) {
      this.take(result as Evaluation);
    } else if (operation.startsWith('debugger.')) {
      const { evaluation, compilation } = result as Leaving;
      if (compilation && !compilation.success) {
        this.compiled(compilation);
      }
      this.take(evaluation ?? undefined);
    }
  }

  /** Show that EVALUATION has ended, if this window asked for it. */
  ended(evaluation: Evaluation): void {
    if (this.awaited.has(evaluation.id)) {
      this.take(evaluation);
    }
  }

  dispose(): void {
    clearTimeout(this.hiding);
    this.item.dispose();
  }

  private take(evaluation: Evaluation | undefined): void {
    if (evaluation === undefined) {
      return;
    }
    if (evaluation.state === 'running' || evaluation.state === 'stopped') {
      this.expect(evaluation.id);
      return;
    }
    this.awaited.delete(evaluation.id);
    const values = evaluation.values.length > 0 ? evaluation.values.join('\n') : 'no values';
    this.display(evaluation.state === 'done' ? values : evaluation.state);
  }

  private expect(evaluation: string): void {
    this.awaited.add(evaluation);
    this.item.hide();
  }

  private compiled(compilation: Compilation): void {
    if (compilation.state === 'stopped' || compilation.state === 'running') {
      this.expect(compilation.evaluation ?? '');
      return;
    }
    const count = compilation.notes.length;
    const notes = count === 0 ? '' : `, ${count} note${count === 1 ? '' : 's'}`;
    this.display(`${compilation.success ? 'compiled' : 'failed'} in ${compilation.durationMs} ms${notes}`);
  }

  private display(text: string): void {
    this.printed.append(`⇒ ${text}\n`);
    const line = `⇒ ${text.replace(/\s*\n\s*/g, '  ')}`;
    this.item.text = line.length > LENGTH ? `${line.slice(0, LENGTH - 1)}…` : line;
    this.item.tooltip = new vscode.MarkdownString().appendCodeblock(text, 'lisp');
    this.item.show();
    clearTimeout(this.hiding);
    this.hiding = setTimeout(() => this.item.hide(), SHOWN_MS);
  }
}

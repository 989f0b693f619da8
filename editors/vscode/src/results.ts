// How the outcome of an evaluation or compilation is shown: in the status bar, never in the way.
import * as vscode from 'vscode';
import type { Compilation, Evaluation } from './protocol';

const SHOWN_MS = 15000;

/** Show the outcome of EVALUATION; one that stopped is shown by the debugger. */
export function showEvaluation(evaluation: Evaluation | undefined): void {
  if (evaluation === undefined || evaluation.state === 'stopped') {
    return;
  }
  const values = evaluation.values.length > 0 ? evaluation.values.join('  ') : 'no values';
  const text = evaluation.state === 'done' ? values : evaluation.state;
  vscode.window.setStatusBarMessage(`⇒ ${text.replace(/\s*\n\s*/g, ' ').slice(0, 200)}`, SHOWN_MS);
}

/** Show how COMPILATION went; its notes are diagnostics already. */
export function showCompilation(compilation: Compilation | undefined): void {
  if (compilation === undefined || compilation.state === 'stopped') {
    return;
  }
  const n = compilation.notes.length;
  const notes = n === 0 ? '' : `, ${n} note${n === 1 ? '' : 's'}`;
  const how = compilation.success ? 'compiled' : 'failed';
  vscode.window.setStatusBarMessage(`⇒ ${how} in ${compilation.durationMs} ms${notes}`, SHOWN_MS);
}

// Asking the person for text.
import * as vscode from 'vscode';
import type { InputRequest, Restart } from './protocol';

const needed = (text: string): string | undefined => (text.trim() === '' ? 'a Lisp expression is expected' : undefined);

/** Return the line the person types, or undefined when the question is dismissed. */
export function askLine(title: string, options: vscode.InputBoxOptions = {}): Thenable<string | undefined> {
  return vscode.window.showInputBox({ title, ignoreFocusOut: true, ...options });
}

/** Return the Lisp expression the person types, or undefined when the question is dismissed. */
export function askExpression(title: string, prompt: string): Thenable<string | undefined> {
  return askLine(title, { prompt, placeHolder: 'a Lisp expression', validateInput: needed });
}

/** Return what RESTART is to be given, an expression each, or undefined when a question is dismissed. */
export async function askArguments(restart: Restart): Promise<string[] | undefined> {
  const given: string[] = [];
  const required = restart.arguments.filter((each) => each.kind === 'required');
  for (const argument of required) {
    const which = required.length > 1 ? ` (${argument.name.toLowerCase()})` : '';
    const text = await askExpression(`${restart.name}${which}`, restart.description);
    if (text === undefined) {
      return undefined;
    }
    given.push(text);
  }
  return given;
}

/** Return the person's answer to a program that reads; a dismissed question reads as an empty line or no. */
export async function answerInput({ prompt, kind }: InputRequest): Promise<{ text: string }> {
  const title = prompt.trim() || 'Lisp reads a line';
  if (kind === 'yesOrNo') {
    const picked = await vscode.window.showQuickPick(['yes', 'no'], { title, ignoreFocusOut: true });
    return { text: picked ?? 'no' };
  }
  return { text: (await askLine(title)) ?? '' };
}

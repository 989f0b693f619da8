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
  for (const { kind, name } of restart.arguments) {
    const some = kind === 'rest' ? await askRest(restart) : kind === 'required' ? await askOne(restart, name) : [];
    if (some === undefined) {
      return undefined;
    }
    given.push(...some);
  }
  return given;
}

async function askOne({ name, description }: Restart, argument: string): Promise<string[] | undefined> {
  const text = await askExpression(name, `${argument.toLowerCase()}: ${description}`);
  return text === undefined ? undefined : [text];
}

/** Where its text is not at hand, SBCL shows most parameter lists as `rest`; nothing may be a right answer. */
async function askRest({ name, description }: Restart): Promise<string[] | undefined> {
  const given: string[] = [];
  for (;;) {
    const prompt = `${description} Argument ${given.length + 1}; leave it empty when there is none.`;
    const text = await askLine(name, { prompt, placeHolder: 'a Lisp expression, or nothing' });
    if (text === undefined || text.trim() === '') {
      return text === undefined ? undefined : given;
    }
    given.push(text);
  }
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

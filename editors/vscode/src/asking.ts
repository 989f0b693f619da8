// Asking the person for text.
import * as vscode from 'vscode';
import type { Frame, InputRequest, Local, Restart, RestartArgument } from './protocol';
import { argumentsIn } from './printed';

const needed = (text: string): string | undefined => (text.trim() === '' ? 'a Lisp expression is expected' : undefined);

/** Return the line the person types, or undefined when the question is dismissed or WITHDRAWN. */
export function askLine(
  title: string,
  options: vscode.InputBoxOptions = {},
  withdrawn?: vscode.CancellationToken,
): Thenable<string | undefined> {
  return vscode.window.showInputBox({ title, ignoreFocusOut: true, ...options }, withdrawn);
}

/** Return the Lisp expression the person types, or undefined when the question is dismissed. */
export function askExpression(title: string, prompt: string, value = ''): Thenable<string | undefined> {
  return askLine(title, { prompt, value, placeHolder: 'a Lisp expression', validateInput: needed });
}

/**
 * Return what RESTART is to be given, an expression each, or undefined when a question is dismissed.
 *
 * An argument that is called as one of LOCALS, the variables of the frame, is that variable unless it is changed.
 */
export async function askArguments(restart: Restart, locals: Local[]): Promise<string[] | undefined> {
  const given: string[] = [];
  for (const argument of restart.arguments) {
    const some = await askOne(restart, argument, locals);
    if (some === undefined) {
      return undefined;
    }
    given.push(...some);
  }
  return given;
}

async function askOne(restart: Restart, { kind, name }: RestartArgument, locals: Local[]): Promise<string[] | undefined> {
  if (kind === 'rest') {
    return askRest(restart);
  }
  if (kind === 'key') {
    return [];
  }
  const local = locals.find((each) => each.name.toUpperCase() === name.toUpperCase());
  const now = local === undefined ? '' : ` (now ${local.value})`;
  const prompt = `${name.toLowerCase()}: ${restart.description}${now}`;
  const value = local?.name.toLowerCase() ?? '';
  if (kind === 'required') {
    const text = await askExpression(restart.name, prompt, value);
    return text === undefined ? undefined : [text];
  }
  const text = await askLine(restart.name, { prompt, value, placeHolder: 'a Lisp expression, or nothing' });
  return text === undefined ? undefined : [text].filter((each) => each.trim() !== '');
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

/** Return the arguments FRAME is to be called with anew, or undefined; proposed are those it was called with. */
export async function askCall(frame: Frame, locals: Local[]): Promise<string[] | undefined> {
  const printed = argumentsIn(frame.description);
  const given: string[] = [];
  for (const [index, now] of printed.entries()) {
    const name = locals[index]?.value === now ? locals[index]?.name.toLowerCase() : undefined;
    const title = `Restart frame, argument ${index + 1} of ${printed.length}`;
    const text = await askExpression(title, `${name ?? 'argument'}: now ${now}`, name ?? asForm(now));
    if (text === undefined) {
      return undefined;
    }
    given.push(text);
  }
  return given;
}

/** Return a form whose value is printed as TEXT, where there is one. */
function asForm(text: string): string {
  return text.startsWith('#<') ? '' : /^[(\w*+%&<>!?$=/-]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
}

/** Return the person's answer to a program that reads; a dismissed question reads as an empty line or no. */
export async function answerInput(
  { prompt, kind }: InputRequest,
  withdrawn: vscode.CancellationToken,
): Promise<{ text: string }> {
  const title = prompt.trim() || 'Lisp reads a line';
  if (kind === 'yesOrNo') {
    const picked = await vscode.window.showQuickPick(['yes', 'no'], { title, ignoreFocusOut: true }, withdrawn);
    return { text: picked ?? (withdrawn.isCancellationRequested ? '' : 'no') };
  }
  return { text: (await askLine(title, {}, withdrawn)) ?? '' };
}

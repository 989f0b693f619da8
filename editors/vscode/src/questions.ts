// The questions that runs ask: announced once beside the code, answered from the announcement or the view.
import * as vscode from 'vscode';
import type { Choice, FileChange, Intervention } from './protocol';
import type { Server } from './server';
import { askLine } from './asking';
import { ListView } from './treeView';

const MORE = 'More…';
const BUTTONS = 3;
const REASON = 'reason';
const PATHS = 'paths';
const FILES = 'body';
/** The image that runs ends: it goes back only when that is asked for. */
const IMAGE = 'image';

export class Questions extends ListView<Intervention> {
  private open: Intervention[] = [];
  private readonly announced = new Set<string>();

  constructor(private readonly server: Server) {
    super('descartes.questions', line, 'open question');
  }

  /** Take in the questions that are OPEN now; a new one is announced with its choices, without taking the focus. */
  override update(open: Intervention[]): void {
    super.update(open);
    this.open = open;
    for (const question of open) {
      // A stop is announced as such, with the same restarts.
      if (!this.announced.has(question.id) && question.kind !== 'restart') {
        void this.announce(question);
      }
      this.announced.add(question.id);
    }
  }

  /** Let the person answer QUESTION, or one of those that are open. */
  async answer(question?: Intervention): Promise<void> {
    const about = question ?? (await this.pick());
    if (about === undefined) {
      return;
    }
    const items = about.choices.map((choice) => ({ label: choice.title, choice }));
    const placeHolder = oneLine(about.detail);
    const picked = await vscode.window.showQuickPick(items, { title: about.title, placeHolder, ignoreFocusOut: true });
    if (picked !== undefined) {
      await this.send(about, picked.choice);
    }
  }

  private async pick(): Promise<Intervention | undefined> {
    if (this.open.length <= 1) {
      return this.open[0];
    }
    const items = this.open.map((question) => ({ label: question.title, question }));
    return (await vscode.window.showQuickPick(items, { title: 'Which question?' }))?.question;
  }

  private async announce(question: Intervention): Promise<void> {
    const simple = question.choices.filter(isSimple).slice(0, BUTTONS);
    const buttons = [...simple.map((choice) => choice.title), MORE];
    const chosen = await vscode.window.showInformationMessage(`${question.run ? 'A run asks: ' : ''}${question.title}`, ...buttons);
    const choice = simple.find((each) => each.title === chosen);
    if (choice !== undefined) {
      await this.send(question, choice);
    } else if (chosen === MORE) {
      await this.answer(question);
    }
  }

  private async send(question: Intervention, choice: Choice): Promise<void> {
    const bodies = await chooseBodies(question, choice);
    if (bodies === undefined) {
      return;
    }
    const given: string[] = [];
    for (const name of choice.arguments) {
      if (name === PATHS) {
        const chosen = bodies.length > 0 && !bodies.includes(FILES) ? [] : await choosePaths(question);
        if (chosen === undefined) {
          return;
        }
        given.push(...chosen);
        continue;
      }
      const proposed = name === 'arguments' ? question.data?.toolArgs : undefined;
      const value = proposed === undefined ? '' : JSON.stringify(proposed);
      const text = await askLine(`${choice.title}: ${name}`, { prompt: question.title, value });
      if (text === undefined) {
        return;
      }
      given.push(text);
    }
    const what = bodies.length > 0 ? { bodies } : {};
    await this.server.call('intervention.answer', { id: question.id, choice: choice.id, ...what, ...said(choice, given) });
  }
}

/** Return what of a restore goes back, none when QUESTION is about no restore; undefined is a change of mind. */
async function chooseBodies(question: Intervention, choice: Choice): Promise<string[] | undefined> {
  const offered = choice.arguments.includes(PATHS) ? (question.data?.bodies ?? []) : [];
  if (offered.length <= 1) {
    return offered.map(({ body }) => body);
  }
  const items = offered.map(({ body, title, detail }) => ({ label: title, description: detail, picked: body !== IMAGE, body }));
  const options = manyOf(question, 'what goes back');
  const chosen = await vscode.window.showQuickPick(items, options);
  return chosen && chosen.length > 0 ? chosen.map(({ body }) => body) : undefined;
}

/** Return the files that the person leaves marked, none when there are none; undefined is a change of mind. */
async function choosePaths(question: Intervention): Promise<string[] | undefined> {
  const items = (question.data?.files ?? []).map((file) => ({
    label: file.path,
    description: noteOf(file),
    picked: true,
  }));
  const options = manyOf(question, question.kind === 'restore' ? 'which files go back' : 'in which files');
  const chosen = items.length === 0 ? [] : await vscode.window.showQuickPick(items, options);
  // Without any path the server would take all of them.
  return items.length > 0 && chosen?.length === 0 ? undefined : chosen?.map((item) => item.label);
}

function manyOf({ title }: Intervention, placeHolder: string) {
  return { title, placeHolder, canPickMany: true, ignoreFocusOut: true } as const;
}

/** Return what becomes of a file, and what a person wants to know before it does. */
function noteOf({ change, userEdited, leasedBy, unsaved }: FileChange): string {
  return [
    change,
    userEdited && 'edited by a person',
    leasedBy && `held by ${leasedBy.name}`,
    unsaved && `unsaved in ${unsaved}`,
  ]
    .filter(Boolean)
    .join('; ');
}

/** A choice that takes at most a reason is a button. */
function isSimple(choice: Choice): boolean {
  return choice.arguments.every((name) => name === REASON);
}

/** A reason has a parameter of its own; everything else travels as arguments. */
function said(choice: Choice, given: string[]): { reason?: string; arguments?: string[] } {
  if (choice.arguments.join() === REASON) {
    return given[0] ? { reason: given[0] } : {};
  }
  return given.length > 0 ? { arguments: given } : {};
}

function oneLine(detail: string): string {
  return detail.trim().replace(/\s*\n\s*/g, ' · ');
}

function line(question: Intervention): vscode.TreeItem {
  const item = new vscode.TreeItem(question.title);
  item.id = question.id;
  item.description = oneLine(question.detail);
  item.tooltip = question.detail;
  item.iconPath = new vscode.ThemeIcon('question', new vscode.ThemeColor('notificationsInfoIcon.foreground'));
  item.command = { command: 'descartes.ui.answer', title: 'Answer', arguments: [question] };
  return item;
}

// The questions that runs ask: announced once beside the code, answered from the announcement or the view.
import * as vscode from 'vscode';
import type { Choice, Intervention } from './protocol';
import type { Server } from './server';
import { askLine } from './asking';
import { ListView } from './treeView';

const MORE = 'More…';
const BUTTONS = 3;
const REASON = 'reason';
const PATHS = 'paths';

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
    const given: string[] = [];
    for (const name of choice.arguments) {
      if (name === PATHS) {
        const chosen = await choosePaths(question, choice);
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
    await this.server.call('intervention.answer', { id: question.id, choice: choice.id, ...said(choice, given) });
  }
}

/** Return the files that the person leaves marked, none when there are none; undefined is a change of mind. */
async function choosePaths(question: Intervention, choice: Choice): Promise<string[] | undefined> {
  const items = (question.data?.files ?? []).map(({ path, change, userEdited }) => ({
    label: path,
    description: userEdited ? `${change}; edited by a person` : change,
    picked: true,
  }));
  const options = { title: choice.title, placeHolder: question.title, canPickMany: true, ignoreFocusOut: true } as const;
  const chosen = items.length === 0 ? [] : await vscode.window.showQuickPick(items, options);
  // Without any path the server would take all of them.
  return items.length > 0 && chosen?.length === 0 ? undefined : chosen?.map((item) => item.label);
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

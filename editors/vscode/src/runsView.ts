// Runs, the questions they ask, and leases: three lists, and what can be done with a line of each.
import * as vscode from 'vscode';
import type { Choice, Intervention, Lease, Run } from './protocol';
import type { Server } from './server';
import { ListView } from './listView';

const ENDED = new Set(['completed', 'failed', 'terminated']);
const ICONS: Record<string, string> = {
  completed: 'pass',
  failed: 'error',
  terminated: 'circle-slash',
  paused: 'debug-pause',
};

function runItem(run: Run): vscode.TreeItem {
  const item = new vscode.TreeItem(`${run.agent}: ${run.task}`);
  item.description = [run.status, run.phase, run.reason].filter(Boolean).join(', ');
  item.tooltip = `${run.task}\n${item.description}`;
  item.iconPath = new vscode.ThemeIcon(ICONS[run.status] ?? 'sync');
  item.contextValue = ENDED.has(run.status) ? 'run.ended' : 'run';
  return item;
}

function questionItem(question: Intervention): vscode.TreeItem {
  const item = new vscode.TreeItem(question.title);
  item.tooltip = question.detail;
  item.iconPath = new vscode.ThemeIcon('question');
  item.command = { command: 'descartes.ui.answer', title: 'Answer', arguments: [question] };
  return item;
}

function leaseItem(lease: Lease): vscode.TreeItem {
  const item = new vscode.TreeItem(lease.path);
  const until = new Date(lease.expiresAt).toLocaleTimeString();
  item.description = `${lease.holder.name}, until ${until}${lease.reason ? `: ${lease.reason}` : ''}`;
  item.iconPath = new vscode.ThemeIcon('lock');
  item.resourceUri = vscode.Uri.parse(lease.uri);
  return item;
}

export class RunsView {
  readonly runs = new ListView<Run>(runItem);
  readonly questions = new ListView<Intervention>(questionItem);
  readonly leases = new ListView<Lease>(leaseItem);
  private readonly known = new Map<string, Run>();
  private open: Intervention[] = [];
  private readonly announced = new Set<string>();

  constructor(private readonly server: Server) {}

  /** Take in that RUN changed; its end is announced. */
  runChanged(run: Run): void {
    const before = this.known.get(run.id);
    this.known.set(run.id, run);
    this.runs.update([...this.known.values()].sort((a, b) => b.startedAt.localeCompare(a.startedAt)));
    if (run.status === 'failed' && before?.status !== 'failed') {
      void vscode.window.showWarningMessage(`Descartes: ${run.agent} failed${run.reason ? `: ${run.reason}` : ''}`);
    }
  }

  /** Take in the questions that are open now; a new one is announced with its choices, without taking the focus. */
  questionsChanged(open: Intervention[]): void {
    this.open = open;
    this.questions.update(open);
    for (const question of open) {
      if (!this.announced.has(question.id) && question.kind !== 'restart') {
        this.announced.add(question.id);
        void this.announce(question);
      }
    }
  }

  /** Ask for the leases anew. */
  async leasesChanged(): Promise<void> {
    const result = await this.server.call<{ leases: Lease[] }>('lease.list');
    this.leases.update(result?.leases ?? []);
  }

  /** Let the person answer QUESTION, or one of those that are open. */
  async answer(question?: Intervention): Promise<void> {
    const about = question ?? (await this.pick());
    if (about === undefined) {
      return;
    }
    const items = about.choices.map((choice) => ({ label: choice.title, choice }));
    const picked = await vscode.window.showQuickPick(items, { title: about.title, placeHolder: about.detail });
    if (picked !== undefined) {
      await this.send(about, picked.choice);
    }
  }

  /** Pause RUN, or let it go on. */
  async pause(run: Run): Promise<void> {
    await this.server.call(run.status === 'paused' ? 'run.resume' : 'run.pause', { run: run.id });
  }

  private async pick(): Promise<Intervention | undefined> {
    if (this.open.length <= 1) {
      return this.open[0];
    }
    const items = this.open.map((question) => ({ label: question.title, question }));
    return (await vscode.window.showQuickPick(items, { title: 'Which question?' }))?.question;
  }

  private async announce(question: Intervention): Promise<void> {
    const simple = question.choices.filter((choice) => choice.arguments.length === 0);
    const chosen = await vscode.window.showInformationMessage(
      question.title,
      ...simple.slice(0, 3).map((choice) => choice.title),
      'More…',
    );
    const choice = simple.find((each) => each.title === chosen);
    if (choice !== undefined) {
      await this.send(question, choice);
    } else if (chosen !== undefined) {
      await this.answer(question);
    }
  }

  private async send(question: Intervention, choice: Choice): Promise<void> {
    const given: string[] = [];
    for (const name of choice.arguments) {
      const text = await vscode.window.showInputBox({ title: `${choice.title}: ${name}`, ignoreFocusOut: true });
      if (text === undefined) {
        return;
      }
      given.push(text);
    }
    const params = { id: question.id, choice: choice.id };
    await this.server.call('intervention.answer', given.length > 0 ? { ...params, arguments: given } : params);
  }
}

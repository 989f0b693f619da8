// What the runs of a session and people have written for each other, newest first.
import * as vscode from 'vscode';
import type { Annotation, Board, BoardEntry, Run } from './protocol';
import type { Documents } from './documents';
import type { Server } from './server';
import { askLine } from './asking';
import { TreeView } from './treeView';

type Node = { entry: BoardEntry; annotation?: Annotation };

const TYPES: Record<BoardEntry['type'], [icon: string, title: string]> = {
  task_description: ['tasklist', 'task'],
  code_snippet: ['code', 'code'],
  design_decision: ['milestone', 'decision'],
  error_report: ['bug', 'error'],
  solution: ['pass', 'solution'],
};
const MARKERS: Record<Annotation['marker'], string> = {
  important: 'warning',
  question: 'question',
  verification: 'check',
  correction: 'edit',
  insight: 'lightbulb',
};

const { Expanded, None } = vscode.TreeItemCollapsibleState;

export class Whiteboard extends TreeView<Node> {
  private board: Board | undefined;
  private run: Run | undefined;

  constructor(
    private readonly server: Server,
    private readonly documents: Documents,
  ) {
    super('descartes.whiteboard');
    this.onShown(() => void this.refresh());
  }

  /** Ask for the board anew, while it is looked at: that of the run chosen, else of the newest one. */
  async refresh(): Promise<void> {
    if (this.isShown) {
      // Where no run was started there is no board, and nothing to complain of.
      this.board = await this.server.ask<Board>('whiteboard.list', this.whose());
      this.describe(this.run?.task ?? '');
      this.fills((this.board?.entries.length ?? 0) > 0);
      this.redraw();
    }
  }

  /** Return the commands of the view, and of the lines that stand for a run. */
  commands(): Record<string, (node: never) => unknown> {
    return {
      refreshBoard: () => this.refresh(),
      postToBoard: () => this.post(),
      annotateEntry: (node: Node) => this.annotate(node),
      showEntry: (node: Node) => this.show(node),
      runBoard: (run: Run) => this.showOf(run),
    };
  }

  override getTreeItem({ entry, annotation }: Node): vscode.TreeItem {
    return annotation === undefined ? entryLine(entry) : annotationLine(entry, annotation);
  }

  override getChildren(node?: Node): Node[] {
    if (node === undefined) {
      return (this.board?.entries ?? []).map((entry) => ({ entry }));
    }
    return node.annotation ? [] : node.entry.annotations.map((annotation) => ({ entry: node.entry, annotation }));
  }

  private whose(): { run?: string } {
    return this.run === undefined ? {} : { run: this.run.id };
  }

  private async showOf(run: Run): Promise<void> {
    this.run = run;
    await this.comeForward();
    await this.refresh();
  }

  private async post(): Promise<void> {
    const items = Object.entries(TYPES).map(([type, [icon, title]]) => ({ label: `$(${icon}) ${title}`, type }));
    const picked = await vscode.window.showQuickPick(items, { title: 'Post on the Whiteboard', placeHolder: 'what it is' });
    const content = picked && (await askLine('Post on the Whiteboard', { placeHolder: 'what the runs are to read' }));
    if (picked && content?.trim()) {
      await this.server.call('whiteboard.post', { ...this.whose(), content, type: picked.type });
      await this.refresh();
    }
  }

  private async annotate({ entry }: Node): Promise<void> {
    const items = Object.entries(MARKERS).map(([marker, icon]) => ({ label: `$(${icon}) ${marker}`, marker }));
    const picked = await vscode.window.showQuickPick(items, { title: 'Write Beside', placeHolder: firstLine(entry.content) });
    const text = picked && (await askLine('Write Beside', { prompt: firstLine(entry.content) }));
    if (picked && text?.trim()) {
      await this.server.call('whiteboard.annotate', { entry: entry.id, text, marker: picked.marker });
      await this.refresh();
    }
  }

  private async show({ entry }: Node): Promise<void> {
    const beside = entry.annotations.map(({ text, marker, by }) => `\n${by.name} (${marker}): ${text}\n`);
    await this.documents.show('Whiteboard', `${entry.content}\n${beside.join('')}`, 'markdown');
  }
}

function entryLine(entry: BoardEntry): vscode.TreeItem {
  const [icon, title] = TYPES[entry.type];
  const item = new vscode.TreeItem(firstLine(entry.content), entry.annotations.length > 0 ? Expanded : None);
  // One that gets its first annotation is a line of another kind, and stands open.
  item.id = `${entry.id}/${entry.annotations.length > 0}`;
  item.description = `${title}, ${entry.by.name}`;
  item.tooltip = `${entry.content}\n\n${title}, ${entry.by.name}, ${new Date(entry.at).toLocaleString()}`;
  item.iconPath = new vscode.ThemeIcon(icon);
  item.contextValue = 'entry';
  item.command = { command: 'descartes.ui.showEntry', title: 'Show', arguments: [{ entry }] };
  return item;
}

function annotationLine(entry: BoardEntry, { text, marker, by, event }: Annotation): vscode.TreeItem {
  const item = new vscode.TreeItem(firstLine(text), None);
  item.id = `${entry.id}/${event}`;
  item.description = `${marker}, ${by.name}`;
  item.tooltip = text;
  item.iconPath = new vscode.ThemeIcon(MARKERS[marker]);
  return item;
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? '';
}

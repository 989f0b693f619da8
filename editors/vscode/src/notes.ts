// Notes, the person's and those of agents: listed, searched, written, archived.
import * as vscode from 'vscode';
import type { Note } from './protocol';
import type { Server } from './server';
import { askLine } from './asking';
import { ListView } from './treeView';

const LIMIT = 1000;
const ICONS: Record<Note['kind'], string> = { research: 'note', plans: 'checklist' };

export class Notes extends ListView<Note> {
  private words = '';
  private readonly saved: vscode.Disposable;

  constructor(private readonly server: Server) {
    super('descartes.notes', line);
    this.onShown(() => void this.refresh());
    this.saved = vscode.workspace.onDidSaveTextDocument(({ fileName }) => {
      if (/[\\/]thoughts[\\/].*\.md$/.test(fileName)) {
        void this.refresh();
      }
    });
  }

  /** Ask for the notes anew, while they are looked at. */
  async refresh(): Promise<void> {
    if (this.isShown) {
      const { words } = this;
      const asked = words === '' ? { limit: LIMIT } : { limit: LIMIT, text: words };
      const found = await this.server.call<{ thoughts: Note[] }>(words === '' ? 'thought.list' : 'thought.search', asked);
      this.describe(words);
      this.update(found?.thoughts ?? []);
    }
  }

  /** Return the commands of the view and of the palette. */
  commands(): Record<string, (note: never) => unknown> {
    return {
      newNote: () => this.write(),
      searchNotes: () => this.search(),
      refreshNotes: () => this.refresh(),
      archiveNote: (note: Note) => this.archive(note),
    };
  }

  override dispose(): void {
    this.saved.dispose();
    super.dispose();
  }

  private async write(): Promise<void> {
    const title = await askLine('New Note', { placeHolder: 'its title' });
    const note = title ? await this.server.call<Note>('thought.create', { title }) : undefined;
    if (note !== undefined) {
      const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(note.uri));
      const end = document.lineAt(document.lineCount - 1).range.end;
      // Shown with the cursor below the head: what is typed at once must not go before it.
      await vscode.window.showTextDocument(document, { selection: new vscode.Range(end, end) });
      await this.refresh();
    }
  }

  private async search(): Promise<void> {
    const options = { value: this.words, placeHolder: 'words, or nothing for all notes' };
    const words = await askLine('Search Notes', options);
    if (words !== undefined) {
      this.words = words.trim();
      await this.comeForward();
      await this.refresh();
    }
  }

  private async archive(note: Note): Promise<void> {
    await this.server.call('thought.archive', { thought: note.path });
    await this.refresh();
  }
}

function line(note: Note): vscode.TreeItem {
  const item = new vscode.TreeItem(note.title);
  item.id = note.path;
  const about = [...note.tags, note.agentId].filter(Boolean).join(', ');
  item.description = about || (note.excerpt ?? '').replace(/\s+/g, ' ');
  item.tooltip = [note.title, note.problem ?? note.excerpt, `changed ${new Date(note.updatedAt).toLocaleString()}`]
    .filter(Boolean)
    .join('\n');
  item.iconPath = new vscode.ThemeIcon(note.problem ? 'warning' : ICONS[note.kind]);
  item.contextValue = 'note';
  item.command = { command: 'vscode.open', title: 'Open', arguments: [vscode.Uri.parse(note.uri)] };
  return item;
}

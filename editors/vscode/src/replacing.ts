// A text replaced in many files: the diff is shown, the files are chosen, and then all of it is done or nothing.
import * as vscode from 'vscode';
import { askLine } from './asking';
import type { Documents } from './documents';
import type { EditPreview, FileEdit } from './protocol';
import type { Server } from './server';

const KINDS = [
  { label: 'Text', how: {} },
  { label: 'Lisp Symbol', description: 'whole symbols, in no string or comment', how: { symbol: true } },
  { label: 'Regular Expression', description: '\\1 and \\g<name> are its groups', how: { regex: true } },
];

export function replacingCommands(server: Server, documents: Documents): Record<string, () => unknown> {
  return {
    replace: async () => {
      const request = await askReplacement();
      const preview = request && (await server.call<EditPreview>('edit.preview', request));
      if (preview !== undefined) {
        await confirm(server, documents, preview);
      }
    },
  };
}

/** Return what is to be replaced by what, or undefined when a question is dismissed. */
async function askReplacement(): Promise<object | undefined> {
  const title = 'Replace in Workspace';
  const kind = await vscode.window.showQuickPick(KINDS, { title, placeHolder: 'What is replaced?', ignoreFocusOut: true });
  const pattern = kind && (await askLine(title, { prompt: `${kind.label} to look for`, value: here() }));
  if (!pattern) {
    return undefined;
  }
  const replacement = await askLine(title, { prompt: `What stands in place of ${pattern}; it may be nothing` });
  return replacement === undefined ? undefined : { pattern, replacement, ...kind.how };
}

/** Show the diff of PREVIEW, and change the files that the person leaves marked. */
async function confirm(server: Server, documents: Documents, preview: EditPreview): Promise<void> {
  const { files, what } = preview;
  if (files.length === 0) {
    void vscode.window.showInformationMessage(`Descartes: ${what}: there is nothing to change`);
    return;
  }
  await documents.show('Replace in Workspace', files.map(({ diff }) => diff).join(''), 'diff');
  const items = files.map((file) => ({ label: file.path, description: noteOf(file), picked: file.refused == null }));
  const title = `${what}: ${counted(preview.count, 'place')} in ${counted(files.length, 'file')}`;
  const options = { title, placeHolder: 'in which files', canPickMany: true, ignoreFocusOut: true } as const;
  const chosen = await vscode.window.showQuickPick(items, options);
  if (chosen === undefined || chosen.length === 0) {
    return;
  }
  const paths = chosen.map(({ label }) => label);
  const done = await server.call<{ files: unknown[] }>('edit.apply', { confirm: preview.id, paths });
  if (done !== undefined) {
    const changed = `Descartes: ${counted(done.files.length, 'file')} changed`;
    if ((await vscode.window.showInformationMessage(changed, 'Undo')) === 'Undo') {
      await vscode.commands.executeCommand('descartes.ui.undoRestore');
    }
  }
}

function noteOf({ count, refused }: FileEdit): string {
  return [counted(count, 'place'), refused].filter(Boolean).join('; ');
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Return what is selected, else the word at the cursor. */
function here(): string {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) {
    return '';
  }
  const { document, selection } = editor;
  const range = selection.isEmpty ? document.getWordRangeAtPosition(selection.active) : selection;
  return range === undefined ? '' : document.getText(range);
}

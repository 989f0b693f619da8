// Going through what runs did, and back to a moment of it.
import * as vscode from 'vscode';
import type { Run } from './protocol';
import type { Server } from './server';
import { fileHere } from './places';

const IMAGES = 'imagePreview.previewEditor';

/** Return the commands of the palette, and of the lines that stand for a run. */
export function timelineCommands(server: Server): Record<string, (run?: Run) => unknown> {
  return {
    runHistory: async (run) => {
      const chosen = run ?? (await chooseRun(server));
      return chosen && server.call('history.document', { run: chosen.id, show: true });
    },
    fileHistory: () => server.call('history.document', { ...fileHere(), show: true }),
    runPicture: (run) => showPicture(server, run === undefined ? {} : { run: run.id }),
    undoRestore: () => turn(server, 'undo'),
    redoRestore: () => turn(server, 'redo'),
  };
}

/**
 * Ask whether to go back to a moment, as the lens *restore here* says with PARAMS.
 *
 * The live image is offered too, where one ran at that moment.
 */
export async function askRestore(server: Server, params: object): Promise<unknown> {
  const all = { bodies: ['body', 'brain', 'image'], ...params };
  return (await server.ask('restore.preview', all)) ?? (await server.call('restore.preview', params));
}

async function chooseRun(server: Server): Promise<Run | undefined> {
  const result = await server.call<{ runs: Run[] }>('run.list');
  const items = (result?.runs ?? []).map((run) => ({ label: run.task, description: run.status, run }));
  if (items.length === 0) {
    void vscode.window.showInformationMessage('Descartes: no run was started here yet');
    return undefined;
  }
  return (await vscode.window.showQuickPick(items, { title: 'History of a Run' }))?.run;
}

async function showPicture(server: Server, params: object): Promise<void> {
  const picture = await server.call<{ path: string }>('history.picture', params);
  if (picture !== undefined) {
    await vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(picture.path), IMAGES);
  }
}

async function turn(server: Server, direction: 'undo' | 'redo'): Promise<void> {
  const done = await server.call<{ files: unknown[] }>(`restore.${direction}`);
  if (done !== undefined) {
    const count = done.files.length;
    const files = `${count} file${count === 1 ? '' : 's'}`;
    void vscode.window.showInformationMessage(
      direction === 'undo' ? `Descartes: the restore is undone: ${files}` : `Descartes: restored again: ${files}`,
    );
  }
}

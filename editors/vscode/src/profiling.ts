// The profiler: begun and ended by commands; its flame graph opens in a tab.
import * as vscode from 'vscode';
import type { Profile } from './protocol';
import type { Server } from './server';
import { askLine } from './asking';
import { placeHere } from './places';

const IMAGES = 'imagePreview.previewEditor';
const SPEEDSCOPE = 'Show the Speedscope File';
const REPORT = 'Show the Report';
const MODES: Record<string, string> = { cpu: 'processor time', alloc: 'allocation', time: 'time on the clock' };

/** Return the commands of the palette. */
export function profilingCommands(server: Server): Record<string, () => unknown> {
  return {
    profileForm: () => profile(server, () => placeHere()),
    profileCode: async () => {
      const code = await askLine('Profile', { placeHolder: 'a Lisp expression' });
      return code?.trim() ? profile(server, () => ({ code })) : undefined;
    },
    profileStart: async () => {
      const mode = await askMode();
      return mode && server.call('lisp.profileStart', { mode });
    },
    profileStop: async () => show(await server.call<Profile>('lisp.profileStop')),
  };
}

async function profile(server: Server, params: () => object): Promise<void> {
  const mode = await askMode();
  if (mode !== undefined) {
    const location = vscode.ProgressLocation.Window;
    const work = () => server.call<Profile>('lisp.profile', { ...params(), mode });
    await show(await vscode.window.withProgress({ location, title: 'Profiling' }, work));
  }
}

async function askMode(): Promise<string | undefined> {
  const items = Object.entries(MODES).map(([label, description]) => ({ label, description }));
  return (await vscode.window.showQuickPick(items, { title: 'Profile' }))?.label;
}

/** A profile without samples has no graph to look at. */
async function show(result: Profile | undefined): Promise<void> {
  if (result === undefined) {
    return;
  }
  if (result.samples > 0) {
    await vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(result.svg), IMAGES);
  }
  const [most] = result.flat;
  const first = most === undefined ? '' : `; most in ${most.name}: ${most.self}`;
  void offerFiles(`Descartes: ${result.samples} samples${first}`, result);
}

async function offerFiles(message: string, { speedscope, report }: Profile): Promise<void> {
  const chosen = await vscode.window.showInformationMessage(message, REPORT, SPEEDSCOPE);
  if (chosen !== undefined) {
    await vscode.window.showTextDocument(vscode.Uri.file(chosen === REPORT ? report : speedscope));
  }
}

// What everybody did to the image: shown, repeated in a fresh image, compared with another one.
import * as vscode from 'vscode';
import type { Comparison, Journal, Replay } from './protocol';
import type { Documents } from './documents';
import type { Server } from './server';
import { askLine } from './asking';

const REPLAY = 'Replay';

/** Return the commands of the palette. */
export function journalCommands(server: Server, documents: Documents): Record<string, () => unknown> {
  return {
    journal: () => show(server, documents),
    replay: () => replay(server, documents),
    compare: () => compare(server, documents),
  };
}

async function show(server: Server, documents: Documents): Promise<void> {
  const found = await server.call<Journal>('lisp.journal');
  const entries = (found?.entries ?? []).map(({ seq, kind, by, at, outcome, code, uri, package: inPackage }) => {
    const place = uri ? ` ${vscode.workspace.asRelativePath(vscode.Uri.parse(uri))}` : '';
    const when = new Date(at).toLocaleTimeString();
    const what = `;;; ${seq}  ${when}  ${by.name}: ${kind}${place}, ${outcome}, in ${inPackage ?? '?'}\n`;
    return code ? `${what}${code}\n` : what;
  });
  await documents.show('Journal', entries.join('\n'));
  await vscode.commands.executeCommand('cursorBottom');
}

async function replay(server: Server, documents: Documents): Promise<void> {
  const detail = 'All that was evaluated, compiled and loaded is done again in a fresh image, which takes its place.';
  const title = 'Replay the journal in a fresh image?';
  if ((await vscode.window.showInformationMessage(title, { modal: true, detail }, REPLAY)) !== REPLAY) {
    return;
  }
  const location = vscode.ProgressLocation.Notification;
  const work = () => server.call<Replay>('lisp.replay');
  const result = await vscode.window.withProgress({ location, title: 'Replaying' }, work);
  if (result !== undefined) {
    const skipped = result.skipped.map(({ seq, reason }) => `;;; ${seq} was not repeated: ${reason}`);
    await documents.show('Replay', `${[`;;; ${result.repeated} entries were repeated`, ...skipped].join('\n')}\n`);
  }
}

async function compare(server: Server, documents: Documents): Promise<void> {
  const prompt = 'host:port of another image, or replay: a fresh one with the journal repeated';
  const other = await askLine('Compare this image with', { value: 'replay', prompt });
  const found = other?.trim() ? await server.call<Comparison>('lisp.compare', { other: other.trim() }) : undefined;
  if (found !== undefined) {
    const lines = found.definitions.map(
      ({ name, kind, here, there }) => `${kind} ${name}\n    here    ${here ?? 'nothing'}\n    there   ${there ?? 'nothing'}\n`,
    );
    await documents.show('Comparison', lines.length === 0 ? 'The definitions are the same.\n' : lines.join('\n'), 'plaintext');
  }
}

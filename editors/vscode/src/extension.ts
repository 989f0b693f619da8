// Wires the server to the views and commands; decides nothing that the server can decide.
import * as vscode from 'vscode';
import { DidChangeConfigurationNotification, State } from 'vscode-languageclient/node';
import type { LanguageClient } from 'vscode-languageclient/node';
import { Breakpoints } from './breakpoints';
import { commands } from './commands';
import { debugCommands, debugging } from './debug';
import { Documents } from './documents';
import { DriftMarks, driftCommands } from './drift';
import { Exploring } from './exploring';
import { journalCommands } from './journal';
import { profilingCommands } from './profiling';
import { replacingCommands } from './replacing';
import { Server, makeClient } from './server';
import { onSettings, serverCommand, settings } from './settings';
import { systemCommands } from './systems';
import { askRestore, timelineCommands } from './timeline';
import { Views } from './views';
import type { Intervention, Run, StopKey } from './protocol';

const SETTINGS = 'Open Settings';

let client: LanguageClient | undefined;

/** Start the server and show what it says; returns the client, for other extensions and for tests. */
export async function activate(context: vscode.ExtensionContext): Promise<{ client: LanguageClient }> {
  const log = vscode.window.createOutputChannel('Descartes', { log: true });
  const asked: Record<string, (params: object) => Promise<unknown>> = {
    'debugger.restart': (params) => views.actions.invokeRestart(params as StopKey),
    'restore.preview': (params) => askRestore(server, params),
  };
  const running = makeClient(log, (operation, params) => (asked[operation] ?? call(operation))(params));
  client = running;
  const call = (operation: string) => (params: object) => server.call(operation, params);
  const server: Server = new Server(running, (operation, result) => views.outcomes.show(operation, result));
  const documents = new Documents();
  const views: Views = new Views(server, documents);
  views.listen(running);
  const media = vscode.Uri.joinPath(context.extensionUri, 'media');
  const breakpoints = new Breakpoints(server, media);
  context.subscriptions.push(log, views, documents, breakpoints, new DriftMarks(media));
  context.subscriptions.push(
    ...register({
      ...commands(server, documents),
      ...new Exploring(server, documents).commands(),
      ...systemCommands(server),
      ...timelineCommands(server),
      ...replacingCommands(server, documents),
      ...driftCommands(server),
      ...profilingCommands(server),
      ...journalCommands(server, documents),
      ...breakpoints.commands(),
      ...views.commands(),
      ...debugCommands(views.inspector),
      ...lineCommands(views),
    }),
    debugging(server),
    onSettings(() => void sendSettings(running)),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void server.call('workspace.trust', { trusted: true })),
    running.onDidChangeState(({ newState }) => {
      if (newState === State.Running) {
        views.refresh().catch((error: unknown) => log.error(String(error)));
      }
    }),
  );
  await start(running);
  return { client: running };
}

export function deactivate(): Promise<void> | undefined {
  return client?.needsStop() ? client.stop() : undefined;
}

function lineCommands(views: Views): Record<string, (argument: never) => unknown> {
  return {
    showOutput: () => views.printed.show(true),
    answer: (question?: Intervention) => views.questions.answer(question),
    pauseRun: (run?: Run) => run && views.runs.pause(run),
  };
}

function register(all: Record<string, (argument: never) => unknown>): vscode.Disposable[] {
  return Object.entries(all).map(([name, run]) => vscode.commands.registerCommand(`descartes.ui.${name}`, run));
}

async function sendSettings(running: LanguageClient): Promise<void> {
  if (running.isRunning()) {
    await running.sendNotification(DidChangeConfigurationNotification.type, { settings: { descartes: settings() } });
  }
}

async function start(running: LanguageClient): Promise<void> {
  try {
    await running.start();
  } catch (error) {
    void explain(error instanceof Error ? error.message : String(error));
  }
}

async function explain(reason: string): Promise<void> {
  const message =
    `Descartes: expected the server \`${serverCommand().join(' ')}\` to start, got: ${reason};` +
    ' install it with `pip install descartes-lsp`, or set descartes.server to its command';
  if ((await vscode.window.showErrorMessage(message, SETTINGS)) === SETTINGS) {
    await vscode.commands.executeCommand('workbench.action.openSettings', 'descartes.server');
  }
}

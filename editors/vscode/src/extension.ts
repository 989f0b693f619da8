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
const TOLD_MS = 5_000;

type Command = (argument: never) => unknown;
type Manifest = { contributes: { menus: { 'view/item/context': { command: string }[] } } };

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
    ...register(ofLines(context.extension.packageJSON as Manifest), {
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

function lineCommands(views: Views): Record<string, Command> {
  return {
    showOutput: () => views.printed.show(true),
    answer: (question?: Intervention) => views.questions.answer(question),
    pauseRun: (run?: Run) => run && views.runs.pause(run),
  };
}

/** Register ALL commands; those named in LINES are chosen on a line of a view. */
function register(lines: Set<string>, all: Record<string, Command>): vscode.Disposable[] {
  return Object.entries(all).map(([name, run]) => {
    const command = `descartes.ui.${name}`;
    return vscode.commands.registerCommand(command, lines.has(command) ? onLine(run) : run);
  });
}

function ofLines({ contributes }: Manifest): Set<string> {
  return new Set(contributes.menus['view/item/context'].map(({ command }) => command));
}

/** VS Code passes `undefined` for a line that is drawn anew while it is clicked: what was meant is not known then. */
function onLine(run: Command): (...given: never[]) => unknown {
  return (...given) =>
    given.length > 0 && given[0] === undefined
      ? vscode.window.setStatusBarMessage('Descartes: this line has just changed; choose it again', TOLD_MS)
      : run(...(given as [never]));
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

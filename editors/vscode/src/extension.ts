// Wires the server to the views and commands; decides nothing that the server can decide.
import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import * as protocol from './protocol';
import { editorCommands } from './commands';
import { DebuggerView } from './debuggerView';
import { RunsView } from './runsView';
import { Server, makeClient } from './server';

const STATE_ICONS: Record<protocol.LispStatus['state'], string> = {
  stopped: '$(circle-slash)',
  starting: '$(sync~spin)',
  ready: '$(circle-filled)',
  lost: '$(error)',
};

let client: LanguageClient | undefined;

function showStatus(item: vscode.StatusBarItem, status: protocol.LispStatus): void {
  const stops = status.stops > 0 ? ` $(debug-pause) ${status.stops}` : '';
  item.text = `${STATE_ICONS[status.state]} Lisp${stops}`;
  item.tooltip =
    status.state === 'ready'
      ? `${status.implementation} ${status.version}, pid ${status.pid}`
      : `Lisp is ${status.state}${status.reason ? `: ${status.reason}` : ''}`;
}

async function readInput(params: { prompt: string; kind: string }): Promise<{ text: string }> {
  const title = params.prompt || 'Lisp reads a line';
  if (params.kind === 'yesOrNo') {
    const picked = await vscode.window.showQuickPick(['yes', 'no'], { title, ignoreFocusOut: true });
    return { text: picked ?? 'no' };
  }
  return { text: (await vscode.window.showInputBox({ title, ignoreFocusOut: true })) ?? '' };
}

function listen(
  running: LanguageClient,
  stops: DebuggerView,
  runs: RunsView,
  status: vscode.StatusBarItem,
  printed: vscode.OutputChannel,
): void {
  running.onNotification(protocol.lispStatus, (params) => showStatus(status, params));
  running.onNotification(protocol.lispOutput, ({ text }) => printed.append(text));
  running.onNotification(protocol.lispEvaluated, () => undefined);
  running.onNotification(protocol.debuggerChanged, ({ debuggers }) => stops.update(debuggers));
  running.onNotification(protocol.leaseChanged, () => void runs.leasesChanged());
  running.onNotification(protocol.runChanged, (run) => runs.runChanged(run));
  running.onNotification(protocol.runOutput, () => undefined);
  running.onNotification(protocol.interventionChanged, ({ interventions }) => runs.questionsChanged(interventions));
  running.onNotification(protocol.historyEvent, () => undefined);
  running.onRequest(protocol.lispInput, readInput);
}

/** Start the server and show what it says; returns the client, for tests. */
export async function activate(context: vscode.ExtensionContext): Promise<{ client: LanguageClient }> {
  const log = vscode.window.createOutputChannel('Descartes');
  const printed = vscode.window.createOutputChannel('Lisp');
  const status = vscode.window.createStatusBarItem('descartes.status', vscode.StatusBarAlignment.Left);
  const running = makeClient(log);
  client = running;
  const server = new Server(running);
  const stops = new DebuggerView(server);
  const runs = new RunsView(server);
  listen(running, stops, runs, status, printed);
  status.command = 'descartes.ui.showOutput';
  showStatus(status, { state: 'stopped', stops: 0 });
  status.show();
  context.subscriptions.push(
    log,
    printed,
    status,
    vscode.window.registerTreeDataProvider('descartes.debugger', stops),
    vscode.window.registerTreeDataProvider('descartes.questions', runs.questions),
    vscode.window.registerTreeDataProvider('descartes.runs', runs.runs),
    vscode.window.registerTreeDataProvider('descartes.leases', runs.leases),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void server.call('workspace.trust', { trusted: true })),
  );
  const commands = { ...editorCommands(server, runs, printed), ...stops.commands() };
  for (const [name, command] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(`descartes.ui.${name}`, command));
  }
  try {
    await running.start();
  } catch (error) {
    const command = vscode.workspace.getConfiguration('descartes').get<string[]>('server', []).join(' ');
    void vscode.window.showErrorMessage(
      `Descartes: \`${command}\` did not start; install it with \`pip install descartes-lsp\`,` +
        ` or set descartes.server to its command (${error instanceof Error ? error.message : String(error)})`,
    );
  }
  return { client: running };
}

export function deactivate(): Promise<void> | undefined {
  return client?.stop();
}

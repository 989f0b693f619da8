// The commands of the palette: what each asks the server for, and how the answer is shown.
import * as vscode from 'vscode';
import type { Compilation, Evaluation, HistoryEvent, Intervention, Run } from './protocol';
import type { RunsView } from './runsView';
import type { Server } from './server';
import { showCompilation, showEvaluation } from './results';

type Command = (...args: never[]) => unknown;

function file(): { uri: string } {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) {
    throw new Error('open a Lisp file first');
  }
  return { uri: editor.document.uri.toString() };
}

function here(): { uri: string; position: vscode.Position } {
  const { uri } = file();
  return { uri, position: vscode.window.activeTextEditor!.selection.active };
}

async function evaluate(server: Server): Promise<void> {
  const selected = vscode.window.activeTextEditor?.document.getText(vscode.window.activeTextEditor.selection);
  const code = selected || (await vscode.window.showInputBox({ title: 'Evaluate', placeHolder: 'a Lisp expression' }));
  if (code) {
    showEvaluation(await server.call<Evaluation>('lisp.eval', { ...here(), code }));
  }
}

async function spawn(server: Server): Promise<void> {
  const task = await vscode.window.showInputBox({ title: 'Start a run', placeHolder: 'What is to be done?' });
  if (task) {
    await server.call<Run>('run.spawn', { task });
  }
}

async function takeOver(server: Server): Promise<void> {
  const reason = await vscode.window.showInputBox({
    title: 'Take over this file',
    prompt: "The holder's next write fails.",
    placeHolder: 'reason',
  });
  if (reason !== undefined) {
    await server.call('lease.steal', { ...file(), reason: reason || 'taken over in VS Code' });
  }
}

async function request(server: Server): Promise<void> {
  const message = await vscode.window.showInputBox({ title: 'Ask the holder', placeHolder: 'message' });
  if (message !== undefined) {
    await server.call('lease.request', { ...file(), message });
  }
}

async function history(server: Server): Promise<void> {
  const result = await server.call<{ events: HistoryEvent[] }>('history.list', { limit: 500 });
  const lines = (result?.events ?? []).map(
    (each) => `${String(each.seq).padStart(7)}  ${each.at.slice(11, 19)}  ${each.name.padEnd(26)}  ${each.actor.name}`,
  );
  const content = `    seq  time      event\n${lines.join('\n')}\n`;
  const document = await vscode.workspace.openTextDocument({ content, language: 'plaintext' });
  await vscode.window.showTextDocument(document, { preview: true });
}

/** Return the commands by the name that follows `descartes.ui.`. */
export function editorCommands(server: Server, runs: RunsView, printed: vscode.OutputChannel): Record<string, Command> {
  const compile = (operation: string, params: object) => server.call<Compilation>(operation, params).then(showCompilation);
  const evalForm = (scope: string) =>
    server.call<Evaluation>('lisp.evalForm', { ...here(), scope }).then(showEvaluation);
  return {
    eval: () => evaluate(server),
    evalForm: () => evalForm('toplevel'),
    evalLast: () => evalForm('last'),
    compileForm: () => compile('lisp.compileForm', here()),
    compileFile: () => compile('lisp.compileFile', file()),
    loadFile: () => compile('lisp.loadFile', file()),
    start: () => server.call('lisp.start'),
    stop: () => server.call('lisp.stop'),
    restart: () => server.call('lisp.restart'),
    interrupt: () => server.call('lisp.interrupt'),
    showOutput: () => printed.show(true),
    acquireLease: () => server.call('lease.acquire', file()),
    releaseLease: () => server.call('lease.release', file()),
    requestLease: () => request(server),
    takeOverLease: () => takeOver(server),
    spawn: () => spawn(server),
    stopRun: (run: Run) => server.call('run.stop', { run: run.id }),
    pauseRun: (run: Run) => runs.pause(run),
    answer: (question?: Intervention) => runs.answer(question),
    history: () => history(server),
  };
}

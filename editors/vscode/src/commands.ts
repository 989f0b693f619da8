// The commands of the palette: what each asks the server for.
import * as vscode from 'vscode';
import type { Documents } from './documents';
import type { HistoryEvent, Lease, LispStatus, Run } from './protocol';
import type { Server } from './server';
import { askLine } from './asking';
import { fileHere, placeHere } from './places';

const EVENTS = 500;
const ADDRESS = /^\s*(?:\[([^\]]+)\]|([^\s:[\]]+))\s*:\s*(\d{1,5})\s*$/;

type Command = (argument?: never) => unknown;

/** Return the commands by the name that follows `descartes.ui.`. */
export function commands(server: Server, documents: Documents): Record<string, Command> {
  const call = (operation: string, params: () => object = () => ({})) => async () => server.call(operation, params());
  return {
    eval: () => evaluate(server),
    evalForm: call('lisp.evalForm', () => ({ ...placeHere(), scope: 'toplevel' })),
    evalLast: call('lisp.evalForm', () => ({ ...placeHere(), scope: 'last' })),
    compileForm: call('lisp.compileForm', placeHere),
    compileFile: call('lisp.compileFile', file),
    loadFile: call('lisp.loadFile', file),
    start: call('lisp.start'),
    stop: call('lisp.stop'),
    restart: call('lisp.restart'),
    connect: () => connect(server),
    interrupt: call('lisp.interrupt'),
    acquireLease: call('lease.acquire', file),
    releaseLease: (lease?: Lease) => server.call('lease.release', file(lease)),
    requestLease: (lease?: Lease) => request(server, file(lease)),
    takeOverLease: (lease?: Lease) => takeOver(server, file(lease)),
    spawn: () => spawn(server),
    stopRun: (run?: Run) => run && server.call('run.stop', { run: run.id }),
    history: () => history(server, documents),
  };
}

function file(lease?: Lease): { uri: string } {
  return lease === undefined ? fileHere() : { uri: lease.uri };
}

async function evaluate(server: Server): Promise<void> {
  const active = vscode.window.activeTextEditor;
  const selected = active?.document.getText(active.selection);
  const code = selected || (await askLine('Evaluate', { placeHolder: 'a Lisp expression', ignoreFocusOut: false }));
  if (code) {
    await server.call('lisp.eval', active === undefined ? { code } : { ...placeHere(), code });
  }
}

/** Attach to the Swank server that runs where the person says. */
async function connect(server: Server): Promise<void> {
  const address = await askLine('Connect to a Running Lisp', {
    value: '127.0.0.1:4005',
    placeHolder: 'host:port of its Swank',
    validateInput: (text) => (ADDRESS.test(text) ? undefined : 'host:port is expected, such as 127.0.0.1:4005'),
  });
  const [, bracketed, plain, port] = ADDRESS.exec(address ?? '') ?? [];
  const host = bracketed ?? plain;
  if (host !== undefined) {
    const location = vscode.ProgressLocation.Window;
    const work = () => server.call<LispStatus>('lisp.connect', { host, port: Number(port) });
    const status = await vscode.window.withProgress({ location, title: `Connecting to ${host}:${port}` }, work);
    if (status !== undefined) {
      const what = [status.implementation, status.version].filter(Boolean).join(' ');
      void vscode.window.showInformationMessage(`Descartes: connected to ${what} at ${host}:${port}`);
    }
  }
}

async function spawn(server: Server): Promise<void> {
  const task = await askLine('Start a run', { placeHolder: 'what is to be done' });
  if (task) {
    await server.call<Run>('run.spawn', { task });
  }
}

async function takeOver(server: Server, params: { uri: string }): Promise<void> {
  const prompt = "The holder's next write fails.";
  const reason = await askLine('Take over this file', { prompt, placeHolder: 'reason' });
  if (reason !== undefined) {
    await server.call('lease.steal', reason === '' ? params : { ...params, reason });
  }
}

async function request(server: Server, params: { uri: string }): Promise<void> {
  const message = await askLine('Ask the holder for this file', { placeHolder: 'message' });
  if (message !== undefined) {
    await server.call('lease.request', message === '' ? params : { ...params, message });
  }
}

async function history(server: Server, documents: Documents): Promise<void> {
  const result = await server.call<{ events: HistoryEvent[] }>('history.list', { limit: EVENTS });
  const lines = (result?.events ?? []).map(
    ({ seq, at, name, actor }) =>
      `${String(seq).padStart(7)}  ${new Date(at).toLocaleTimeString()}  ${name.padEnd(26)}  ${actor.name}`,
  );
  await documents.show('history', `${lines.join('\n')}\n`, 'plaintext');
}

// VS Code's own debugger on the same image: where the adapter is, and what its protocol has no button for.
import * as vscode from 'vscode';
import type { Restart } from './protocol';
import type { Server } from './server';
import { askArguments, askExpression } from './asking';
import { serverCommand } from './settings';

const TYPE = 'descartes';
type Commands = Record<string, (argument: never) => unknown>;

/** Let sessions of our type begin; SERVER is told that the person trusts the folder, which the adapter looks up. */
export function debugging(server: Server): vscode.Disposable {
  return vscode.Disposable.from(
    vscode.debug.registerDebugAdapterDescriptorFactory(TYPE, { createDebugAdapterDescriptor: adapter }),
    vscode.debug.registerDebugConfigurationProvider(TYPE, {
      resolveDebugConfiguration: (folder, configuration) => resolve(server, folder, configuration),
    }),
  );
}

/** The inspector: it opens what a recipe of the adapter leads to. */
interface Inspecting {
  openAlong(root: object, path: number[]): Promise<void>;
}

/** A line of the debugger's variables, as its menu names it. */
interface Chosen {
  container: { variablesReference: number };
  variable: { name: string };
}

/** Return the commands for what a debugger of Lisp can do beside those that others can. */
export function debugCommands(inspector: Inspecting): Commands {
  return {
    debugRestart: invokeRestart,
    debugReturn: returnFromFrame,
    debugInspect: (chosen: Chosen) => inspect(inspector, chosen),
  };
}

/** Return how the adapter is started: the server's own program, asked for another of its parts. */
function adapter(): vscode.DebugAdapterExecutable {
  const [command, ...args] = serverCommand();
  const own = args.lastIndexOf('lsp');
  return new vscode.DebugAdapterExecutable(command, [...(own < 0 ? args : args.slice(0, own)), 'dap']);
}

async function resolve(
  server: Server,
  folder: vscode.WorkspaceFolder | undefined,
  given: vscode.DebugConfiguration,
): Promise<vscode.DebugConfiguration> {
  if (vscode.workspace.isTrusted) {
    await server.call('workspace.trust', { trusted: true });
  }
  // Without a launch.json nothing is given at all.
  const { type, request, name } = { ...given, type: given.type || TYPE };
  return {
    workspace: (folder ?? vscode.workspace.workspaceFolders?.[0])?.uri.fsPath,
    ...given,
    type,
    request: request || 'attach',
    name: name || 'Attach to the Lisp image',
  };
}

/** Leave the stop that the debugger shows by a restart that the person picks, with its arguments. */
async function invokeRestart(): Promise<void> {
  const { session, threadId } = await shown();
  const { level, restarts } = (await session.customRequest('descartes/restarts', { threadId })) as {
    level: number;
    restarts: Restart[];
  };
  const picked = await vscode.window.showQuickPick(
    restarts.map((restart) => ({ label: `${restart.index} ${restart.name}`, description: restart.description, restart })),
    { title: 'Leave the stop by', matchOnDescription: true },
  );
  const given = picked && (await askArguments(picked.restart, []));
  if (picked && given) {
    const { index } = picked.restart;
    await session.customRequest('descartes/invokeRestart', { threadId, level, index, arguments: given });
  }
}

/** Return the value of what the person types from the frame that the debugger shows. */
async function returnFromFrame(): Promise<void> {
  const { session, frameId } = await shown();
  const value = frameId === undefined ? undefined : await askExpression('Return from frame', 'its value');
  if (value !== undefined) {
    await session.customRequest('descartes/returnFromFrame', { frameId, value });
  }
}

/** Look into a variable in the inspector, from where one can go into its parts and come back. */
async function inspect(inspector: Inspecting, { container, variable }: Chosen): Promise<void> {
  const session = vscode.debug.activeDebugSession;
  const { variablesReference } = container;
  const place = (await session?.customRequest('descartes/inspect', { variablesReference, name: variable.name })) as
    | { root: object; path: number[] }
    | undefined;
  if (place !== undefined) {
    await inspector.openAlong(place.root, place.path);
  }
}

interface Shown {
  session: vscode.DebugSession;
  threadId: number;
  frameId?: number;
}

async function shown(): Promise<Shown> {
  const session = vscode.debug.activeDebugSession;
  if (session?.type !== TYPE) {
    throw new Error('expected a debug session of Descartes, there is none; start one');
  }
  const item = vscode.debug.activeStackItem;
  if (item?.session.id === session.id) {
    return { session, threadId: item.threadId, ...('frameId' in item ? { frameId: item.frameId } : {}) };
  }
  throw new Error('expected a stopped thread to be chosen in the call stack, there is none; choose one');
}

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

/** Return the commands for what a debugger of Lisp can do beside those that others can. */
export function debugCommands(): Commands {
  return { debugRestart: invokeRestart, debugReturn: returnFromFrame };
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

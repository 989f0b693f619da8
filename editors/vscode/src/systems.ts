// Systems: loaded, compiled and reloaded by name.
import * as vscode from 'vscode';
import type { Compilation, System } from './protocol';
import type { Server } from './server';

const OTHER = 'Another system…';

/** Return the commands of the palette. */
export function systemCommands(server: Server): Record<string, () => unknown> {
  return {
    loadSystem: () => operate(server, 'lisp.loadSystem', 'Load System'),
    compileSystem: () => operate(server, 'lisp.compileSystem', 'Compile System'),
    reloadSystem: () => run(server, 'lisp.reloadSystem', 'Reload', {}),
  };
}

async function operate(server: Server, operation: string, title: string): Promise<void> {
  const system = await pickSystem(server, title);
  if (system) {
    await run(server, operation, `${title} ${system}`, { system });
  }
}

async function pickSystem(server: Server, title: string): Promise<string | undefined> {
  const found = await server.call<{ systems: System[] }>('lisp.systems');
  const items = (found?.systems ?? []).map(({ name, loaded }) => ({ label: name, description: loaded ? 'loaded' : '' }));
  const picked = await vscode.window.showQuickPick([...items, { label: OTHER }], { title });
  return picked?.label === OTHER ? vscode.window.showInputBox({ title, placeHolder: 'its name' }) : picked?.label;
}

async function run(server: Server, operation: string, title: string, params: object): Promise<void> {
  const location = vscode.ProgressLocation.Window;
  const result = await vscode.window.withProgress({ location, title }, () => server.call<Compilation>(operation, params));
  if (result?.message) {
    void vscode.window.showWarningMessage(`Descartes: ${result.message}`);
  }
}

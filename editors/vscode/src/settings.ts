// What the person set, in the server's own names.
import * as vscode from 'vscode';

const SECTION = 'descartes';
type Manifest = { contributes: { configuration: { properties: Record<string, unknown> } } };
const OWN = `${SECTION}.server`;

/** Return the names of the server's settings, without the section: those that package.json offers. */
function names(): string[] {
  const manifest = vscode.extensions.getExtension('descartes.descartes')?.packageJSON as Manifest | undefined;
  const offered = Object.keys(manifest?.contributes.configuration.properties ?? {});
  return offered.filter((name) => name !== OWN).map((name) => name.slice(SECTION.length + 1));
}

/** Return the server's command and its arguments. */
export function serverCommand(): [string, ...string[]] {
  const [command = 'descartes', ...args] = vscode.workspace.getConfiguration(SECTION).get<string[]>('server', []);
  return [command, ...args];
}

/**
 * Return the settings that the person set, nested as in descartes.toml.
 *
 * Defaults are left out: sent along, they would count over the workspace's descartes.toml.
 */
export function settings(): Record<string, Record<string, unknown>> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const found: Record<string, Record<string, unknown>> = {};
  for (const name of names()) {
    const given = configuration.inspect(name);
    const set = [given?.globalValue, given?.workspaceValue, given?.workspaceFolderValue];
    if (set.some((value) => value !== undefined)) {
      const [section, key] = name.split('.') as [string, string];
      (found[section] ??= {})[key] = configuration.get(name);
    }
  }
  return found;
}

/** Call CHANGED with the settings whenever the person changes one. */
export function onSettings(changed: (now: object) => void): vscode.Disposable {
  return vscode.workspace.onDidChangeConfiguration((event) => {
    if (event.affectsConfiguration(SECTION)) {
      changed(settings());
    }
  });
}

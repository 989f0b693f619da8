// The connection to the server: how it is started, and how an operation is asked for.
import * as vscode from 'vscode';
import { LanguageClient } from 'vscode-languageclient/node';
import type { ClientCapabilities, FeatureState, StaticFeature } from 'vscode-languageclient/node';

/** Tells the server that its own notifications are wanted. */
class Notifications implements StaticFeature {
  fillClientCapabilities(capabilities: ClientCapabilities): void {
    capabilities.experimental = { ...(capabilities.experimental as object), descartes: { notifications: true } };
  }
  initialize(): void {}
  getState(): FeatureState {
    return { kind: 'static' };
  }
  clear(): void {}
}

/** Return the settings that differ from their defaults, nested as in descartes.toml. */
export function settings(): Record<string, Record<string, unknown>> {
  const configuration = vscode.workspace.getConfiguration('descartes');
  const found: Record<string, Record<string, unknown>> = {};
  for (const name of ['lisp.command', 'lisp.autostart', 'diagnostics.compileOnSave', 'leases.ttlSeconds']) {
    const value = configuration.get<unknown>(name);
    const given = configuration.inspect(name);
    const set = given?.globalValue ?? given?.workspaceValue ?? given?.workspaceFolderValue;
    if (set !== undefined && !(Array.isArray(value) && value.length === 0)) {
      const [section, key] = name.split('.') as [string, string];
      (found[section] ??= {})[key] = value;
    }
  }
  return found;
}

/** Return a client that is not started yet. */
export function makeClient(output: vscode.OutputChannel): LanguageClient {
  const [command, ...args] = vscode.workspace.getConfiguration('descartes').get<string[]>('server', []);
  const client = new LanguageClient(
    'descartes',
    'Descartes',
    { command: command ?? 'descartes', args },
    {
      documentSelector: [{ language: 'commonlisp' }],
      outputChannel: output,
      initializationOptions: () => ({ trusted: vscode.workspace.isTrusted, settings: settings() }),
      synchronize: { configurationSection: 'descartes' },
    },
  );
  client.registerFeature(new Notifications());
  return client;
}

/** Asks for operations; an error is shown as the server's one sentence. */
export class Server {
  constructor(private readonly client: LanguageClient) {}

  /** Return the result of OPERATION, or undefined after its error was shown. */
  async call<Result>(operation: string, params: object = {}): Promise<Result | undefined> {
    try {
      return await this.request<Result>(operation, params);
    } catch (error) {
      void vscode.window.showWarningMessage(`Descartes: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }

  /** Return the result of OPERATION. Throws the server's error. */
  request<Result>(operation: string, params: object = {}): Promise<Result> {
    return this.client.sendRequest('workspace/executeCommand', {
      command: `descartes.${operation}`,
      arguments: [params],
    });
  }
}

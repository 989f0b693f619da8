// The connection to the server: how it is started, and how an operation is asked for.
import * as vscode from 'vscode';
import { LanguageClient, ResponseError, State } from 'vscode-languageclient/node';
import type { ClientCapabilities, FeatureState, StaticFeature } from 'vscode-languageclient/node';
import type { LanguageClientOptions } from 'vscode-languageclient/node';
import { serverCommand, settings } from './settings';

/** What the server writes to be looked at, and the settings files. */
const OUR_FILES = ['**/.descartes/views/**', '**/descartes.toml', '**/.descartes/config.toml'];
const NOT_TRUSTED = 'workspace_not_trusted';
const MANAGE_TRUST = 'Manage Workspace Trust';

type Execute = (operation: string, params: object) => Promise<unknown>;
type Shown = (operation: string, result: unknown) => void;
/** A way to go on after a refusal: the same operation with ARGUMENTS. */
type Way = { title: string; arguments: object };

/** Tells the server that its own notifications are wanted. */
class Notifications implements StaticFeature {
  fillClientCapabilities(capabilities: ClientCapabilities): void {
    capabilities.experimental = {
      ...(capabilities.experimental as object),
      descartes: { notifications: true, commandLinks: { inspect: 'descartes.ui.inspectValue' } },
    };
  }
  initialize(): void {}
  getState(): FeatureState {
    return { kind: 'static' };
  }
  clear(): void {}
}

/** A client whose failure to start is told once, in our words. */
class Client extends LanguageClient {
  override error(message: string, data?: unknown, show?: boolean | 'force'): void {
    super.error(message, data, this.state === State.Running ? show : false);
  }
}

/** Return a client that is not started yet; the server's commands in lenses and quick fixes go to EXECUTE. */
export function makeClient(output: vscode.OutputChannel, execute: Execute): LanguageClient {
  const [command, ...args] = serverCommand();
  const options: LanguageClientOptions = {
    documentSelector: [
      ...['commonlisp', 'lisp'].flatMap((language) => [
        { language, scheme: 'file' },
        { language, scheme: 'untitled' },
      ]),
      ...OUR_FILES.map((pattern) => ({ scheme: 'file', pattern })),
    ],
    outputChannel: output,
    initializationOptions: () => ({ trusted: vscode.workspace.isTrusted, settings: settings() }),
    // Links in hovers; nothing else of them is executed.
    markdown: { isTrusted: { enabledCommands: ['descartes.ui.inspectValue'] } },
    middleware: {
      executeCommand: (name, given: object[]) => execute(name.replace(/^descartes\./, ''), given[0] ?? {}),
      workspace: {
        configuration: ({ items }) => items.map((item) => (item.section === 'descartes' ? settings() : null)),
      },
    },
  };
  const client = new Client('descartes', 'Descartes', { command, args }, options);
  client.registerFeature(new Notifications());
  return client;
}

/** Asks for operations, has their outcomes shown, and shows an error as the server's one sentence. */
export class Server {
  constructor(
    private readonly client: LanguageClient,
    private readonly shown: Shown,
  ) {}

  /**
   * Return the result of OPERATION, or undefined after its error was shown.
   *
   * Where the refusal names other ways to go on (`data.choices`), they are buttons below it.
   */
  async call<Result>(operation: string, params: object = {}): Promise<Result | undefined> {
    try {
      const result = await this.request<Result>(operation, params);
      this.shown(operation, result);
      return result;
    } catch (error) {
      const ways = dataOf(error)?.choices ?? [];
      const chosen = await (ways.length > 0 ? chooseWay(error, ways) : void showError(error));
      return chosen && this.call(operation, { ...params, ...chosen.arguments });
    }
  }

  /** Return the result of OPERATION, or undefined where there is none; its error is not shown. */
  async ask<Result>(operation: string, params: object = {}): Promise<Result | undefined> {
    try {
      return await this.request<Result>(operation, params);
    } catch {
      return undefined;
    }
  }

  /** Offer the way out when ERROR, which was shown elsewhere, is that the workspace is not trusted. */
  explainTrust(error: unknown): void {
    if (codeOf(error) === NOT_TRUSTED) {
      void showError(error);
    }
  }

  /** Return the result of OPERATION, which a TOKEN can cancel. Throws the server's error. */
  request<Result>(operation: string, params: object = {}, token?: vscode.CancellationToken): Promise<Result> {
    const command = { command: `descartes.${operation}`, arguments: [params] };
    const method = 'workspace/executeCommand';
    return token ? this.client.sendRequest(method, command, token) : this.client.sendRequest(method, command);
  }
}

function dataOf(error: unknown): { code?: string; choices?: Way[] } | undefined {
  return error instanceof ResponseError ? (error.data as ReturnType<typeof dataOf>) : undefined;
}

function codeOf(error: unknown): string | undefined {
  return dataOf(error)?.code;
}

/** Return which of WAYS the person chose below ERROR, or undefined. */
async function chooseWay(error: unknown, ways: Way[]): Promise<Way | undefined> {
  const title = await vscode.window.showWarningMessage(told(error), ...ways.map((way) => way.title));
  return ways.find((way) => way.title === title);
}

async function showError(error: unknown): Promise<void> {
  const message = told(error);
  if (codeOf(error) !== NOT_TRUSTED) {
    void vscode.window.showWarningMessage(message);
  } else if ((await vscode.window.showWarningMessage(message, MANAGE_TRUST)) === MANAGE_TRUST) {
    await vscode.commands.executeCommand('workbench.trust.manage');
  }
}

function told(error: unknown): string {
  return `Descartes: ${error instanceof Error ? error.message : String(error)}`;
}

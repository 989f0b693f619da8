// The tests of the workspace in VS Code's own test explorer.
import * as vscode from 'vscode';
import type { Test, TestRun } from './protocol';
import type { Server } from './server';
import { rangeOf } from './places';
import { TestSession } from './testSession';

type System = { name: string; tests: boolean; uri?: string | null };

const LANGUAGE = 'commonlisp';
const LONGEST_SAVING_MS = 3000;
const ENDED = new Set(['done', 'aborted', 'lost']);

export class TestExplorer implements vscode.Disposable {
  private readonly controller = vscode.tests.createTestController('descartes.tests', 'Common Lisp');
  private readonly listening: vscode.Disposable[];
  private readonly sessions = new Set<TestSession>();

  constructor(private readonly server: Server) {
    const { Run, Debug } = vscode.TestRunProfileKind;
    this.controller.refreshHandler = () => this.refresh();
    this.controller.createRunProfile('Run', Run, (request, token) => this.run(request, false, token), true);
    this.controller.createRunProfile('Debug', Debug, (request, token) => this.run(request, true, token), true);
    this.listening = [
      vscode.workspace.onDidSaveTextDocument((document) => this.changed(document)),
      vscode.workspace.onDidOpenTextDocument((document) => this.changed(document)),
    ];
  }

  /** Find the tests of the workspace anew. */
  async refresh(): Promise<void> {
    const systems = (await this.server.ask<{ systems: System[] }>('lisp.systems'))?.systems ?? [];
    const tests = (await this.server.ask<{ tests: Test[] }>('lisp.tests'))?.tests ?? [];
    this.controller.items.replace([]);
    systems.filter((each) => each.tests).forEach(({ name, uri }) => this.systemItem(name, uri));
    tests.forEach((test) => this.add(test));
  }

  /** Take in what the server told of a run of tests, whoever began it. */
  tested(told: TestRun): void {
    let session = [...this.sessions].find((each) => each.isAbout(told));
    if (session === undefined) {
      session = new TestSession(this.controller.createTestRun(new vscode.TestRunRequest()), told.system, this.byId());
      this.sessions.add(session);
    }
    session.take(told);
    if (ENDED.has(told.state)) {
      session.end(told);
      this.sessions.delete(session);
    }
  }

  dispose(): void {
    [this.controller, ...this.listening].forEach((each) => each.dispose());
  }

  private async changed(document: vscode.TextDocument): Promise<void> {
    if (document.languageId !== LANGUAGE || document.uri.scheme !== 'file') {
      return;
    }
    const uri = document.uri.toString();
    const found = await this.server.ask<{ tests: Test[] }>('lisp.tests', { uri });
    if (found !== undefined) {
      const names = new Set(found.tests.map(({ name }) => name));
      const gone = this.items().filter((item) => item.uri?.toString() === uri && !isGroup(item) && !names.has(item.id));
      gone.forEach((item) => item.parent?.children.delete(item.id));
      found.tests.forEach((test) => this.add(test));
    }
  }

  private add(test: Test): void {
    const group = test.system ? this.systemItem(test.system) : this.fileItem(test.uri);
    const item = this.controller.createTestItem(test.name, shortName(test.name), vscode.Uri.parse(test.uri));
    item.range = rangeOf(test.range);
    item.description = test.suite?.toLowerCase() ?? '';
    group.children.add(item);
  }

  private systemItem(name: string, uri?: string | null): vscode.TestItem {
    return this.group(`system:${name}`, name, uri);
  }

  private fileItem(uri: string): vscode.TestItem {
    return this.group(`file:${uri}`, vscode.workspace.asRelativePath(vscode.Uri.parse(uri)), uri);
  }

  private group(id: string, label: string, uri?: string | null): vscode.TestItem {
    const known = this.controller.items.get(id);
    const item = known ?? this.controller.createTestItem(id, label, uri ? vscode.Uri.parse(uri) : undefined);
    this.controller.items.add(item);
    return item;
  }

  private byId(): Map<string, vscode.TestItem> {
    return new Map(this.items().map((item) => [item.id, item]));
  }

  private items(): vscode.TestItem[] {
    const groups = [...this.controller.items].map(([, item]) => item);
    return groups.flatMap((group) => [group, ...[...group.children].map(([, item]) => item)]);
  }

  /** Run what REQUEST includes: of each system one run, of tests that belong to none one each. */
  private async run(request: vscode.TestRunRequest, debug: boolean, token: vscode.CancellationToken): Promise<void> {
    const excluded = new Set(request.exclude?.map(({ id }) => id));
    const included = request.include ?? this.items().filter((item) => item.parent === undefined);
    const run = this.controller.createTestRun(request);
    await saveAll();
    for (const [group, tests] of byGroup(included.filter(({ id }) => !excluded.has(id)))) {
      if (!token.isCancellationRequested) {
        await this.runGroup(run, group, tests, debug, token);
      }
    }
    run.end();
  }

  private async runGroup(
    run: vscode.TestRun,
    group: vscode.TestItem,
    tests: vscode.TestItem[],
    debug: boolean,
    token: vscode.CancellationToken,
  ): Promise<void> {
    const system = systemOf(group);
    const whole = tests.length === 0;
    const items = whole ? [group, ...[...group.children].map(([, item]) => item)] : tests;
    if (system !== undefined) {
      const only = tests.map(({ id }) => id);
      await this.perform(run, items, 'lisp.testSystem', { system, only, debug }, token);
      return;
    }
    for (const item of items.filter((each) => !isGroup(each))) {
      await this.perform(run, [item], 'lisp.runTest', { uri: item.uri?.toString(), name: item.id, debug }, token);
    }
  }

  private async perform(
    run: vscode.TestRun,
    items: vscode.TestItem[],
    operation: string,
    params: { system?: string; only?: string[]; uri?: string | undefined; name?: string; debug: boolean },
    token: vscode.CancellationToken,
  ): Promise<void> {
    const session = new TestSession(run, params.system, this.byId(), items);
    this.sessions.add(session);
    try {
      const told = await this.server.request<TestRun>(operation, params, token);
      session.take(told);
      if (!ENDED.has(told.state)) {
        await Promise.race([session.ended, cancelled(token)]);
      }
      session.end(told);
    } catch (error) {
      session.fail(error instanceof Error ? error.message : String(error), token.isCancellationRequested);
      this.server.explainTrust(error);
    } finally {
      this.sessions.delete(session);
    }
  }
}

/** Save what is to be tested, where a person wants that: VS Code begins to, and does not wait for it. */
async function saveAll(): Promise<void> {
  if (vscode.workspace.getConfiguration('testing').get('saveBeforeTest', true)) {
    const unsaved = vscode.workspace.textDocuments.filter(({ isDirty, uri }) => isDirty && uri.scheme === 'file');
    await Promise.all(unsaved.map(save));
  }
}

/** Save DOCUMENT; while VS Code itself saves it that is refused, and the end of that is waited for. */
async function save(document: vscode.TextDocument): Promise<void> {
  if ((await document.save()) || !document.isDirty) {
    return;
  }
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      listener.dispose();
      resolve();
    };
    const timer = setTimeout(end, LONGEST_SAVING_MS);
    const listener = vscode.workspace.onDidSaveTextDocument((saved) => saved === document && end());
  });
}

function byGroup(included: readonly vscode.TestItem[]): Map<vscode.TestItem, vscode.TestItem[]> {
  const groups = new Map<vscode.TestItem, vscode.TestItem[]>();
  included.filter(isGroup).forEach((group) => groups.set(group, []));
  for (const item of included) {
    if (item.parent !== undefined && !included.includes(item.parent)) {
      groups.set(item.parent, [...(groups.get(item.parent) ?? []), item]);
    }
  }
  return groups;
}

function isGroup(item: vscode.TestItem): boolean {
  return item.parent === undefined;
}

function systemOf({ id }: vscode.TestItem): string | undefined {
  return id.startsWith('system:') ? id.slice('system:'.length) : undefined;
}

function shortName(name: string): string {
  return name.slice(name.lastIndexOf(':') + 1).toLowerCase();
}

function cancelled(token: vscode.CancellationToken): Promise<void> {
  return new Promise((resolve) => token.onCancellationRequested(() => resolve()));
}

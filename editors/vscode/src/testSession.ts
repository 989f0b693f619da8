// One run of tests in the test explorer: what is told of it becomes the state of its items.
import * as vscode from 'vscode';
import type { TestResult, TestRun } from './protocol';

export class TestSession {
  private readonly told = new Set<string>();
  /** The message of the last result that is no test's of its own: of a whole system. */
  private said = '';
  private settle: () => void = () => undefined;
  /** Ends when the server has told that the run has ended. */
  readonly ended = new Promise<void>((resolve) => (this.settle = resolve));

  /**
   * ITEMS are all there are, by id; those of ASKED are begun. A test operation may run tests of other systems.
   *
   * Without ASKED somebody else began the run, and RUN ends with it.
   */
  constructor(
    private readonly run: vscode.TestRun,
    private readonly system: string | null | undefined,
    private readonly items: Map<string, vscode.TestItem>,
    private readonly asked?: vscode.TestItem[],
  ) {
    asked?.forEach((item) => run.started(item));
  }

  /** Return whether TOLD is told of this run. */
  isAbout({ system, results }: TestRun): boolean {
    const isAsked = ({ name }: TestResult): boolean => this.asked?.some(({ id }) => id === name) ?? false;
    return (system ?? undefined) === (this.system ?? undefined) || results.some(isAsked);
  }

  /** Show the results of TOLD that were not shown yet. */
  take({ results }: TestRun): void {
    for (const result of results) {
      if (!this.told.has(result.name)) {
        this.told.add(result.name);
        this.show(result);
      }
    }
  }

  /** Show how the whole has ended; a system whose tests are not known one by one is itself a test. */
  end({ success, message, output, durationMs, system, counts }: TestRun): void {
    const group = this.items.get(`system:${system}`);
    if (group !== undefined && group.children.size === 0) {
      const bad = counts.failed + counts.error;
      if (success) {
        this.run.passed(group, durationMs);
      } else if (bad === 0 && counts.unknown > 0) {
        this.run.skipped(group);
        this.print(`${this.said}\n`, group);
      } else {
        this.run.failed(group, new vscode.TestMessage(message ?? (this.said || `${bad} failed`)), durationMs);
      }
      this.print(output, group);
    } else if (message) {
      this.fail(message, false);
    }
    this.settle();
    if (this.asked === undefined) {
      this.run.end();
    }
  }

  /** Say that what has no result has none because of REASON. */
  fail(reason: string, isCancelled: boolean): void {
    for (const item of this.asked ?? []) {
      if (!this.told.has(item.id) && item.children.size === 0) {
        if (isCancelled) {
          this.run.skipped(item);
        } else {
          this.run.errored(item, new vscode.TestMessage(reason));
        }
      }
    }
    this.print(`${reason}\n`);
  }

  private show({ name, status, message, location, durationMs, output }: TestResult): void {
    const item = this.items.get(name);
    this.print(output ?? '', item);
    if (item === undefined) {
      this.said = message ?? '';
      return;
    }
    const said = new vscode.TestMessage(message ?? status);
    if (location) {
      said.location = placeOf(location);
    }
    switch (status) {
      case 'passed':
        return this.run.passed(item, durationMs);
      case 'failed':
        return this.run.failed(item, said, durationMs);
      case 'error':
        return this.run.errored(item, said, durationMs);
      case 'skipped':
      case 'unknown':
        return this.run.skipped(item);
    }
  }

  private print(text: string, item?: vscode.TestItem): void {
    if (text !== '') {
      this.run.appendOutput(text.replace(/\r?\n/g, '\r\n'), undefined, item);
    }
  }
}

/** The message stands at the form's first line. */
function placeOf({ uri, range: { start } }: NonNullable<TestResult['location']>): vscode.Location {
  return new vscode.Location(vscode.Uri.parse(uri), new vscode.Position(start.line, start.character));
}

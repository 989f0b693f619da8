// Breakpoints at functions and forms, and breaking when a condition is signalled.
import * as vscode from 'vscode';
import type { Breakpoint } from './protocol';
import type { Server } from './server';
import { askLine } from './asking';
import { placeHere, rangeOf, symbolAtCursor } from './places';

export class Breakpoints implements vscode.Disposable {
  private breakpoints: Breakpoint[] = [];
  private readonly dot: vscode.TextEditorDecorationType;
  private readonly listening = vscode.window.onDidChangeVisibleTextEditors(() => this.mark());

  constructor(
    private readonly server: Server,
    media: vscode.Uri,
  ) {
    this.dot = vscode.window.createTextEditorDecorationType({
      gutterIconPath: vscode.Uri.joinPath(media, 'breakpoint.svg'),
      gutterIconSize: 'contain',
    });
  }

  /** Return the commands of the palette. */
  commands(): Record<string, () => unknown> {
    return {
      breakAtFunction: () => this.atFunction(),
      breakAtForm: () => this.set(placeHere()),
      breakpoints: () => this.choose(),
      breakOnSignals: () => this.onSignals(),
    };
  }

  dispose(): void {
    [this.dot, this.listening].forEach((each) => each.dispose());
  }

  private async atFunction(): Promise<void> {
    const { symbol, ...place } = symbolAtCursor();
    const name = await askLine('Break at the calls of', { value: symbol, placeHolder: 'the name of a function' });
    if (name?.trim()) {
      await this.set({ ...place, symbol: name.trim() });
    }
  }

  private async set(params: object): Promise<void> {
    const prompt = 'Stop only when this is true; empty: always.';
    const condition = await askLine('Condition', { prompt, placeHolder: 'a Lisp expression, or nothing' });
    if (condition === undefined) {
      return;
    }
    const made = await this.server.call<Breakpoint>('debugger.breakpoints.set', {
      ...params,
      ...(condition.trim() ? { condition } : {}),
    });
    if (made && !made.verified) {
      void vscode.window.showWarningMessage(`Descartes: ${made.message ?? 'this breakpoint stops nothing yet'}`);
    }
    await this.refresh();
  }

  /** Show the breakpoints there are; one that is chosen is taken away. */
  private async choose(): Promise<void> {
    await this.refresh();
    const items = this.breakpoints.map((each) => ({
      label: `$(debug-breakpoint) ${each.symbol ?? placeOf(each)}`,
      description: [each.condition, `${each.hits} times reached`].filter(Boolean).join(', '),
      id: each.id,
    }));
    const title = items.length === 0 ? 'No breakpoint is set' : 'Breakpoints; the chosen ones are taken away';
    for (const { id } of (await vscode.window.showQuickPick(items, { title, canPickMany: true })) ?? []) {
      await this.server.call('debugger.breakpoints.clear', { id });
    }
    await this.refresh();
  }

  private async onSignals(): Promise<void> {
    const prompt = 'Code stops where it signals a condition of this type, handled or not; empty: it does not.';
    const type = await askLine('Break on signals', { prompt, placeHolder: 'such as warning, or nothing' });
    if (type !== undefined) {
      await this.server.call('debugger.breakOnSignals', type.trim() ? { type } : {});
    }
  }

  private async refresh(): Promise<void> {
    const found = await this.server.ask<{ breakpoints: Breakpoint[] }>('debugger.breakpoints.list');
    this.breakpoints = found?.breakpoints ?? [];
    this.mark();
  }

  private mark(): void {
    for (const editor of vscode.window.visibleTextEditors) {
      const places = this.breakpoints.flatMap(({ location }) => (location ? [location] : []));
      const here = places.filter(({ uri }) => vscode.Uri.parse(uri).toString() === editor.document.uri.toString());
      editor.setDecorations(
        this.dot,
        here.map(({ range }) => new vscode.Range(rangeOf(range).start, rangeOf(range).start)),
      );
    }
  }
}

function placeOf({ uri, range }: Breakpoint): string {
  const file = uri ? vscode.workspace.asRelativePath(vscode.Uri.parse(uri)) : '';
  return range ? `${file}, line ${range.start.line + 1}` : file;
}

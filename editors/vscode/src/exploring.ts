// Looking around in the image: what a symbol is, what a form expands to, which symbols there are.
import * as vscode from 'vscode';
import type { Documents } from './documents';
import type { Expansion, FoundSymbol, Reference, Removed } from './protocol';
import type { Server } from './server';
import { askLine } from './asking';
import { activeEditor, locationOf, placeHere, rangeOf, symbolAtCursor } from './places';

const KINDS: Record<string, string> = {
  callers: 'who calls it',
  callees: 'what it calls',
  references: 'who reads it',
  sets: 'who sets it',
  binds: 'who binds it',
  macroexpands: 'who expands it',
  specializes: 'which methods specialize on it',
};

type Mode = '1' | 'all' | 'compiler';

export class Exploring {
  constructor(
    private readonly server: Server,
    private readonly documents: Documents,
  ) {}

  /** Return the commands of the palette. */
  commands(): Record<string, () => unknown> {
    return {
      describe: () => this.about('lisp.describe', 'Describe'),
      disassemble: () => this.about('lisp.disassemble', 'Disassemble'),
      apropos: () => this.apropos(),
      whoCalls: () => this.xref('callers'),
      xref: () => this.anyXref(),
      macroexpand: () => this.expand('1'),
      macroexpandAll: () => this.expand('all'),
      compilerMacroexpand: () => this.expand('compiler'),
      macroexpandInPlace: () => this.expandInPlace(),
      undefine: () => this.remove('lisp.undefine', 'Undefine'),
      unintern: () => this.remove('lisp.unintern', 'Unintern'),
    };
  }

  private async about(operation: string, title: string, symbol?: string): Promise<void> {
    const place = symbolAtCursor();
    const name = symbol ?? (place.symbol || (await askLine(title, { placeHolder: 'a symbol' })));
    if (name) {
      const result = await this.server.call<{ text: string }>(operation, { ...place, symbol: name });
      await this.show(`${title} ${name}`, result?.text);
    }
  }

  private async apropos(): Promise<void> {
    const text = await askLine('Apropos', { placeHolder: 'a part of a name', ignoreFocusOut: false });
    const found = text ? await this.server.call<{ symbols: FoundSymbol[] }>('lisp.apropos', { text }) : undefined;
    const items = found?.symbols.map((each) => ({
      label: each.name,
      description: each.kind,
      ...(each.arglist ? { detail: each.arglist } : {}),
    }));
    const title = items?.length === 0 ? `No symbol has ${text} in its name` : `Symbols with ${text}`;
    const options = { title, matchOnDescription: true, matchOnDetail: true };
    const picked = items && (await vscode.window.showQuickPick(items, options));
    if (picked) {
      await this.about('lisp.describe', 'Describe', picked.label);
    }
  }

  private async anyXref(): Promise<void> {
    const items = Object.entries(KINDS).map(([label, description]) => ({ label, description }));
    const picked = await vscode.window.showQuickPick(items, { title: 'Cross References' });
    if (picked !== undefined) {
      await this.xref(picked.label);
    }
  }

  /** Places stand in a peek view; what has no file is named. */
  private async xref(kind: string): Promise<void> {
    const place = symbolAtCursor();
    const found = await this.server.call<{ locations: Reference[] }>('lisp.xref', { ...place, kind });
    if (found === undefined || place.uri === undefined) {
      return;
    }
    const places = found.locations.flatMap(({ uri, range }) => (uri && range ? [locationOf({ uri, range })] : []));
    if (places.length > 0) {
      const uri = vscode.Uri.parse(place.uri);
      await vscode.commands.executeCommand('editor.action.peekLocations', uri, place.position, places, 'peek');
    } else {
      const names = found.locations.map(({ name }) => name).join(', ') || 'nothing is known';
      void vscode.window.showInformationMessage(`${place.symbol}: ${KINDS[kind]}: ${names}`);
    }
  }

  /** In a text that is an expansion already the selection, or all of it, is expanded further where it stands. */
  private async expand(mode: Mode): Promise<void> {
    const editor = activeEditor();
    const { document, selection } = editor;
    if (!this.documents.owns(document.uri)) {
      const result = await this.server.call<Expansion>('lisp.macroexpand', { ...placeHere(), mode });
      await this.showExpansion(result, 'Expansion');
      return;
    }
    const whole = new vscode.Range(new vscode.Position(0, 0), document.lineAt(document.lineCount - 1).range.end);
    const range = selection.isEmpty ? whole : selection;
    const code = document.getText(range);
    const result = await this.server.call<Expansion>('lisp.macroexpand', { code, mode });
    if (result !== undefined) {
      const text = document.getText();
      const [start, end] = [document.offsetAt(range.start), document.offsetAt(range.end)];
      const expanded = text.slice(0, start) + result.text + text.slice(end);
      await this.showExpansion({ ...result, text: expanded }, 'Expansion');
    }
  }

  private async showExpansion(result: Expansion | undefined, name: string): Promise<void> {
    if (result && !result.expanded) {
      void vscode.window.showInformationMessage('Descartes: this form is not a call of a macro');
    }
    await this.show(name, result?.text);
  }

  private async expandInPlace(): Promise<void> {
    const editor = activeEditor();
    const result = await this.server.call<Expansion>('lisp.macroexpand', { ...placeHere(), mode: '1' });
    if (result?.expanded && result.range) {
      const range = rangeOf(result.range);
      await editor.edit((edit) => edit.replace(range, result.text));
    }
  }

  private async remove(operation: string, title: string): Promise<void> {
    const place = symbolAtCursor();
    const symbol = await askLine(title, { value: place.symbol, placeHolder: 'a symbol' });
    if (symbol?.trim()) {
      const gone = await this.server.call<Removed>(operation, { ...place, symbol: symbol.trim() });
      if (gone !== undefined) {
        const what = gone.package ? `${gone.name} is no symbol of ${gone.package}` : `the ${gone.kind} ${gone.name} is gone`;
        void vscode.window.showInformationMessage(`Descartes: ${what}`);
      }
    }
  }

  private async show(name: string, text: string | undefined): Promise<void> {
    if (text !== undefined) {
      await this.documents.show(name, text.endsWith('\n') ? text : `${text}\n`);
    }
  }
}

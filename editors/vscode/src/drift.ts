// Which definitions the image does not have as they stand in the text: marks in the gutter, and loading them.
import * as vscode from 'vscode';
import type { DriftForm } from './protocol';
import type { Server } from './server';
import { fileHere, rangeOf } from './places';

const CODE = 'drift';
const ICONS: Record<string, string> = { changed: 'edit', missing: 'circle-outline' };

/** The marks beside the definitions that the server's diagnostics say have drifted. */
export class DriftMarks implements vscode.Disposable {
  private readonly changed: vscode.TextEditorDecorationType;
  private readonly missing: vscode.TextEditorDecorationType;
  private readonly listening: vscode.Disposable[];

  constructor(media: vscode.Uri) {
    const made = (name: string, colour: string) =>
      vscode.window.createTextEditorDecorationType({
        gutterIconPath: vscode.Uri.joinPath(media, `${name}.svg`),
        gutterIconSize: 'contain',
        overviewRulerColor: new vscode.ThemeColor(colour),
        overviewRulerLane: vscode.OverviewRulerLane.Left,
      });
    this.changed = made('changed', 'editorGutter.modifiedBackground');
    this.missing = made('missing', 'editorGutter.addedBackground');
    this.listening = [
      vscode.languages.onDidChangeDiagnostics(({ uris }) => this.mark(new Set(uris.map(String)))),
      vscode.window.onDidChangeVisibleTextEditors(() => this.mark()),
    ];
    this.mark();
  }

  dispose(): void {
    [this.changed, this.missing, ...this.listening].forEach((each) => each.dispose());
  }

  /** Draw the marks of the editors that are seen; with URIS only of those. */
  private mark(uris?: Set<string>): void {
    for (const editor of vscode.window.visibleTextEditors) {
      const { uri, languageId } = editor.document;
      if (languageId === 'commonlisp' && (uris === undefined || uris.has(uri.toString()))) {
        const marks = vscode.languages.getDiagnostics(uri).filter(({ code }) => code === CODE);
        editor.setDecorations(this.changed, rangesOf(marks, vscode.DiagnosticSeverity.Information));
        editor.setDecorations(this.missing, rangesOf(marks, vscode.DiagnosticSeverity.Hint));
      }
    }
  }
}

function rangesOf(marks: vscode.Diagnostic[], severity: vscode.DiagnosticSeverity): vscode.Range[] {
  return marks.filter((each) => each.severity === severity).map(({ range }) => range);
}

/** Return the commands of the palette. */
export function driftCommands(server: Server): Record<string, () => unknown> {
  return {
    loadChanged: () => server.call('lisp.loadChanged', fileHere()),
    loadChangedAll: () => server.call('lisp.loadChanged'),
    showDrift: () => showDrift(server),
  };
}

/** Let the person go to one of the definitions that have drifted, in whatever file. */
async function showDrift(server: Server): Promise<void> {
  const forms = (await server.call<{ forms: DriftForm[] }>('lisp.drift'))?.forms ?? [];
  const items = forms
    .filter(({ state }) => state in ICONS)
    .map((form) => ({
      label: `$(${ICONS[form.state]}) ${form.name}`,
      description: `${form.state}, ${vscode.workspace.asRelativePath(vscode.Uri.parse(form.uri))}`,
      form,
    }));
  const title = items.length === 0 ? 'The image has everything as it stands in the files' : 'Not loaded as it stands';
  const picked = await vscode.window.showQuickPick(items, { title });
  if (picked !== undefined) {
    const { start } = rangeOf(picked.form.range);
    const selection = new vscode.Range(start, start);
    await vscode.window.showTextDocument(vscode.Uri.parse(picked.form.uri), { selection });
  }
}

// Long texts as read-only documents, which nobody is asked to save.
import * as vscode from 'vscode';

const SCHEME = 'descartes-text';

export class Documents implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly texts = new Map<string, string>();
  private readonly changes = new vscode.EventEmitter<vscode.Uri>();
  // Looked for when the provider is registered, so it must be there before.
  readonly onDidChange = this.changes.event;
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);

  /** Show TEXT, in LANGUAGE, under NAME, in place of an earlier text of that name. */
  async show(name: string, text: string, language = 'commonlisp'): Promise<void> {
    const uri = vscode.Uri.from({ scheme: SCHEME, path: name });
    this.texts.set(uri.path, text);
    this.changes.fire(uri);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.languages.setTextDocumentLanguage(document, language);
    await vscode.window.showTextDocument(document, { preview: true });
  }

  /** Return whether URI is one of these documents. */
  owns({ scheme }: vscode.Uri): boolean {
    return scheme === SCHEME;
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.path) ?? '';
  }

  dispose(): void {
    this.registration.dispose();
    this.changes.dispose();
  }
}

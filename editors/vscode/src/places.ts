// Where the cursor is, in the words of the operations.
import * as vscode from 'vscode';
import type { Location } from './protocol';

/** Return RANGE as the editor has it. */
export function rangeOf({ start, end }: Location['range']): vscode.Range {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}

/** Return LOCATION as the editor has it. */
export function locationOf({ uri, range }: Location): vscode.Location {
  return new vscode.Location(vscode.Uri.parse(uri), rangeOf(range));
}

export type Place = { uri: string; position: vscode.Position };

/** Return the active editor. Throws when there is none. */
export function activeEditor(): vscode.TextEditor {
  const active = vscode.window.activeTextEditor;
  if (active === undefined) {
    throw new Error('expected a Lisp file in the active editor, found none; open one');
  }
  return active;
}

/** Return the file of the active editor. */
export function fileHere(): { uri: string } {
  return { uri: activeEditor().document.uri.toString() };
}

/** Return the cursor's place in the active editor. */
export function placeHere(): Place {
  return { ...fileHere(), position: activeEditor().selection.active };
}

/** Return the symbol at the cursor, and the file and place that give its package, where there is an editor. */
export function symbolAtCursor(): { symbol: string } & Partial<Place> {
  const active = vscode.window.activeTextEditor;
  if (active?.document.languageId !== 'commonlisp') {
    return { symbol: '' };
  }
  const word = active.document.getWordRangeAtPosition(active.selection.active);
  return { symbol: word === undefined ? '' : active.document.getText(word), ...placeHere() };
}

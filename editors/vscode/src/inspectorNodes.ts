// The lines of the inspector.
import * as vscode from 'vscode';
import type { Inspection, Part } from './protocol';

export type InspectionNode = { kind: 'inspection'; inspection: Inspection };
export type PartNode = { kind: 'part'; inspection: Inspection; label: string; part: Part; place: string };
export type Node =
  | InspectionNode
  | PartNode
  | { kind: 'text'; inspection: Inspection; text: string; place: string }
  | { kind: 'row'; inspection: Inspection; pieces: Part[]; place: string }
  | { kind: 'more'; inspection: Inspection };

const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;

const isLive = ({ part, action }: Part): boolean => part != null || action != null;

/** Return the lines of INSPECTION: what Lisp wrote, cut at its line feeds. */
export function linesOf(inspection: Inspection): Node[] {
  const rows: Part[][] = [[]];
  for (const part of inspection.parts) {
    const [first = '', ...further] = isLive(part) ? [part.text] : part.text.split('\n');
    rows.at(-1)?.push({ ...part, text: first });
    rows.push(...further.map((text) => [{ text }]));
  }
  const lines = rows
    .filter((pieces) => pieces.some(({ text }) => text.trim() !== ''))
    .map((pieces, index) => lineOf(inspection, pieces, String(index)));
  return inspection.more ? [...lines, { kind: 'more', inspection }] : lines;
}

/** Return the parts of a line that has several. */
export function piecesOf({ inspection, pieces, place }: Extract<Node, { kind: 'row' }>): Node[] {
  return pieces
    .filter(isLive)
    .map((part, index) => ({ kind: 'part', inspection, label: '', part, place: `${place}/${index}` }));
}

function lineOf(inspection: Inspection, pieces: Part[], place: string): Node {
  const live = pieces.filter(isLive);
  const [part] = live;
  if (part === undefined) {
    return { kind: 'text', inspection, text: textOf(pieces), place };
  }
  if (live.length > 1) {
    return { kind: 'row', inspection, pieces, place };
  }
  const label = textOf(pieces.slice(0, pieces.indexOf(part))).replace(/\s*[:=]\s*$/, '');
  return { kind: 'part', inspection, label, part, place };
}

function textOf(pieces: Part[]): string {
  return pieces
    .map(({ text }) => text)
    .join('')
    .trim();
}

/** Return the line of the view for NODE. */
export function itemOf(node: Node): vscode.TreeItem {
  const item = made(node);
  item.id = [node.inspection.id, node.inspection.title, node.kind, 'place' in node ? node.place : ''].join('/');
  return item;
}

function made(node: Node): vscode.TreeItem {
  switch (node.kind) {
    case 'inspection':
      return inspectionLine(node.inspection);
    case 'text':
      return new vscode.TreeItem(node.text, None);
    case 'row':
      return new vscode.TreeItem(textOf(node.pieces), Collapsed);
    case 'more':
      return moreLine(node.inspection);
    case 'part':
      return partLine(node);
  }
}

function inspectionLine({ title, type }: Inspection): vscode.TreeItem {
  const item = new vscode.TreeItem(title, Expanded);
  item.description = type;
  item.tooltip = new vscode.MarkdownString().appendCodeblock(`${title}\n${type}`, 'lisp');
  item.iconPath = new vscode.ThemeIcon('inspect');
  item.contextValue = 'inspection';
  return item;
}

function partLine(node: PartNode): vscode.TreeItem {
  const { label, part } = node;
  const isPart = part.part != null;
  const item = new vscode.TreeItem(label === '' ? part.text : label, None);
  item.description = label === '' ? '' : part.text;
  item.tooltip = new vscode.MarkdownString().appendCodeblock(part.text, 'lisp');
  item.iconPath = new vscode.ThemeIcon(isPart ? 'symbol-field' : 'play');
  item.contextValue = `part${part.settable ? '.settable' : ''}`;
  const [command, title] = isPart ? ['inspectPart', 'Inspect'] : ['inspectorAction', 'Do This'];
  item.command = { command: `descartes.ui.${command}`, title, arguments: [node] };
  return item;
}

function moreLine(inspection: Inspection): vscode.TreeItem {
  const item = new vscode.TreeItem('more…', None);
  const node: Node = { kind: 'more', inspection };
  item.command = { command: 'descartes.ui.inspectorMore', title: 'More', arguments: [node] };
  return item;
}

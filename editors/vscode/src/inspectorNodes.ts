// The lines of the inspector.
import * as vscode from 'vscode';
import type { Inspection, Part } from './protocol';

export type InspectionNode = { kind: 'inspection'; inspection: Inspection };
export type PartNode = { kind: 'part'; inspection: Inspection; part: Part; index: number };
export type Node = InspectionNode | PartNode | { kind: 'more'; inspection: Inspection };

const { Expanded, None } = vscode.TreeItemCollapsibleState;
const NAMED = /^(\S+) (?:=|→) ([^]*)$/;

/** Return the lines of INSPECTION. */
export function linesOf(inspection: Inspection): Node[] {
  const lines = inspection.parts.map((part, index): Node => ({ kind: 'part', inspection, part, index }));
  return inspection.more ? [...lines, { kind: 'more', inspection }] : lines;
}

/** Return the name of the part, and its value as printed. */
export function namedIn({ text }: Part): [name: string, value: string] {
  const [, name = '', value = text] = NAMED.exec(text) ?? [];
  return [name, value];
}

/** Return the line of the view for NODE. */
export function itemOf(node: Node): vscode.TreeItem {
  const item = made(node);
  item.id = [node.inspection.id, node.kind, node.kind === 'part' ? node.index : ''].join('/');
  return item;
}

function made(node: Node): vscode.TreeItem {
  switch (node.kind) {
    case 'inspection':
      return inspectionLine(node.inspection);
    case 'part':
      return partLine(node);
    case 'more':
      return moreLine(node);
  }
}

function inspectionLine({ title, type, back, forward, count }: Inspection): vscode.TreeItem {
  const item = new vscode.TreeItem(oneLine(title), Expanded);
  item.description = `${type.toLowerCase()}${count == null ? '' : `, ${count} item${count === 1 ? '' : 's'}`}`;
  item.tooltip = new vscode.MarkdownString().appendCodeblock(`${title}\n${type}`, 'lisp');
  item.iconPath = new vscode.ThemeIcon('inspect');
  item.contextValue = `inspection${back ? '.back' : ''}${forward ? '.forward' : ''}`;
  return item;
}

function partLine(node: PartNode): vscode.TreeItem {
  const { part } = node;
  const [name, value] = namedIn(part);
  const item = new vscode.TreeItem(name === '' ? oneLine(value) : name.toLowerCase(), None);
  item.description = name === '' ? '' : oneLine(value);
  item.tooltip = new vscode.MarkdownString().appendCodeblock(part.text, 'lisp');
  item.contextValue = [
    'part',
    part.settable ? 'settable' : '',
    part.key == null ? '' : 'key',
    part.action == null ? '' : 'action',
  ].join('.');
  if (part.part != null) {
    item.iconPath = new vscode.ThemeIcon('symbol-field');
    item.command = { command: 'descartes.ui.inspectPart', title: 'Inspect', arguments: [node] };
  }
  return item;
}

function moreLine(node: Node): vscode.TreeItem {
  const item = new vscode.TreeItem('more…', None);
  item.command = { command: 'descartes.ui.inspectorMore', title: 'More', arguments: [node] };
  return item;
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ');
}

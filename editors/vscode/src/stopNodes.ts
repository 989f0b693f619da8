// The lines of the view of stopped threads.
import * as vscode from 'vscode';
import type { Debugger, Frame, Local, Restart, StopKey } from './protocol';

export type StopNode = { kind: 'stop'; stop: Debugger };
export type RestartNode = { kind: 'restart'; stop: Debugger; restart: Restart };
export type FrameNode = { kind: 'frame'; stop: Debugger; frame: Frame };
export type MoreNode = { kind: 'more'; stop: Debugger };
export type LocalNode = { kind: 'local'; of: FrameNode; local: Local };
export type Node =
  | { kind: 'thread'; stops: Debugger[] }
  | StopNode
  | { kind: 'message'; stop: Debugger }
  | { kind: 'heading'; title: 'Restarts' | 'Frames'; stop: Debugger }
  | RestartNode
  | FrameNode
  | MoreNode
  | LocalNode
  | { kind: 'catchTag'; of: FrameNode; tag: string };

/** How many earlier values a line shows, and how much of each. */
const SHOWN = 3;
const LONGEST = 40;

const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;

/** Return the address of STOP. */
export function keyOf(stop: StopKey): StopKey {
  return { thread: stop.thread, level: stop.level };
}

/** Return CONDITION's type without its package: `SB-INT:SIMPLE-ERROR` -> `SIMPLE-ERROR`. */
export function typeOf({ type }: Debugger['condition']): string {
  return type.slice(type.lastIndexOf(':') + 1);
}

/** Return which stop of whom STOP is. */
export function whereOf(stop: Debugger): string {
  return `thread ${stop.thread}, level ${stop.level}, ${whoOf(stop)}`;
}

function whoOf({ origin }: Debugger): string {
  return origin.kind === 'background' ? 'a thread of the image' : (origin.name ?? origin.kind);
}

/** Return the line of the view for NODE. */
export function itemOf(node: Node): vscode.TreeItem {
  const item = lineOf(node);
  item.id = idOf(node);
  return item;
}

function idOf(node: Node): string {
  if (node.kind === 'thread') {
    return `thread/${node.stops[0]?.thread}`;
  }
  const stop = 'of' in node ? node.of.stop : node.stop;
  const parts: unknown[] = [stop.thread, stop.level, stop.evaluation, node.kind];
  switch (node.kind) {
    case 'heading':
      return [...parts, node.title].join('/');
    case 'restart':
      return [...parts, node.restart.index].join('/');
    case 'frame':
      return [...parts, node.frame.index].join('/');
    case 'local':
      return [...parts, node.of.frame.index, node.local.id, node.local.name].join('/');
    case 'catchTag':
      return [...parts, node.of.frame.index, node.tag].join('/');
    default:
      return parts.join('/');
  }
}

function lineOf(node: Node): vscode.TreeItem {
  switch (node.kind) {
    case 'thread':
      return threadLine(node.stops);
    case 'stop':
      return stopLine(node.stop);
    case 'message':
      return messageLine(node.stop);
    case 'heading':
      return new vscode.TreeItem(node.title, Expanded);
    case 'restart':
      return restartLine(node);
    case 'frame':
      return frameLine(node);
    case 'more':
      return new vscode.TreeItem(`${node.stop.frameCount - node.stop.frames.length} more`, Collapsed);
    case 'local':
      return localLine(node);
    case 'catchTag':
      return catchTagLine(node.tag);
  }
}

function threadLine(stops: Debugger[]): vscode.TreeItem {
  const [stop] = stops;
  const item = new vscode.TreeItem(`Thread ${stop?.thread}`, Expanded);
  item.description = [stop && whoOf(stop), stops.length > 1 && `${stops.length} levels`].filter(Boolean).join(', ');
  item.iconPath = new vscode.ThemeIcon('debug-pause', new vscode.ThemeColor('errorForeground'));
  return item;
}

function stopLine(stop: Debugger): vscode.TreeItem {
  const item = new vscode.TreeItem(typeOf(stop.condition), Expanded);
  item.description = stop.level > 1 ? `level ${stop.level}` : '';
  item.tooltip = `${stop.condition.type}\n${stop.condition.message}\n\n${whereOf(stop)}`;
  item.iconPath = new vscode.ThemeIcon('error', new vscode.ThemeColor('errorForeground'));
  // From where the program can go on it can also be stepped.
  item.contextValue = stop.restarts.some(({ name }) => name === 'CONTINUE') ? 'stop.continuable' : 'stop';
  return item;
}

/** What happened has a line of its own: beside the type the buttons would cover it. */
function messageLine(stop: Debugger): vscode.TreeItem {
  const item = new vscode.TreeItem(stop.condition.message.replace(/\s*\n\s*/g, ' '), None);
  item.tooltip = `${stop.condition.message}\n\nA click inspects the condition.`;
  item.command = { command: 'descartes.ui.inspectCondition', title: 'Inspect Condition', arguments: [{ stop }] };
  return item;
}

function restartLine(node: RestartNode): vscode.TreeItem {
  const { restart } = node;
  const item = new vscode.TreeItem(`${restart.name}${restart.arguments.length > 0 ? ' …' : ''}`, None);
  item.description = restart.description;
  item.tooltip = `${restart.index}: ${restart.name}\n${restart.description}`;
  item.iconPath = new vscode.ThemeIcon('debug-restart');
  item.contextValue = 'restart';
  item.command = { command: 'descartes.ui.invokeRestart', title: 'Invoke Restart', arguments: [node] };
  return item;
}

function frameLine(node: FrameNode): vscode.TreeItem {
  const { frame } = node;
  const item = new vscode.TreeItem(frame.description, Collapsed);
  item.tooltip = frame.description;
  const known = frame.location ? new vscode.ThemeColor('debugIcon.stepOverForeground') : undefined;
  item.iconPath = new vscode.ThemeIcon(frame.location ? 'debug-stackframe' : 'debug-stackframe-dot', known);
  item.contextValue = `frame${frame.restartable ? '.restartable' : ''}${frame.location ? '.located' : ''}`;
  if (frame.location) {
    item.command = { command: 'descartes.ui.showFrame', title: 'Show Source', arguments: [node] };
  }
  return item;
}

function localLine(node: LocalNode): vscode.TreeItem {
  const { name, value, earlier } = node.local;
  const item = new vscode.TreeItem(name.toLowerCase(), None);
  const before = earlier.slice(0, SHOWN).map(short).join(' ← ');
  item.description = before === '' ? value : `${short(value)}  (was ${before})`;
  item.tooltip = new vscode.MarkdownString().appendCodeblock(value, 'lisp');
  if (earlier.length > 0) {
    item.tooltip.appendMarkdown('\n\nBefore, the newest first:').appendCodeblock(earlier.join('\n'), 'lisp');
  }
  item.iconPath = new vscode.ThemeIcon('symbol-variable');
  item.contextValue = 'local';
  item.command = { command: 'descartes.ui.inspectLocal', title: 'Inspect', arguments: [node] };
  return item;
}

function short(value: string): string {
  const line = value.replace(/\s*\n\s*/g, ' ');
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line;
}

function catchTagLine(tag: string): vscode.TreeItem {
  const item = new vscode.TreeItem(tag, None);
  item.description = 'catch tag';
  item.iconPath = new vscode.ThemeIcon('bookmark');
  return item;
}

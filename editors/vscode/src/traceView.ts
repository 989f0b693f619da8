// The calls of traced functions, as a tree.
import * as vscode from 'vscode';
import type { Call, TraceTree } from './protocol';
import type { Server } from './server';
import { askLine } from './asking';
import { symbolAtCursor } from './places';
import { TreeView } from './treeView';

type Inspect = (params: { call: number; argument?: number; value?: number }) => Promise<void>;
const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;
const OPEN_LEVELS = 3;

type Node = { call: Call; depth: number };

export class TraceView extends TreeView<Node> {
  private tree: TraceTree = { calls: [], traced: [], more: 0 };

  constructor(
    private readonly server: Server,
    private readonly inspect: Inspect,
  ) {
    super('descartes.trace');
  }

  /** Ask for the calls anew, if there can be new ones. */
  async refresh(): Promise<void> {
    if (this.tree.traced.length > 0) {
      await this.ask();
    }
  }

  /** Return the commands of the view. */
  commands(): Record<string, (node: never) => unknown> {
    return {
      trace: () => this.trace(),
      untraceAll: () => this.untrace(false),
      forgetCalls: () => this.untrace(true),
      refreshTrace: () => this.ask(),
      inspectCall: ({ call }: Node) => this.inspectPart(call),
    };
  }

  override getTreeItem({ call, depth }: Node): vscode.TreeItem {
    const item = new vscode.TreeItem(call.form, call.calls.length === 0 ? None : openTo(depth));
    const outcome = call.exit === 'normal' ? `→ ${call.values.join(', ') || 'no values'}` : OUTCOMES[call.exit];
    item.id = String(call.id);
    item.description = `${outcome}   ${call.durationMs.toFixed(1)} ms`;
    item.tooltip = new vscode.MarkdownString().appendCodeblock(`${call.form}\n${outcome}`, 'lisp');
    item.iconPath = new vscode.ThemeIcon(call.exit === 'nonlocal' ? 'error' : 'symbol-method');
    item.contextValue = 'call';
    return item;
  }

  override getChildren(node?: Node): Node[] {
    const depth = node === undefined ? 0 : node.depth + 1;
    return (node?.call ?? this.tree).calls.map((call) => ({ call, depth }));
  }

  private async ask(): Promise<void> {
    const tree = await this.server.ask<TraceTree>('lisp.traceTree');
    if (tree !== undefined) {
      this.tree = tree;
      this.describe(tree.traced.length > 0 ? `traced: ${tree.traced.join(', ').toLowerCase()}` : '');
      this.fills(tree.traced.length > 0 || tree.calls.length > 0);
      this.redraw();
    }
  }

  private async trace(): Promise<void> {
    const place = symbolAtCursor();
    const prompt = 'Traced already: it is not traced any more.';
    const symbol = await askLine('Trace', { value: place.symbol, prompt, placeHolder: 'the name of a function' });
    if (symbol?.trim()) {
      await this.server.call('lisp.trace', { ...place, symbol: symbol.trim() });
      await this.ask();
    }
  }

  private async untrace(forget: boolean): Promise<void> {
    await this.server.call('lisp.untraceAll', { forget });
    await this.ask();
  }

  private async inspectPart({ id, name, arguments: given, values }: Call): Promise<void> {
    const items = [
      ...given.map((label, argument) => ({ label, description: `argument ${argument + 1}`, part: { argument } })),
      ...values.map((label, value) => ({ label, description: `value ${value + 1}`, part: { value } })),
    ];
    const picked = await vscode.window.showQuickPick(items, { title: `Inspect of the call of ${name}` });
    if (picked !== undefined) {
      await this.inspect({ call: id, ...picked.part });
    }
  }
}

const OUTCOMES = { nonlocal: 'left without a value', running: 'has not returned' };

function openTo(depth: number): vscode.TreeItemCollapsibleState {
  return depth < OPEN_LEVELS ? Expanded : Collapsed;
}

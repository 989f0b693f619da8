// The inspector: several values at once, each with its parts; a part is gone into and come back from.
import * as vscode from 'vscode';
import type { Inspection } from './protocol';
import type { Server } from './server';
import type { InspectionNode, Node, PartNode } from './inspectorNodes';
import { askExpression, askLine } from './asking';
import { itemOf, linesOf, namedIn } from './inspectorNodes';
import { symbolAtCursor } from './places';
import { TreeView } from './treeView';

export class InspectorView extends TreeView<Node> {
  private readonly nodes = new Map<string, InspectionNode>();

  constructor(private readonly server: Server) {
    super('descartes.inspector');
  }

  /** Inspect what PARAMS of inspector.open say, beside what is inspected already. */
  async open(params: object): Promise<void> {
    await this.take(this.server.call<Inspection>('inspector.open', params));
  }

  /** Inspect what PARAMS of inspector.open say, and go on from it by the lines of PATH, counted from 0. */
  async openAlong(params: object, path: number[]): Promise<void> {
    let inspection = await this.server.call<Inspection>('inspector.open', params);
    for (const line of path) {
      inspection = inspection && (await this.intoLine(inspection, line));
    }
    if (inspection !== undefined) {
      await this.take(Promise.resolve(inspection));
      await vscode.commands.executeCommand('descartes.inspector.focus');
    }
  }

  /** Ask which inspections there are; used when the server or the image has just started. */
  async refresh(): Promise<void> {
    const list = await this.server.ask<{ inspections: Inspection[] }>('inspector.list');
    const all = [...(list?.inspections ?? [])].reverse();
    const found = await Promise.all(all.map(({ id }) => this.server.ask<Inspection>('inspector.refresh', { id })));
    this.nodes.clear();
    found.filter((each) => each !== undefined).forEach((each) => this.put(each));
    this.redraw();
  }

  /** Return the commands of the view's lines. */
  commands(): Record<string, (node: never) => unknown> {
    const go = (operation: string) => (node: Node) => this.go(operation, node);
    return {
      inspect: () => this.inspect(),
      inspectValue: (params: object) => this.open(params),
      inspectPart: (node: PartNode) => this.go('inspector.part', node, { part: node.part.part }),
      inspectKey: (node: PartNode) => this.go('inspector.part', node, { part: node.part.key }),
      inspectorAction: (node: PartNode) => this.act(node),
      inspectorMore: (node: Node) => this.more(node),
      inspectorBack: go('inspector.back'),
      inspectorForward: go('inspector.forward'),
      inspectorRefresh: go('inspector.refresh'),
      inspectorSet: (node: PartNode) => this.setPart(node),
      inspectorEval: (node: InspectionNode) => this.evaluate(node),
      inspectorClose: (node: InspectionNode) => this.closeOne(node),
    };
  }

  override getTreeItem(node: Node): vscode.TreeItem {
    return itemOf(node);
  }

  override getChildren(node?: Node): Node[] {
    if (node === undefined) {
      return [...this.nodes.values()].reverse();
    }
    return node.kind === 'inspection' ? linesOf(node.inspection) : [];
  }

  private async inspect(): Promise<void> {
    const { symbol, ...place } = symbolAtCursor();
    const active = vscode.window.activeTextEditor;
    const value = active?.document.getText(active.selection) || symbol;
    const expression = await askLine('Inspect', { value, placeHolder: 'a Lisp expression', ignoreFocusOut: false });
    if (expression?.trim()) {
      await this.open({ ...place, expression });
    }
  }

  private go(operation: string, { inspection: { id } }: Node, params: object = {}): Promise<void> {
    return this.take(this.server.call<Inspection>(operation, { id, ...params }));
  }

  private async take(coming: Promise<Inspection | undefined>): Promise<void> {
    const inspection = await coming;
    if (inspection !== undefined) {
      const node = this.put(inspection);
      this.redraw();
      await this.reveal(node);
    }
  }

  private async intoLine({ id, parts, more }: Inspection, line: number): Promise<Inspection | undefined> {
    const count = line + 1 - parts.length;
    const further = more && count > 0 ? await this.server.call<Inspection>('inspector.more', { id, count }) : undefined;
    const part = [...parts, ...(further?.parts ?? [])][line]?.part;
    return this.server.call<Inspection>('inspector.part', { id, part });
  }

  private put(inspection: Inspection): InspectionNode {
    const node: InspectionNode = this.nodes.get(inspection.id) ?? { kind: 'inspection', inspection };
    node.inspection = inspection;
    this.nodes.set(inspection.id, node);
    return node;
  }

  /** The answer has the further lines only. */
  private async more({ inspection }: Node): Promise<void> {
    const next = await this.server.call<Inspection>('inspector.more', { id: inspection.id });
    if (next !== undefined) {
      this.put({ ...next, parts: [...inspection.parts.slice(0, next.start), ...next.parts] });
      this.redraw();
    }
  }

  private async act(node: PartNode): Promise<void> {
    const what = node.part.actionText ?? node.part.text;
    if ((await vscode.window.showQuickPick([what], { title: node.part.text })) === what) {
      await this.go('inspector.action', node, { action: node.part.action });
    }
  }

  private async setPart(node: PartNode): Promise<void> {
    const [name, value] = namedIn(node.part);
    const code = await askExpression(`Set ${name.toLowerCase()}`, `* is now ${value}`);
    if (code !== undefined) {
      await this.go('inspector.set', node, { part: node.part.part, code });
    }
  }

  private async evaluate(node: InspectionNode): Promise<void> {
    const code = await askExpression('Evaluate', `* is ${node.inspection.title}`);
    if (code !== undefined) {
      await this.go('inspector.eval', node, { code });
    }
  }

  private async closeOne({ inspection: { id } }: InspectionNode): Promise<void> {
    this.nodes.delete(id);
    this.redraw();
    await this.server.ask('inspector.close', { id });
  }
}

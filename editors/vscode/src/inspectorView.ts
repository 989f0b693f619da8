// The inspector: several values at once, each with its parts; a part is gone into and come back from.
import type * as vscode from 'vscode';
import type { Inspection } from './protocol';
import type { Server } from './server';
import type { InspectionNode, Node, PartNode } from './inspectorNodes';
import { askExpression } from './asking';
import { itemOf, linesOf, piecesOf } from './inspectorNodes';
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

  /** Ask which inspections there are; used when the server has just started. */
  async refresh(): Promise<void> {
    const found = await this.server.ask<{ inspections: Inspection[] }>('inspector.list');
    this.nodes.clear();
    found?.inspections.forEach((each) => this.nodes.set(each.id, { kind: 'inspection', inspection: each }));
    this.redraw();
  }

  /** Return the commands of the view's lines. */
  commands(): Record<string, (node: never) => unknown> {
    const go = (operation: string) => (node: Node) => this.go(operation, node);
    return {
      inspectPart: (node: PartNode) => this.go('inspector.part', node, { part: node.part.part }),
      inspectorAction: (node: PartNode) => this.go('inspector.action', node, { action: node.part.action }),
      inspectorMore: go('inspector.more'),
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
    switch (node?.kind) {
      case undefined:
        return [...this.nodes.values()].reverse();
      case 'inspection':
        return linesOf(node.inspection);
      case 'row':
        return piecesOf(node);
      default:
        return [];
    }
  }

  private go(operation: string, { inspection: { id } }: Node, params: object = {}): Promise<void> {
    return this.take(this.server.call<Inspection>(operation, { id, ...params }));
  }

  private async take(coming: Promise<Inspection | undefined>): Promise<void> {
    const inspection = await coming;
    if (inspection !== undefined) {
      const node: InspectionNode = this.nodes.get(inspection.id) ?? { kind: 'inspection', inspection };
      node.inspection = inspection;
      this.nodes.set(inspection.id, node);
      this.redraw();
      await this.reveal(node);
    }
  }

  private async setPart(node: PartNode): Promise<void> {
    const code = await askExpression(`Set ${node.label}`, `now ${node.part.text}`);
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
    await this.server.call('inspector.close', { id });
    this.nodes.delete(id);
    this.redraw();
  }
}

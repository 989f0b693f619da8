// A flat view: a list of things, one line each.
import * as vscode from 'vscode';

export class ListView<Thing> implements vscode.TreeDataProvider<Thing> {
  private readonly changes = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changes.event;
  private things: Thing[] = [];

  constructor(private readonly item: (thing: Thing) => vscode.TreeItem) {}

  /** Show THINGS instead of what was shown. */
  update(things: Thing[]): void {
    this.things = things;
    this.changes.fire(undefined);
  }

  getTreeItem(thing: Thing): vscode.TreeItem {
    return this.item(thing);
  }

  getChildren(thing?: Thing): Thing[] {
    return thing === undefined ? this.things : [];
  }
}

// A view of the side bar: a tree with a badge.
import * as vscode from 'vscode';

export abstract class TreeView<Node> implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<Node[] | undefined>();
  readonly onDidChangeTreeData = this.changes.event;
  private readonly view: vscode.TreeView<Node>;

  constructor(private readonly id: string) {
    this.view = vscode.window.createTreeView(id, { treeDataProvider: this });
  }

  abstract getTreeItem(node: Node): vscode.TreeItem;
  abstract getChildren(node?: Node): vscode.ProviderResult<Node[]>;

  /** Only nodes at the top are revealed. */
  getParent(): undefined {
    return undefined;
  }

  dispose(): void {
    this.view.dispose();
    this.changes.dispose();
  }

  /** Call SHOWN whenever the view comes to be seen. */
  protected onShown(shown: () => void): void {
    this.view.onDidChangeVisibility(({ visible }) => visible && shown());
  }

  protected get isShown(): boolean {
    return this.view.visible;
  }

  /** Say TEXT beside the view's title. */
  protected describe(text: string): void {
    this.view.description = text;
  }

  /** Show NODE, open and chosen, and leave the focus where it is; its parent must be at the top. */
  protected async reveal(node: Node): Promise<void> {
    await this.view.reveal(node, { focus: false, select: true, expand: true });
  }

  /**
   * Say whether there IS something in the view, as the context key `<id>.filled`.
   *
   * The manifest hides views without anything in them while a thread is stopped.
   */
  protected fills(is: boolean): void {
    void vscode.commands.executeCommand('setContext', `${this.id}.filled`, is);
  }

  /** Show the view and go there: the person has asked for what is in it, also while a thread is stopped. */
  protected async comeForward(): Promise<void> {
    await vscode.commands.executeCommand('setContext', `${this.id}.filled`, true);
    await vscode.commands.executeCommand(`${this.id}.focus`);
  }

  /** Draw the view anew, with COUNT of WHAT on its badge. */
  protected redraw(count = 0, what = ''): void {
    this.view.badge = count > 0 ? { value: count, tooltip: `${count} ${what}${count === 1 ? '' : 's'}` } : undefined;
    this.changes.fire(undefined);
  }

  /** Draw what is in NODES anew; all other lines can be clicked meanwhile. */
  protected redrawIn(nodes: Node[]): void {
    this.changes.fire(nodes);
  }
}

/** A flat view: a list of things, one line each. */
export class ListView<Thing> extends TreeView<Thing> {
  private things: Thing[] = [];

  /** ITEM makes a line; with a COUNTED name the badge says how many there are. */
  constructor(
    id: string,
    private readonly item: (thing: Thing) => vscode.TreeItem,
    private readonly counted?: string,
  ) {
    super(id);
  }

  /** Show THINGS instead of what was shown. */
  update(things: Thing[]): void {
    this.things = things;
    this.fills(things.length > 0);
    this.redraw(this.counted === undefined ? 0 : things.length, this.counted);
  }

  override getTreeItem(thing: Thing): vscode.TreeItem {
    return this.item(thing);
  }

  override getChildren(thing?: Thing): Thing[] {
    return thing === undefined ? this.things : [];
  }
}

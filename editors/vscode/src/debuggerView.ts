// The view of stopped threads: conditions, restarts with their arguments, frames with their variables.
import * as vscode from 'vscode';
import type { Debugger, Frame, FrameDetail, Leaving, Location, Restart, Evaluation } from './protocol';
import type { Server } from './server';
import { showEvaluation } from './results';

type Heading = { kind: 'heading'; title: 'Restarts' | 'Frames'; stop: Debugger };
type Node =
  | { kind: 'stop'; stop: Debugger }
  | Heading
  | { kind: 'restart'; stop: Debugger; restart: Restart }
  | { kind: 'frame'; stop: Debugger; frame: Frame }
  | { kind: 'local'; name: string; value: string };

function stopKey(stop: Debugger): { thread: number; level: number } {
  return { thread: stop.thread, level: stop.level };
}

function stopItem(stop: Debugger): vscode.TreeItem {
  const item = new vscode.TreeItem(stop.condition.message, vscode.TreeItemCollapsibleState.Expanded);
  item.description = `${stop.condition.type}, thread ${stop.thread}, level ${stop.level}`;
  item.iconPath = new vscode.ThemeIcon('debug-stackframe-focused', new vscode.ThemeColor('errorForeground'));
  item.contextValue = 'stop';
  return item;
}

function restartItem(node: Extract<Node, { kind: 'restart' }>): vscode.TreeItem {
  const { restart } = node;
  const names = restart.arguments.map((each) => each.name.toLowerCase());
  const item = new vscode.TreeItem(restart.name + (names.length > 0 ? ` (${names.join(' ')})` : ''));
  item.description = restart.description;
  item.tooltip = `${restart.index}: ${restart.description}`;
  item.iconPath = new vscode.ThemeIcon('debug-restart');
  item.contextValue = 'restart';
  return item;
}

function frameItem(frame: Frame): vscode.TreeItem {
  const item = new vscode.TreeItem(frame.description, vscode.TreeItemCollapsibleState.Collapsed);
  item.tooltip = frame.description;
  item.iconPath = new vscode.ThemeIcon('debug-stackframe');
  item.contextValue = frame.restartable ? 'frame.restartable' : 'frame';
  return item;
}

function localItem(node: Extract<Node, { kind: 'local' }>): vscode.TreeItem {
  const item = new vscode.TreeItem(`${node.name.toLowerCase()} = ${node.value}`);
  item.tooltip = node.value;
  item.iconPath = new vscode.ThemeIcon('symbol-variable');
  return item;
}

export class DebuggerView implements vscode.TreeDataProvider<Node> {
  private readonly changes = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changes.event;
  private stops: Debugger[] = [];

  constructor(private readonly server: Server) {}

  /** Take in the stops there are now. */
  update(stops: Debugger[]): void {
    this.stops = [...stops].reverse();
    this.changes.fire(undefined);
  }

  getTreeItem(node: Node): vscode.TreeItem {
    switch (node.kind) {
      case 'stop':
        return stopItem(node.stop);
      case 'heading': {
        const item = new vscode.TreeItem(node.title, vscode.TreeItemCollapsibleState.Expanded);
        item.description = node.title === 'Frames' ? String(node.stop.frameCount) : '';
        return item;
      }
      case 'restart':
        return restartItem(node);
      case 'frame':
        return frameItem(node.frame);
      case 'local':
        return localItem(node);
    }
  }

  async getChildren(node?: Node): Promise<Node[]> {
    if (node === undefined) {
      return this.stops.map((stop) => ({ kind: 'stop', stop }));
    }
    switch (node.kind) {
      case 'stop':
        return [
          { kind: 'heading', title: 'Restarts', stop: node.stop },
          { kind: 'heading', title: 'Frames', stop: node.stop },
        ];
      case 'heading':
        return node.title === 'Restarts'
          ? node.stop.restarts.map((restart) => ({ kind: 'restart', stop: node.stop, restart }))
          : node.stop.frames.map((frame) => ({ kind: 'frame', stop: node.stop, frame }));
      case 'frame':
        return this.locals(node.stop, node.frame);
      default:
        return [];
    }
  }

  private async locals(stop: Debugger, frame: Frame): Promise<Node[]> {
    const detail = await this.server.call<FrameDetail>('debugger.frame', { ...stopKey(stop), frame: frame.index });
    return (detail?.locals ?? []).map(({ name, value }) => ({ kind: 'local', name, value }));
  }

  /** Return the commands of the view's items. */
  commands(): Record<string, (node: never) => unknown> {
    return {
      invokeRestart: (node: Extract<Node, { kind: 'restart' }>) => this.invoke(node.stop, node.restart),
      abort: (node: Extract<Node, { kind: 'stop' }>) => this.leave('debugger.abort', stopKey(node.stop)),
      continue: (node: Extract<Node, { kind: 'stop' }>) => this.leave('debugger.continue', stopKey(node.stop)),
      showFrame: (node: Extract<Node, { kind: 'frame' }>) => showLocation(node.frame.location ?? node.stop.location),
      restartFrame: (node: Extract<Node, { kind: 'frame' }>) =>
        this.leave('debugger.restartFrame', { ...stopKey(node.stop), frame: node.frame.index }),
      evalInFrame: (node: Extract<Node, { kind: 'frame' }>) => this.evalInFrame(node.stop, node.frame),
      returnFromFrame: (node: Extract<Node, { kind: 'frame' }>) => this.returnFromFrame(node.stop, node.frame),
    };
  }

  private async invoke(stop: Debugger, restart: Restart): Promise<void> {
    const given: string[] = [];
    for (const argument of restart.arguments) {
      if (argument.kind === 'required' || argument.kind === 'rest') {
        const text = await ask(`${restart.name}: ${argument.name.toLowerCase()}`, 'a Lisp expression');
        if (text === undefined) {
          return;
        }
        given.push(text);
      }
    }
    const params = { ...stopKey(stop), index: restart.index, name: restart.name };
    await this.leave('debugger.restart', given.length > 0 ? { ...params, arguments: given } : params);
  }

  private async evalInFrame(stop: Debugger, frame: Frame): Promise<void> {
    const code = await ask('Evaluate in frame', frame.description);
    if (code !== undefined) {
      const params = { ...stopKey(stop), frame: frame.index, code };
      showEvaluation(await this.server.call<Evaluation>('debugger.evalInFrame', params));
    }
  }

  private async returnFromFrame(stop: Debugger, frame: Frame): Promise<void> {
    const code = await ask('Return from frame', frame.description);
    if (code !== undefined) {
      await this.leave('debugger.returnFromFrame', { ...stopKey(stop), frame: frame.index, code });
    }
  }

  private async leave(operation: string, params: object): Promise<void> {
    const result = await this.server.call<Leaving>(operation, params);
    showEvaluation(result?.evaluation ?? undefined);
  }
}

function ask(title: string, placeHolder: string): Thenable<string | undefined> {
  return vscode.window.showInputBox({ title, placeHolder, ignoreFocusOut: true });
}

async function showLocation(location: Location | null | undefined): Promise<void> {
  if (location === null || location === undefined) {
    void vscode.window.showInformationMessage('Descartes: no source is known for this frame');
    return;
  }
  const { start, end } = location.range;
  const selection = new vscode.Range(start.line, start.character, end.line, end.character);
  await vscode.window.showTextDocument(vscode.Uri.parse(location.uri), { selection, preserveFocus: true });
}

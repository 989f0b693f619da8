// The view of stopped threads, and what can be done with a stop, a restart or a frame.
import * as vscode from 'vscode';
import type { Debugger, Frame, FrameDetail, Location, StopKey } from './protocol';
import type { Server } from './server';
import type { FrameNode, Node, RestartNode, StopNode } from './stopNodes';
import { askArguments, askExpression } from './asking';
import { itemOf, keyOf, typeOf } from './stopNodes';
import { TreeView } from './treeView';

const SHOW = 'Show';

export class StopsView extends TreeView<Node> {
  private stops: Debugger[] = [];

  constructor(private readonly server: Server) {
    super('descartes.debugger');
  }

  /** Take in the stops there are now; one that stands in no visible editor is announced. */
  update(stops: Debugger[]): void {
    const known = new Set(this.stops.map(nameOf));
    this.stops = [...stops].reverse();
    this.redraw(stops.length, 'stopped thread');
    for (const stop of stops) {
      if (!known.has(nameOf(stop)) && !isVisible(stop.location)) {
        void announce(stop);
      }
    }
  }

  override getTreeItem(node: Node): vscode.TreeItem {
    return itemOf(node);
  }

  override getChildren(node?: Node): Node[] | Promise<Node[]> {
    switch (node?.kind) {
      case undefined:
        return this.stops.map((stop) => ({ kind: 'stop', stop }));
      case 'stop':
        return [
          { kind: 'heading', title: 'Restarts', stop: node.stop },
          { kind: 'heading', title: 'Frames', stop: node.stop },
        ];
      case 'heading':
        return node.title === 'Restarts' ? restarts(node.stop) : frames(node.stop);
      case 'more':
        return this.furtherFrames(node.stop);
      case 'frame':
        return this.locals(node);
      default:
        return [];
    }
  }

  /** Return the commands of the view's lines. */
  commands(): Record<string, (node: never) => unknown> {
    const at = ({ stop, frame }: FrameNode) => ({ ...keyOf(stop), frame: frame.index });
    return {
      invokeRestart: ({ stop, restart }: RestartNode) =>
        this.invokeRestart({ ...keyOf(stop), index: restart.index, name: restart.name }),
      abort: ({ stop }: StopNode) => this.server.call('debugger.abort', keyOf(stop)),
      continue: ({ stop }: StopNode) => this.server.call('debugger.continue', keyOf(stop)),
      showFrame: ({ frame }: FrameNode) => showLocation(frame.location),
      restartFrame: (node: FrameNode) => this.server.call('debugger.restartFrame', at(node)),
      evalInFrame: (node: FrameNode) => this.withCode('debugger.evalInFrame', 'Evaluate in frame', node),
      returnFromFrame: (node: FrameNode) => this.withCode('debugger.returnFromFrame', 'Return from frame', node),
    };
  }

  /** Return the result of debugger.restart with PARAMS, after asking for the arguments that it needs. */
  async invokeRestart(params: StopKey & { index?: number; name?: string; arguments?: string[] }): Promise<unknown> {
    const stop = this.stops.find((each) => nameOf(each) === nameOf(params));
    const restart = stop?.restarts.find((each) =>
      params.index === undefined ? each.name === params.name : each.index === params.index,
    );
    const given = params.arguments ?? (restart === undefined ? [] : await askArguments(restart));
    return given === undefined ? undefined : this.server.call('debugger.restart', { ...params, arguments: given });
  }

  private async locals(of: FrameNode): Promise<Node[]> {
    const params = { ...keyOf(of.stop), frame: of.frame.index };
    const detail = await this.server.call<FrameDetail>('debugger.frame', params);
    return (detail?.locals ?? []).map((local) => ({ kind: 'local', of, local }));
  }

  private async furtherFrames(stop: Debugger): Promise<Node[]> {
    const params = { ...keyOf(stop), start: stop.frames.length, end: stop.frameCount };
    const result = await this.server.call<{ frames: Frame[] }>('debugger.frames', params);
    return (result?.frames ?? []).map((frame) => ({ kind: 'frame', stop, frame }));
  }

  private async withCode(operation: string, title: string, { stop, frame }: FrameNode): Promise<void> {
    const code = await askExpression(title, frame.description);
    if (code !== undefined) {
      await this.server.call(operation, { ...keyOf(stop), frame: frame.index, code });
    }
  }
}

function nameOf({ thread, level }: StopKey): string {
  return `${thread}/${level}`;
}

function restarts(stop: Debugger): Node[] {
  return stop.restarts.map((restart) => ({ kind: 'restart', stop, restart }));
}

function frames(stop: Debugger): Node[] {
  const known: Node[] = stop.frames.map((frame) => ({ kind: 'frame', stop, frame }));
  return stop.frameCount > stop.frames.length ? [...known, { kind: 'more', stop }] : known;
}

function isVisible(location: Location | null | undefined): boolean {
  const uri = location && vscode.Uri.parse(location.uri).toString();
  return vscode.window.visibleTextEditors.some((editor) => editor.document.uri.toString() === uri);
}

async function announce(stop: Debugger): Promise<void> {
  const message = `Stopped: ${typeOf(stop.condition)}: ${stop.condition.message.replace(/\s*\n\s*/g, ' ')}`;
  if ((await vscode.window.showWarningMessage(message, SHOW)) === SHOW) {
    await vscode.commands.executeCommand('descartes.debugger.focus');
  }
}

async function showLocation(location: Location | null | undefined): Promise<void> {
  if (location) {
    const { start, end } = location.range;
    const selection = new vscode.Range(start.line, start.character, end.line, end.character);
    await vscode.window.showTextDocument(vscode.Uri.parse(location.uri), { selection, preserveFocus: true });
  }
}

// The view of stopped threads: each level of each, its restarts, its frames and what is in them.
import * as vscode from 'vscode';
import type { Debugger, Frame, FrameDetail, Location, StopKey } from './protocol';
import type { Server } from './server';
import type { FrameNode, Node } from './stopNodes';
import { itemOf, keyOf, typeOf, whereOf } from './stopNodes';
import { TreeView } from './treeView';

const SHOW = 'Show';
const TOLD_MS = 5_000;

export class StopsView extends TreeView<Node> {
  private stops: Debugger[] = [];
  private readonly details = new Map<string, FrameDetail>();
  private readonly opened = new Map<string, FrameNode>();

  /** IS_TOLD says whether a stop is told where its evaluation was asked for. */
  constructor(
    private readonly server: Server,
    private readonly isTold: (stop: Debugger) => Promise<boolean>,
  ) {
    super('descartes.debugger');
  }

  /** Take in the stops there are now; one that stands in no visible editor is announced. */
  update(stops: Debugger[]): void {
    const known = new Set(this.stops.map(nameOf));
    this.stops = stops;
    if (stops.length === 0) {
      this.details.clear();
    }
    void vscode.commands.executeCommand('setContext', 'descartes.stopped', stops.length > 0);
    this.opened.clear();
    this.redraw(new Set(stops.map(({ thread }) => thread)).size, 'stopped thread');
    const added = this.stops.filter((stop) => !known.has(nameOf(stop)));
    for (const stop of added) {
      if (!isVisible(stop.location)) {
        void this.announce(stop);
      }
    }
    void this.show(added[0]);
  }

  /** Show the variables as they are now: what was evaluated meanwhile may have set them. */
  lookAgain(): void {
    if (this.opened.size > 0) {
      this.redrawIn([...this.opened.values()]);
    }
  }

  /** Return the stop that the person means when none is named; with several they are asked. */
  async pick(): Promise<Debugger | undefined> {
    if (this.stops.length <= 1) {
      return this.stops[0];
    }
    const items = this.stops.map((stop) => ({ label: typeOf(stop.condition), description: whereOf(stop), stop }));
    return (await vscode.window.showQuickPick(items, { title: 'Which stopped thread?' }))?.stop;
  }

  /** Return the stop at KEY, if there is one. */
  find(key: StopKey): Debugger | undefined {
    return this.stops.find((each) => nameOf(each) === nameOf(key));
  }

  override getTreeItem(node: Node): vscode.TreeItem {
    return itemOf(node);
  }

  override getChildren(node?: Node): Node[] | Promise<Node[]> {
    switch (node?.kind) {
      case undefined:
        return threads(this.stops);
      case 'thread':
        return node.stops.map((stop) => ({ kind: 'stop', stop }));
      case 'stop':
        return [
          ...(node.stop.condition.message.trim() ? [{ kind: 'message', stop: node.stop } as const] : []),
          { kind: 'heading', title: 'Restarts', stop: node.stop },
          { kind: 'heading', title: 'Frames', stop: node.stop },
        ];
      case 'heading':
        return node.title === 'Restarts' ? restarts(node.stop) : frames(node.stop);
      case 'more':
        return this.furtherFrames(node.stop);
      case 'frame':
        return this.inside(node);
      default:
        return [];
    }
  }

  /** Bring the thread of STOP into sight, if the view is looked at; typing goes on where it was. */
  private async show(stop: Debugger | undefined): Promise<void> {
    const node = threads(this.stops).find((each) => each.kind === 'thread' && each.stops[0]?.thread === stop?.thread);
    if (node !== undefined && this.isShown) {
      await this.reveal(node);
    }
  }

  private async announce(stop: Debugger): Promise<void> {
    if (await this.isTold(stop)) {
      return;
    }
    const message = `Stopped: ${typeOf(stop.condition)}: ${stop.condition.message.replace(/\s*\n\s*/g, ' ')}`;
    if ((await vscode.window.showWarningMessage(message, SHOW)) !== SHOW) {
      return;
    }
    // A notification cannot be taken back: it may be answered when its stop is gone.
    if (this.find(stop) === undefined) {
      vscode.window.setStatusBarMessage('Descartes: this stop was left', TOLD_MS);
    } else {
      await vscode.commands.executeCommand('descartes.debugger.focus');
    }
  }

  private async inside(of: FrameNode): Promise<Node[]> {
    const params = { ...keyOf(of.stop), frame: of.frame.index };
    const name = [nameOf(of.stop), of.stop.evaluation, of.frame.index].join('/');
    this.opened.set(name, of);
    // While an inner level is stopped the image does not answer for the outer ones.
    const detail = (await this.server.ask<FrameDetail>('debugger.frame', params)) ?? this.details.get(name);
    if (detail !== undefined) {
      this.details.set(name, detail);
    }
    return [
      ...(detail?.locals ?? []).map((local): Node => ({ kind: 'local', of, local })),
      ...(detail?.catchTags ?? []).map((tag): Node => ({ kind: 'catchTag', of, tag })),
    ];
  }

  private async furtherFrames(stop: Debugger): Promise<Node[]> {
    const params = { ...keyOf(stop), start: stop.frames.length, end: stop.frameCount };
    const result = await this.server.call<{ frames: Frame[] }>('debugger.frames', params);
    return (result?.frames ?? []).map((frame) => ({ kind: 'frame', stop, frame }));
  }
}

function nameOf({ thread, level }: StopKey): string {
  return `${thread}/${level}`;
}

function threads(stops: Debugger[]): Node[] {
  const byThread = new Map<number, Debugger[]>();
  for (const stop of stops) {
    byThread.set(stop.thread, [...(byThread.get(stop.thread) ?? []), stop]);
  }
  return [...byThread.values()].map((levels): Node => ({ kind: 'thread', stops: levels.sort(innermostFirst) }));
}

function innermostFirst(one: StopKey, other: StopKey): number {
  return other.level - one.level;
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

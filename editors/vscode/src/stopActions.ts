// What can be done with a stop, a restart or a frame; every one of these is the person's explicit choice.
import * as vscode from 'vscode';
import type { Frame, FrameDetail, Local, Location, StopKey } from './protocol';
import type { Documents } from './documents';
import type { Server } from './server';
import type { FrameNode, LocalNode, RestartNode, StopNode } from './stopNodes';
import type { StopsView } from './stopsView';
import { askArguments, askCall, askExpression } from './asking';
import { rangeOf } from './places';
import { keyOf } from './stopNodes';

type Inspect = (params: StopKey & { frame?: number; local?: number }) => Promise<void>;
const LONGEST_NAME = 60;

type RestartParams = StopKey & { index?: number; name?: string; arguments?: string[] };

export class StopActions {
  constructor(
    private readonly server: Server,
    private readonly view: StopsView,
    private readonly inspect: Inspect,
    private readonly documents: Documents,
  ) {}

  /** Return the commands of the view's lines. */
  commands(): Record<string, (node: never) => unknown> {
    return { ...this.ofStops(), ...this.ofFrames() };
  }

  /** Return the result of debugger.restart with PARAMS, after asking for the arguments that it needs. */
  async invokeRestart(params: RestartParams): Promise<unknown> {
    const restart = this.view
      .find(params)
      ?.restarts.find((each) => (params.index === undefined ? each.name === params.name : each.index === params.index));
    let given = params.arguments;
    if (given === undefined && restart !== undefined && restart.arguments.length > 0) {
      given = await askArguments(restart, await this.locals(params, 0));
      if (given === undefined) {
        return undefined;
      }
    }
    return this.server.call('debugger.restart', { ...params, arguments: given ?? [] });
  }

  private ofStops(): Record<string, (node: never) => unknown> {
    const call =
      (operation: string, params: object = {}) =>
      ({ stop }: StopNode) =>
        this.server.call(operation, { ...keyOf(stop), ...params });
    return {
      invokeRestart: ({ stop, restart }: RestartNode) =>
        this.invokeRestart({ ...keyOf(stop), index: restart.index, name: restart.name }),
      inspectCondition: ({ stop }: StopNode) => this.inspect(keyOf(stop)),
      abort: call('debugger.abort'),
      continue: call('debugger.continue'),
      toplevel: call('debugger.toplevel'),
      stepInto: call('debugger.step', { kind: 'into' }),
      stepNext: call('debugger.step', { kind: 'next' }),
      stepOut: call('debugger.step', { kind: 'out' }),
    };
  }

  private ofFrames(): Record<string, (node: never) => unknown> {
    return {
      showFrame: ({ frame }: FrameNode) => showLocation(frame.location),
      evalInFrame: (node: FrameNode) => this.withCode('debugger.evalInFrame', 'Evaluate in frame', node),
      returnFromFrame: (node: FrameNode) => this.withCode('debugger.returnFromFrame', 'Return from frame', node),
      restartFrame: (node: FrameNode) => this.server.call('debugger.restartFrame', at(node)),
      restartFrameWith: (node: FrameNode) => this.restartFrameWith(node),
      retryWithFix: (node?: FrameNode) => this.retryWithFix(node),
      recompileFrame: (node: FrameNode) =>
        this.server.call('debugger.recompile', { ...at(node), uri: node.frame.location?.uri }),
      disassembleFrame: (node: FrameNode) => this.disassemble(node),
      inspectLocal: ({ of, local }: LocalNode) => this.inspect({ ...at(of), local: local.id }),
    };
  }

  private async withCode(operation: string, title: string, node: FrameNode): Promise<void> {
    const code = await askExpression(title, node.frame.description);
    if (code !== undefined) {
      await this.server.call(operation, { ...at(node), code });
    }
  }

  private async disassemble(node: FrameNode): Promise<void> {
    const code = await this.server.call<{ text: string }>('debugger.disassemble', at(node));
    if (code !== undefined) {
      await this.documents.show(`Disassemble ${node.frame.description}`.slice(0, LONGEST_NAME), code.text);
    }
  }

  private async restartFrameWith(node: FrameNode): Promise<void> {
    const given = await askCall(node.frame, await this.locals(node.stop, node.frame.index));
    if (given !== undefined) {
      await this.server.call('debugger.restartFrame', { ...at(node), arguments: given });
    }
  }

  /** The form at the cursor, or else that of the frame, is compiled as it stands in the editor, saved or not. */
  private async retryWithFix(node?: FrameNode): Promise<void> {
    const stop = node?.stop ?? (await this.view.pick());
    const place = cursorIn(node?.frame.location) ?? placeOf(node);
    if (stop === undefined || place === undefined) {
      throw new Error('expected a stopped thread and the cursor in the form to compile, found none');
    }
    await this.server.call('debugger.retryWithFix', { ...keyOf(stop), ...place });
  }

  private async locals(stop: StopKey, frame: Frame['index']): Promise<Local[]> {
    return (await this.server.ask<FrameDetail>('debugger.frame', { ...keyOf(stop), frame }))?.locals ?? [];
  }
}

function at({ stop, frame }: FrameNode): StopKey & { frame: number } {
  return { ...keyOf(stop), frame: frame.index };
}

type Place = { uri: string; position: { line: number; character: number }; frame?: number };

/** Return where the cursor is, if that is in the file of LOCATION or there is no location. */
function cursorIn(location: Location | null | undefined): Place | undefined {
  const active = vscode.window.activeTextEditor;
  const uri = active?.document.uri.toString();
  const isThere = !location || vscode.Uri.parse(location.uri).toString() === uri;
  return active && uri && isThere ? { uri, position: active.selection.active } : undefined;
}

function placeOf(node: FrameNode | undefined): Place | undefined {
  const location = node?.frame.location;
  return node && location ? { uri: location.uri, position: location.range.start, frame: node.frame.index } : undefined;
}

async function showLocation(location: Location | null | undefined): Promise<void> {
  if (location) {
    const selection = rangeOf(location.range);
    await vscode.window.showTextDocument(vscode.Uri.parse(location.uri), { selection, preserveFocus: true });
  }
}

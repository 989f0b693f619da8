// All terminals that talk to the image: opening them, who gets which output, and the links in them.
import * as vscode from 'vscode';
import type { Debugger, Evaluation, InputRequest, Printed } from '../protocol';
import type { Server } from '../server';
import { answerInput, askLine } from '../asking';
import type { FrameNode } from '../stopNodes';
import { FrameConsole } from './frameConsole';
import { REFERENCE } from './outcome';
import { Output } from './output';
import { Repl } from './repl';
import { ReplTerminal } from './terminal';

const TITLE = 'Lisp REPL';
const MAIN = 'main';
const PROFILE = 'descartes.repl';

interface Link extends vscode.TerminalLink {
  value: Value;
}
type Value = { evaluation: string; value: number };
type Inspect = (params: Value) => Promise<void>;

export class Repls implements vscode.Disposable, vscode.TerminalLinkProvider<Link> {
  private readonly output = new Output();
  private readonly repls = new Set<Repl>();
  private readonly consoles = new Set<FrameConsole>();
  private readonly terminals = new Map<Repl, vscode.Terminal>();
  private readonly registrations: vscode.Disposable[];

  constructor(
    private readonly server: Server,
    private readonly inspect: Inspect,
  ) {
    this.registrations = [
      vscode.window.registerTerminalLinkProvider(this),
      vscode.window.registerTerminalProfileProvider(PROFILE, {
        provideTerminalProfile: () => new vscode.TerminalProfile(optionsOf(this.make(this.freeName()))),
      }),
    ];
  }

  /** Return the commands of the palette and of frames. */
  commands(): Record<string, (argument: never) => unknown> {
    return {
      repl: () => this.show(MAIN),
      newRepl: () => this.openAnother(),
      frameConsole: ({ stop, frame }: FrameNode) => this.openConsole(stop, frame),
    };
  }

  printed(printed: Printed): void {
    this.output.take(printed);
  }

  ended(evaluation: Evaluation): void {
    [...this.repls, ...this.consoles].forEach((each) => each.ended(evaluation));
  }

  stopsChanged(stops: Debugger[]): void {
    this.consoles.forEach((each) => each.stopsChanged(stops));
  }

  /**
   * Return what the person answers to REQUEST: in the terminal whose evaluation reads, else in an input box.
   *
   * The question is taken from the screen when it is WITHDRAWN.
   */
  async answer(request: InputRequest, withdrawn: vscode.CancellationToken): Promise<{ text: string }> {
    const owner = await this.ownerOf(request.evaluation);
    if (owner === undefined) {
      return answerInput(request, withdrawn);
    }
    return { text: await owner.terminal.read(request.prompt, withdrawn) };
  }

  /** Return whether STOP is told in the terminal where its evaluation was asked for. */
  async tell(stop: Debugger): Promise<boolean> {
    const isInFrame = [...this.consoles].some((each) => each.isBusyIn(stop.thread));
    return isInFrame || (await this.ownerOf(stop.evaluation)) !== undefined;
  }

  provideTerminalLinks({ line, terminal }: vscode.TerminalLinkContext): Link[] {
    const pty = 'pty' in terminal.creationOptions ? terminal.creationOptions.pty : undefined;
    const repl = pty instanceof ReplTerminal && pty.partner instanceof Repl ? pty.partner : undefined;
    return repl === undefined ? [] : linksIn(line, repl);
  }

  handleTerminalLink({ value }: Link): Promise<void> {
    return this.inspect(value);
  }

  dispose(): void {
    this.registrations.forEach((each) => each.dispose());
    this.terminals.forEach((each) => each.dispose());
  }

  private async ownerOf(evaluation: string | null | undefined): Promise<Repl | FrameConsole | undefined> {
    const all = [...this.repls, ...this.consoles];
    const owning = await Promise.all(all.map(({ evaluations }) => evaluations.has(evaluation)));
    return all[owning.indexOf(true)];
  }

  private show(name: string): void {
    const open = [...this.terminals].find(([repl]) => repl.name === name)?.[1];
    (open ?? this.create(name)).show();
  }

  private create(name: string): vscode.Terminal {
    const repl = this.make(name);
    const terminal = vscode.window.createTerminal(optionsOf(repl));
    this.terminals.set(repl, terminal);
    return terminal;
  }

  private make(name: string): Repl {
    const repl = new Repl(this.server, this.output, name, (gone) => {
      this.repls.delete(gone);
      this.terminals.delete(gone);
    });
    this.repls.add(repl);
    return repl;
  }

  private async openAnother(): Promise<void> {
    const prompt = 'A REPL of its own, with its own package and results.';
    const name = await askLine('Name of the REPL', { prompt, value: this.freeName() });
    if (name?.trim()) {
      this.show(name.trim());
    }
  }

  private freeName(): string {
    const taken = new Set([...this.repls].map(({ name }) => name));
    let [name, number] = [MAIN, 1];
    while (taken.has(name)) {
      number += 1;
      name = `repl-${number}`;
    }
    return name;
  }

  private openConsole(stop: Debugger, frame: FrameNode['frame']): void {
    const made = new FrameConsole(this.server, this.output, stop, frame, (gone) => this.consoles.delete(gone));
    this.consoles.add(made);
    const name = `Frame ${frame.index}, thread ${stop.thread}`;
    vscode.window.createTerminal({ name, pty: made.terminal, iconPath: new vscode.ThemeIcon('debug-console') }).show();
  }
}

function optionsOf({ name, terminal }: Repl): vscode.ExtensionTerminalOptions {
  const title = name === MAIN ? TITLE : `${TITLE}: ${name}`;
  return { name: title, pty: terminal, iconPath: new vscode.ThemeIcon('symbol-namespace') };
}

/** A line that begins with a reference is a link as a whole: it shows that value. */
function linksIn(line: string, repl: Repl): Link[] {
  return [...line.matchAll(REFERENCE)].flatMap(({ 0: text, 1: number, 2: further, index }) => {
    const value = repl.valueOf(Number(number), Number(further ?? 0));
    const length = index === 0 ? line.trimEnd().length : text.length;
    return value === undefined ? [] : [{ startIndex: index, length, tooltip: `Inspect ${text}`, value }];
  });
}

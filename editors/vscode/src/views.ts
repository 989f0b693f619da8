// Everything that shows what the server tells, and what is listened to for it.
import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import * as protocol from './protocol';
import { InspectorView } from './inspectorView';
import type { Documents } from './documents';
import { Leases } from './leases';
import { Notes } from './notes';
import { Outcomes } from './outcomes';
import { Questions } from './questions';
import { Runs } from './runs';
import type { Server } from './server';
import { Repls } from './repl/repls';
import { askForSecret } from './secrets';
import { StatusBar } from './statusBar';
import { StopActions } from './stopActions';
import { StopsView } from './stopsView';
import { TestExplorer } from './testExplorer';
import { Threads } from './threads';
import { TraceView } from './traceView';
import { Whiteboard } from './whiteboard';
import { WisdomView } from './wisdom';

const TOLD_MS = 5_000;

export class Views implements vscode.Disposable {
  readonly printed = vscode.window.createOutputChannel('Lisp', 'commonlisp');
  readonly outcomes = new Outcomes(this.printed);
  readonly stops: StopsView;
  readonly actions: StopActions;
  readonly inspector: InspectorView;
  readonly repls: Repls;
  readonly questions: Questions;
  readonly runs: Runs;
  private readonly said = vscode.window.createOutputChannel('Descartes Runs');
  private readonly status = new StatusBar();
  private readonly leases: Leases;
  private readonly trace: TraceView;
  private readonly threads: Threads;
  private readonly tests: TestExplorer;
  private readonly notes: Notes;
  private readonly board: Whiteboard;
  private readonly wisdom: WisdomView;

  constructor(
    private readonly server: Server,
    documents: Documents,
  ) {
    this.inspector = new InspectorView(server);
    this.repls = new Repls(server, (params) => this.inspector.open(params));
    this.stops = new StopsView(server, (stop) => this.repls.tell(stop));
    this.actions = new StopActions(server, this.stops, (params) => this.inspector.open(params), documents);
    this.trace = new TraceView(server, (params) => this.inspector.open(params));
    this.threads = new Threads(server);
    this.tests = new TestExplorer(server);
    this.questions = new Questions(server);
    this.runs = new Runs(server);
    this.leases = new Leases(server);
    this.notes = new Notes(server);
    this.board = new Whiteboard(server, documents);
    this.wisdom = new WisdomView(server);
  }

  /** Show what CLIENT hears from now on. */
  listen(client: LanguageClient): void {
    client.onNotification(protocol.lispStatus, (status) => this.lispChanged(status));
    client.onNotification(protocol.lispOutput, (printed) => this.wasPrinted(printed));
    client.onNotification(protocol.lispEvaluated, (evaluation) => this.ended(evaluation));
    client.onNotification(protocol.lispTested, (told) => this.tests.tested(told));
    client.onNotification(protocol.lispInputEnded, () => {
      vscode.window.setStatusBarMessage('The program does not read its input any more', TOLD_MS);
    });
    client.onNotification(protocol.debuggerChanged, ({ debuggers }) => this.stopsChanged(debuggers));
    client.onNotification(protocol.leaseChanged, () => void this.leases.refresh());
    client.onNotification(protocol.runChanged, (run) => this.runChanged(run));
    client.onNotification(protocol.runOutput, ({ text }) => this.said.append(text));
    client.onNotification(protocol.interventionChanged, ({ interventions }) => this.questions.update(interventions));
    client.onRequest(protocol.lispInput, (request, withdrawn) => this.repls.answer(request, withdrawn));
    client.onRequest(protocol.secretInput, askForSecret);
  }

  /** Ask for how things stand; used when the server has just started. */
  async refresh(): Promise<void> {
    const { server } = this;
    this.status.statusChanged(await server.request('lisp.status'));
    this.stopsChanged((await server.request<{ debuggers: protocol.Debugger[] }>('debugger.list')).debuggers);
    this.questions.update(
      (await server.request<{ interventions: protocol.Intervention[] }>('intervention.list')).interventions,
    );
    this.runs.changed(...(await server.request<{ runs: protocol.Run[] }>('run.list')).runs);
    await this.leases.refresh();
    await this.inspector.refresh();
    await this.tests.refresh();
    await this.notes.refresh();
    await this.board.refresh();
    await this.wisdom.refresh();
  }

  /** Return the commands of the views' lines and terminals. */
  commands(): Record<string, (argument: never) => unknown> {
    const { actions, inspector, repls, trace, threads, notes, board, wisdom } = this;
    const all = [actions, inspector, repls, trace, threads, notes, board, wisdom];
    return Object.assign({}, ...all.map((each) => each.commands()));
  }

  dispose(): void {
    const { printed, said, outcomes, status, stops, inspector, repls } = this;
    const { trace, threads, tests, questions, runs, leases, notes, board, wisdom } = this;
    [printed, said, outcomes, status, stops, inspector, repls].forEach((each) => each.dispose());
    [trace, threads, tests, questions, runs, leases, notes, board, wisdom].forEach((each) => each.dispose());
  }

  private lispChanged(status: protocol.LispStatus): void {
    this.status.statusChanged(status);
    void this.inspector.refresh();
    void this.threads.refresh();
  }

  private runChanged(run: protocol.Run): void {
    this.runs.changed(run);
    void this.board.refresh();
    void this.wisdom.refresh();
  }

  private wasPrinted(printed: protocol.Printed): void {
    this.printed.append(printed.text);
    this.repls.printed(printed);
  }

  private ended(evaluation: protocol.Evaluation): void {
    this.outcomes.ended(evaluation);
    this.repls.ended(evaluation);
    this.stops.lookAgain();
    void this.trace.refresh();
    void this.threads.refresh();
  }

  private stopsChanged(stops: protocol.Debugger[]): void {
    this.status.stopsChanged(new Set(stops.map((stop) => stop.thread)).size);
    this.stops.update(stops);
    this.repls.stopsChanged(stops);
  }
}

// Everything that shows what the server tells, and what is listened to for it.
import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import * as protocol from './protocol';
import { answerInput } from './asking';
import { Leases } from './leases';
import { Outcomes } from './outcomes';
import { Questions } from './questions';
import { Runs } from './runs';
import type { Server } from './server';
import { StatusBar } from './statusBar';
import { StopsView } from './stopsView';

export class Views implements vscode.Disposable {
  readonly printed = vscode.window.createOutputChannel('Lisp', 'commonlisp');
  readonly outcomes = new Outcomes(this.printed);
  readonly stops: StopsView;
  readonly questions: Questions;
  readonly runs: Runs;
  private readonly said = vscode.window.createOutputChannel('Descartes Runs');
  private readonly status = new StatusBar();
  private readonly leases: Leases;

  constructor(private readonly server: Server) {
    this.stops = new StopsView(server);
    this.questions = new Questions(server);
    this.runs = new Runs(server);
    this.leases = new Leases(server);
  }

  /** Show what CLIENT hears from now on. */
  listen(client: LanguageClient): void {
    client.onNotification(protocol.lispStatus, (status) => this.status.statusChanged(status));
    client.onNotification(protocol.lispOutput, ({ text }) => this.printed.append(text));
    client.onNotification(protocol.lispEvaluated, (evaluation) => this.outcomes.ended(evaluation));
    client.onNotification(protocol.debuggerChanged, ({ debuggers }) => this.stopsChanged(debuggers));
    client.onNotification(protocol.leaseChanged, () => void this.leases.refresh());
    client.onNotification(protocol.runChanged, (run) => this.runs.changed(run));
    client.onNotification(protocol.runOutput, ({ text }) => this.said.append(text));
    client.onNotification(protocol.interventionChanged, ({ interventions }) => this.questions.update(interventions));
    client.onRequest(protocol.lispInput, answerInput);
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
  }

  dispose(): void {
    const { printed, said, outcomes, status, stops, questions, runs, leases } = this;
    [printed, said, outcomes, status, stops, questions, runs, leases].forEach((each) => each.dispose());
  }

  private stopsChanged(stops: protocol.Debugger[]): void {
    this.status.stopsChanged(new Set(stops.map((stop) => stop.thread)).size);
    this.stops.update(stops);
  }
}

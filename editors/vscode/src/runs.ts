// The runs of agents, newest first.
import * as vscode from 'vscode';
import type { Run } from './protocol';
import type { Server } from './server';
import { ListView } from './treeView';

const ENDED = new Set(['completed', 'failed', 'terminated']);
const ICONS: Record<string, [icon: string, colour?: string]> = {
  completed: ['pass', 'testing.iconPassed'],
  failed: ['error', 'testing.iconFailed'],
  terminated: ['circle-slash'],
  paused: ['debug-pause'],
};

export class Runs extends ListView<Run> {
  private readonly known = new Map<string, Run>();

  constructor(private readonly server: Server) {
    super('descartes.runs', line);
  }

  /** Take in that RUNS are as they say; that one has failed is announced. */
  changed(...runs: Run[]): void {
    for (const run of runs) {
      const before = this.known.get(run.id);
      this.known.set(run.id, run);
      if (before !== undefined && run.status === 'failed' && before.status !== 'failed') {
        void vscode.window.showWarningMessage(`Descartes: ${run.task}: failed${run.reason ? `: ${run.reason}` : ''}`);
      }
    }
    this.update([...this.known.values()].sort((a, b) => b.startedAt.localeCompare(a.startedAt)));
  }

  /** Pause RUN, or let it go on. */
  async pause(run: Run): Promise<void> {
    await this.server.call(run.status === 'paused' ? 'run.resume' : 'run.pause', { run: run.id });
  }
}

function line(run: Run): vscode.TreeItem {
  const item = new vscode.TreeItem(run.task);
  const [icon, colour] = ICONS[run.status] ?? ['sync~spin'];
  item.id = run.id;
  item.description = [run.phase ?? run.status, run.reason].filter(Boolean).join(': ');
  item.tooltip = `${run.task}\n${run.agent}, ${item.description}`;
  item.iconPath = new vscode.ThemeIcon(icon, colour === undefined ? undefined : new vscode.ThemeColor(colour));
  item.contextValue = ENDED.has(run.status) ? 'run.ended' : 'run';
  item.command = { command: 'descartes.run.output', title: 'Output', arguments: [{ run: run.id, show: true }] };
  return item;
}

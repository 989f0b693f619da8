// The threads of the image.
import * as vscode from 'vscode';
import type { Thread } from './protocol';
import type { Server } from './server';
import { ListView } from './treeView';

const END = 'End It';

export class Threads extends ListView<Thread> {
  constructor(private readonly server: Server) {
    super('descartes.threads', line);
    this.onShown(() => void this.refresh());
  }

  /** Ask for the threads anew, while they are looked at. */
  async refresh(): Promise<void> {
    if (this.isShown) {
      const found = await this.server.ask<{ threads: Thread[] }>('lisp.threads');
      this.update((found?.threads ?? []).sort(ownFirst));
    }
  }

  /** Return the commands of the view. */
  commands(): Record<string, (thread: never) => unknown> {
    return {
      refreshThreads: () => this.refresh(),
      interruptThread: ({ id }: Thread) => this.server.call('lisp.interrupt', { thread: id }),
      killThread: (thread: Thread) => this.kill(thread),
    };
  }

  private async kill({ id, name }: Thread): Promise<void> {
    const detail = 'What it evaluates is aborted.';
    if ((await vscode.window.showWarningMessage(`End the thread ${name}?`, { modal: true, detail }, END)) === END) {
      await this.server.call('lisp.killThread', { thread: id });
      await this.refresh();
    }
  }
}

/** What the person's code runs in stands before what the image's own services run in, the newest first. */
function ownFirst(one: Thread, other: Thread): number {
  return Number(one.service) - Number(other.service) || other.id - one.id;
}

function line(thread: Thread): vscode.TreeItem {
  const item = new vscode.TreeItem(thread.name);
  item.id = String(thread.id);
  item.description = `${thread.id}, ${thread.state}`;
  item.tooltip = [item.description, thread.evaluation].filter(Boolean).join('\n');
  item.iconPath = new vscode.ThemeIcon(thread.state === 'stopped' ? 'debug-pause' : 'pulse');
  item.contextValue = thread.service ? 'thread.service' : 'thread';
  return item;
}

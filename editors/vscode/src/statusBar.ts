// The image's state, and how many threads are stopped, in the status bar.
import * as vscode from 'vscode';
import type { LispStatus } from './protocol';

const ICONS: Record<LispStatus['state'], string> = {
  stopped: '$(circle-outline)',
  starting: '$(sync~spin)',
  ready: '$(circle-filled)',
  lost: '$(error)',
};

export class StatusBar implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('descartes.status', vscode.StatusBarAlignment.Left);
  private status: LispStatus = { state: 'stopped' };
  private stops = 0;

  constructor() {
    this.item.name = 'Lisp';
    this.render();
    this.item.show();
  }

  /** Take in the image's STATUS. */
  statusChanged(status: LispStatus): void {
    this.status = status;
    this.render();
  }

  /** Take in that COUNT threads are stopped. */
  stopsChanged(count: number): void {
    this.stops = count;
    this.render();
  }

  dispose(): void {
    this.item.dispose();
  }

  private render(): void {
    const { state, implementation, version, pid, reason } = this.status;
    const stopped = `${this.stops} stopped thread${this.stops === 1 ? '' : 's'}`;
    const image = state === 'ready' ? `${implementation} ${version}, process ${pid}` : `Lisp is ${state}`;
    this.item.text = `${ICONS[state]} Lisp${this.stops > 0 ? `  $(debug-pause) ${stopped}` : ''}`;
    this.item.tooltip = [image, reason, this.stops > 0 ? stopped : undefined].filter(Boolean).join('\n');
    this.item.command = this.stops > 0 ? 'descartes.debugger.focus' : 'descartes.ui.showOutput';
    this.item.backgroundColor = this.background(state);
  }

  private background(state: LispStatus['state']): vscode.ThemeColor | undefined {
    if (state === 'lost') {
      return new vscode.ThemeColor('statusBarItem.errorBackground');
    }
    return this.stops > 0 ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined;
  }
}

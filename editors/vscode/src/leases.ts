// The leases there are: which file, who holds it, until when.
import * as vscode from 'vscode';
import type { Lease } from './protocol';
import type { Server } from './server';
import { ListView } from './treeView';

const KINDS: Record<string, string> = { human: 'person', agent: 'hubot', service: 'server-process' };

export class Leases extends ListView<Lease> {
  constructor(private readonly server: Server) {
    super('descartes.leases', line);
  }

  /** Ask for the leases anew. */
  async refresh(): Promise<void> {
    this.update((await this.server.request<{ leases: Lease[] }>('lease.list')).leases);
  }
}

function line(lease: Lease): vscode.TreeItem {
  const item = new vscode.TreeItem(lease.path);
  const until = new Date(lease.expiresAt).toLocaleTimeString([], { timeStyle: 'short' });
  item.description = `${lease.holder.name}${lease.reason ? `: ${lease.reason}` : ''}`;
  item.tooltip = `${lease.path}\n${item.description}\n${lease.mode}, until ${until}`;
  item.iconPath = new vscode.ThemeIcon(KINDS[lease.holder.kind] ?? 'lock');
  item.contextValue = 'lease';
  item.command = { command: 'vscode.open', title: 'Open', arguments: [vscode.Uri.parse(lease.uri)] };
  return item;
}

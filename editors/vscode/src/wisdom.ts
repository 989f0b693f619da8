// What was learned by working here: listed, found by what it is about, added, and said whether it helped.
import * as vscode from 'vscode';
import type { Wisdom } from './protocol';
import type { Server } from './server';
import { askLine } from './asking';
import { ListView } from './treeView';

export class WisdomView extends ListView<Wisdom> {
  private about = '';

  constructor(private readonly server: Server) {
    super('descartes.wisdom', line);
    this.onShown(() => void this.refresh());
  }

  /** Ask for it anew, while it is looked at. */
  async refresh(): Promise<void> {
    if (this.isShown) {
      const { about } = this;
      const found = await this.server.call<{ wisdom: Wisdom[] }>('wisdom.list', about === '' ? {} : { about });
      this.describe(about);
      this.update(found?.wisdom ?? []);
    }
  }

  /** Return the commands of the view and of the palette. */
  commands(): Record<string, (wisdom: never) => unknown> {
    return {
      refreshWisdom: () => this.refresh(),
      addWisdom: () => this.add(),
      searchWisdom: () => this.search(),
      wisdomHelped: (wisdom: Wisdom) => this.outcome(wisdom, true),
      wisdomDidNotHelp: (wisdom: Wisdom) => this.outcome(wisdom, false),
    };
  }

  private async add(): Promise<void> {
    const insight = await askLine('Add Wisdom', { placeHolder: 'what was learned, in a sentence or two' });
    const tags = insight?.trim() ? await askLine('Add Wisdom', { placeHolder: 'tags, or nothing' }) : undefined;
    if (insight !== undefined && tags !== undefined) {
      await this.server.call('wisdom.add', { insight, tags: tags.split(/[\s,]+/).filter(Boolean) });
      await this.refresh();
    }
  }

  private async search(): Promise<void> {
    const options = { value: this.about, placeHolder: 'a task, or nothing for all there is' };
    const about = await askLine('Wisdom About', options);
    if (about !== undefined) {
      this.about = about.trim();
      await this.comeForward();
      await this.refresh();
    }
  }

  private async outcome({ id }: Wisdom, helped: boolean): Promise<void> {
    await this.server.call('wisdom.outcome', { wisdom: id, helped });
    await this.refresh();
  }
}

function line(wisdom: Wisdom): vscode.TreeItem {
  const { outcomes, tags, by } = wisdom;
  const trust = `${Math.round(wisdom.confidence * 100)} %`;
  // How far it is trusted stands first: the end of a line is seldom seen.
  const item = new vscode.TreeItem(`${trust}  ${wisdom.insight.trim().replace(/\s*\n\s*/g, ' ')}`);
  item.id = wisdom.id;
  item.description = tags.join(', ');
  const tried = `trusted ${trust} after ${outcomes} outcome${outcomes === 1 ? '' : 's'}`;
  item.tooltip = `${wisdom.insight}\n\n${by.name}, ${wisdom.category}, ${tried}`;
  item.iconPath = new vscode.ThemeIcon('lightbulb');
  item.contextValue = 'wisdom';
  return item;
}

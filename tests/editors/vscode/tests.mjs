// VS Code's own test explorer.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { act, choose, goTo, onlyView, row, say, status, viewIcon } from './page.mjs';

const item = (page, text) => page.locator('.test-explorer .monaco-list-row', { hasText: text }).first();
const passed = (page, text) => item(page, text).locator('.codicon-testing-passed-icon');
const failed = (page, text) => item(page, text).locator('.codicon-testing-failed-icon');

async function debug(page) {
  await act(page, item(page, 'thirds'), 'Debug Test');
  await status(page, '1 stopped thread').waitFor();
  await viewIcon(page).click();
  await onlyView(page, 'Stopped Threads');
  await row(page, 'NEXT-TEST').click();
  await status(page, '1 stopped thread').waitFor({ state: 'detached' });
  await choose(page, 'Testing: Focus on Test Explorer View');
  await item(page, 'thirds').locator('.codicon-testing-error-icon').waitFor();
  say('a failing test stops in the debugger when it is debugged');
}

/** Run the tests of a system, look at a failure, debug it, correct it and run again what failed. */
export async function tests({ page, folder, shot }) {
  await choose(page, 'Testing: Focus on Test Explorer View');
  await act(page, item(page, 'ratio/tests'), 'Run Test');
  await failed(page, 'ratio/tests').waitFor();
  await item(page, 'ratio/tests').locator('.monaco-tl-twistie').click();
  await passed(page, 'halves').waitFor();
  await failed(page, 'thirds').waitFor();
  say('tests have passed and failed');
  await item(page, 'thirds').dblclick();
  await page.locator('.test-message-inline-content, .monaco-editor .zone-widget').first().waitFor();
  await page.locator('.codelens-decoration a', { hasText: 'debug' }).first().waitFor();
  await shot('tests');
  await debug(page);
  await goTo(page, 'ratio-tests.lisp', '4)))');
  await page.keyboard.press('Delete');
  await page.keyboard.type('3');
  await page.locator('.tab.active.dirty').waitFor();
  await choose(page, 'Test: Rerun Failed Tests');
  await passed(page, 'thirds').waitFor();
  say('what failed is corrected, not saved, run again, and passes: it is saved first');
  const file = path.join(folder, 'ratio-tests.lisp');
  writeFileSync(file, readFileSync(file, 'utf8').replace('share 1 3', 'share 1 4'));
  // The editor has the file open, and hears of its change a moment later.
  await page.locator('.view-line', { hasText: /share\s1\s4/ }).first().waitFor();
  await act(page, item(page, 'thirds'), 'Run Test');
  await failed(page, 'thirds').waitFor();
  say('what another program changed is run as it is now');
}

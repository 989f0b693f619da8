// VS Code's own debugger on the Lisp image: a session begins, a thread stops, is looked into and left by a restart.
import { answer, choose, drive, openFile, say } from './page.mjs';

const frame = (page, text) => page.locator('.debug-call-stack .monaco-list-row', { hasText: text }).first();
const variable = (page, text) => page.locator(`.debug-variables .monaco-list-row[aria-label^="${text}"]`).last();
const printed = (page, text) => page.locator('.repl .monaco-list-row', { hasText: text }).last();

/** Type TEXT into the debug console. */
async function type(page, text) {
  await page.locator('.repl-input-wrapper .monaco-editor').click();
  await page.keyboard.insertText(text);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
}

async function unfold(line) {
  await line.locator('.monaco-tl-twistie.collapsed').click();
}

async function begin({ page }) {
  await openFile(page, 'orders.lisp');
  await page.keyboard.press('F5');
  await page.locator('.debug-toolbar').waitFor();
  await choose(page, 'View: Show Run and Debug');
  await choose(page, 'Debug Console: Focus on Debug Console View');
  say('a session began without a launch.json');
}

async function stop({ page }) {
  await type(page, '(load "orders.lisp")');
  await printed(page, /^T$/).waitFor();
  await type(page, `(orders:report '(("Ada" (3 4 8)) ("Bob" ())))`);
  await frame(page, '(ORDERS:MEAN').waitFor();
  await page.locator('.exception-widget', { hasText: 'DIVISION-BY-ZERO' }).waitFor();
  say('the thread is stopped, its frames and its condition are shown');
}

async function look({ page, shot }) {
  await variable(page, 'PRICES,').waitFor();
  await unfold(page.locator('.debug-variables .monaco-list-row', { hasText: /^Restarts$/ }));
  await variable(page, '0 USE-VALUE').waitFor();
  say('the variables and restarts are shown');
  await shot('debugger');
  await frame(page, '(ORDERS:REPORT').click();
  await unfold(variable(page, 'ORDERS,'));
  await unfold(variable(page, '0, value ('));
  await unfold(variable(page, '1, value (3 4 8)'));
  await variable(page, '0, value 3').waitFor();
  say('an object unfolds');
  await shot('unfolded');
}

async function leave({ page }) {
  await page.locator('.debug-toolbar .action-label[aria-label*="Leave the Stop"]').click();
  await page.locator('.quick-input-list', { hasText: 'USE-VALUE' }).waitFor();
  await page.keyboard.type('use-value');
  await page.keyboard.press('Enter');
  await answer(page, 'USE-VALUE', '(* 6 7)');
  await printed(page, '42').waitFor();
  say('the restart was invoked with its argument');
}

await drive('', async (window) => {
  await window.open();
  await begin(window);
  await stop(window);
  await look(window);
  await leave(window);
});

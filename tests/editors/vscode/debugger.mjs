// VS Code's own debugger on the Lisp image: a session begins, a thread stops, is looked into and left by a restart.
import { act, answer, choose, drive, fromMenu, openFile, row, say } from './page.mjs';

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

async function load({ page }) {
  await type(page, '(load "orders.lisp")');
  await printed(page, /^T$/).waitFor();
}

async function stop({ page }) {
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

/** Click into the margin beside LINE until DOT is in STATE: a lens that comes or goes moves the line away. */
async function clickMargin(page, line, dot, state) {
  const number = page.locator('.margin-view-overlays .line-numbers', { hasText: new RegExp(`^${line}$`) });
  for (let tries = 5; ; tries -= 1) {
    const { x, y, height } = await number.boundingBox();
    await page.mouse.click(x - 12, y + height / 2);
    try {
      return await dot.waitFor({ state, timeout: 10_000 });
    } catch (error) {
      if (tries === 1) throw error;
    }
  }
}

/** Set a breakpoint in the margin, meet it, and take it away there. */
async function margin({ page }) {
  const dot = page.locator('.margin .codicon-debug-breakpoint');
  await clickMargin(page, 6, dot, 'visible');
  await type(page, "(orders:mean '(1 2))");
  await frame(page, '(ORDERS:MEAN').waitFor();
  say('a breakpoint in the margin stops the call');
  await page.keyboard.press('F5');
  await printed(page, '3/2').waitFor();
  await clickMargin(page, 6, dot, 'detached');
  // The editor shows no breakpoint as soon as it asks for none.
  const gone = '(loop until (zerop (hash-table-count descartes-boot::*breakpoints*)) do (sleep 0.05))';
  await type(page, `(progn ${gone} (orders:mean '(1 4)))`);
  await printed(page, '5/2').waitFor();
  say('taken away there it stops nothing');
}

/** Go on from a variable of the debugger to the inspector. */
async function inspect({ page }) {
  await fromMenu(page, variable(page, '1, value (3 4 8)'), 'Inspect');
  await row(page, /^\(3 4 8\)/).waitFor();
  await act(page, row(page, /^\(3 4 8\)/), 'Back');
  await row(page, /^\("Ada" \(3 4 8\)\)/).waitFor();
  say('the inspector shows what a variable has, and where it comes from');
  await choose(page, 'View: Show Run and Debug');
  await variable(page, 'ORDERS,').click({ button: 'right' });
  const offered = page.locator('.monaco-menu .action-item');
  await offered.filter({ hasText: 'Set Value' }).waitFor();
  await offered.filter({ hasText: 'Copy Value' }).waitFor();
  await page.keyboard.press('Escape');
  say('a variable can be set and copied');
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
  await load(window);
  await margin(window);
  await stop(window);
  await look(window);
  await inspect(window);
  await leave(window);
});

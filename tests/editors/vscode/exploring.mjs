// Looking around: cross references, names with a part, expansions in the file, and taking definitions away.
import { answer, choose, closeTab, evaluate, goTo, pick, putCursor, say, status } from './page.mjs';

const toast = (page, text) => page.locator('.notification-toast', { hasText: text });
const line = (page, text) => page.locator('.view-line', { hasText: text });

/** Find who calls a function, and a symbol by a part of its name. */
export async function around({ page, shot }) {
  await goTo(page, 'ratio.lisp', 'share (part');
  await choose(page, 'Descartes: Who Calls This Function');
  const peek = page.locator('.peekview-widget');
  await peek.locator('.monaco-list-row', { hasText: 'share 84 0' }).waitFor();
  await shot('callers');
  await page.keyboard.press('Escape');
  await peek.waitFor({ state: 'detached' });
  await putCursor(page, 'answer (unused');
  await choose(page, 'Descartes: Cross References…');
  await pick(page, 'callees');
  await peek.locator('.monaco-list-row', { hasText: 'defun share' }).waitFor();
  await page.keyboard.press('Escape');
  say('callers and callees stand in a peek view');
  await choose(page, 'Descartes: Apropos…');
  await answer(page, 'Apropos', 'shar');
  await pick(page, /ratio:share/i);
  await line(page, 'Return PART divided by WHOLE').first().waitFor();
  await closeTab(page, 'Describe');
  say('a symbol is found by a part of its name and described');
}

/** Expand a macro where it stands, and take that back. */
export async function expand({ page }) {
  await goTo(page, 'walk.lisp', '(when a');
  await choose(page, 'Descartes: Expand Macro in Place');
  await line(page, /\(if\sa/i).waitFor();
  await page.keyboard.press('Control+z');
  await line(page, '(when a').waitFor();
  say('a macro is expanded in the file, and that is undone');
}

/** Undefine a function, and take a symbol out of its package. */
export async function removal({ page }) {
  await evaluate(page, '(progn (defun cl-user::needless () 1) (defvar cl-user::superfluous 2) :there)');
  await status(page, '⇒ :THERE').waitFor();
  await choose(page, 'Descartes: Undefine…');
  await answer(page, 'Undefine', 'cl-user::needless');
  await toast(page, /needless/i).waitFor();
  await choose(page, 'Descartes: Unintern…');
  await answer(page, 'Unintern', 'cl-user::superfluous');
  await toast(page, /superfluous/i).waitFor();
  await choose(page, 'Notifications: Clear All Notifications');
  await evaluate(page, "(list (fboundp 'cl-user::needless) (find-symbol \"SUPERFLUOUS\" :cl-user))");
  await status(page, '⇒ (NIL NIL)').waitFor();
  say('a function is undefined and a symbol uninterned');
}

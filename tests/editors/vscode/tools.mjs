// Looking around in the image: the inspector, traced calls, threads.
import { act, answer, choose, evaluate, onlyView, openView, row, say, status } from './page.mjs';

/** Trace a function and look at its calls. */
export async function trace({ page, shot }) {
  await evaluate(page, '(defun fall (n) (if (zerop n) 0 (1+ (fall (1- n)))))');
  await status(page, '⇒ FALL').waitFor();
  await choose(page, 'Descartes: Trace or Untrace a Function…');
  await answer(page, 'Trace', 'fall');
  await openView(page, 'Trace');
  await page.locator('.pane-header', { hasText: /^Trace.*traced: .*fall/ }).waitFor();
  await evaluate(page, '(fall 2)');
  await row(page, '(FALL 0)').filter({ hasText: '→ 0' }).waitFor();
  await row(page, '(FALL 2)').filter({ hasText: '→ 2' }).waitFor();
  say('calls of a traced function are a tree');
  await shot('trace');
  await choose(page, 'Descartes: Trace Nothing and Forget the Calls');
  await row(page, '(FALL 2)').waitFor({ state: 'detached' });
}

/** Look at the threads of the image. */
export async function threads({ page }) {
  await onlyView(page, 'Threads');
  await row(page, 'main thread').waitFor();
  await openView(page, 'Threads', false);
  await openView(page, 'Stopped Threads');
  say('the threads of the image are listed');
}

/** Write a note, find it by a word, and archive it. */
export async function notes({ page, shot }) {
  await openView(page, 'Notes');
  await choose(page, 'Descartes: New Note…');
  await answer(page, 'New Note', 'Why shares are ratios');
  await page.locator('.tab', { hasText: 'why-shares-are-ratios.md' }).waitFor();
  await page.locator('.view-line', { hasText: 'title: Why shares are ratios' }).waitFor();
  await page.keyboard.type('Because halves are exact.');
  await page.locator('.view-line', { hasText: /^Because\shalves\sare\sexact\.$/ }).waitFor();
  await page.keyboard.press('Control+s');
  await page.locator('.tab.dirty', { hasText: 'why-shares-are-ratios.md' }).waitFor({ state: 'detached' });
  await choose(page, 'Descartes: Search Notes…');
  await answer(page, 'Search Notes', 'halves');
  await row(page, 'Why shares are ratios').waitFor();
  await shot('notes');
  await choose(page, 'Descartes: Search Notes…');
  await answer(page, 'Search Notes', 'thirds');
  await row(page, 'Why shares are ratios').waitFor({ state: 'detached' });
  await choose(page, 'Descartes: Search Notes…');
  await answer(page, 'Search Notes', '');
  await act(page, row(page, 'Why shares are ratios'), 'Archive');
  await row(page, 'Why shares are ratios').waitFor({ state: 'detached' });
  await page.locator('.tab', { hasText: 'why-shares-are-ratios.md' }).click({ button: 'middle' });
  await openView(page, 'Notes', false);
  say('a note is written, found and archived');
}

/** Look into a value, go into a part of it and change it. */
export async function inspect({ page, shot }) {
  await evaluate(page, '(defvar *box* (vector 1 (list :a :b) "three"))');
  await status(page, '⇒ *BOX*').waitFor();
  await choose(page, 'Descartes: Inspect…');
  await answer(page, 'Inspect', '*box*');
  await act(page, row(page, /^2\s*"three"/), 'Set…');
  await answer(page, 'Set', '(* 6 7)');
  await row(page, /^2\s*42/).waitFor();
  say('an element is set');
  await row(page, /^1\s*\(:A :B\)/).click();
  await row(page, /^\(:A :B\)/).waitFor();
  await act(page, row(page, /^\(:A :B\)/), 'Back');
  await row(page, /^2\s*42/).waitFor();
  await choose(page, 'Descartes: Inspect…');
  await answer(page, 'Inspect', "'(:another . value)");
  await row(page, /^\(:ANOTHER/).waitFor();
  await row(page, /^#\(1/).waitFor();
  await openView(page, 'Stopped Threads', false);
  await openView(page, 'Runs', false);
  await shot('inspector');
  await openView(page, 'Runs');
  await openView(page, 'Stopped Threads');
  say('a part is gone into and come back from, beside another inspection');
}

/** Break at a function, and go on from there. */
export async function breakpoints({ page }) {
  await page.locator('.view-line', { hasText: 'share 84' }).click();
  await choose(page, 'Descartes: Break at a Function…');
  await answer(page, 'Break at the calls of', 'ratio:share');
  await answer(page, 'Condition', '');
  const lens = page.locator('.codelens-decoration', { hasText: '● breakpoint' });
  await lens.waitFor();
  await evaluate(page, '(ratio:share 1 2)');
  await row(page, /^breakpoint/i).waitFor();
  await row(page, 'SHARE 1 2)').waitFor();
  say('a call of the function stops');
  await act(page, row(page, /^breakpoint/i), 'Continue');
  await status(page, '⇒ 1/2').waitFor();
  await choose(page, 'Descartes: Show or Clear Breakpoints…');
  await page.locator('.quick-input-list .monaco-list-row', { hasText: /share/i }).click();
  await page.keyboard.press('Enter');
  await lens.waitFor({ state: 'detached' });
  await evaluate(page, '(ratio:share 1 4)');
  await status(page, '⇒ 1/4').waitFor();
  say('a breakpoint is taken away');
}

/** Profile an expression and look at its flame graph. */
export async function profile({ page, shot }) {
  await evaluate(page, '(defun cl-user::work (n) (loop repeat n sum (length (princ-to-string (expt 7 2000)))))');
  await status(page, 'WORK').waitFor();
  await choose(page, 'Descartes: Profile an Expression…');
  await answer(page, 'Profile', '(cl-user::work 4000)');
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'cpu' }).click();
  await page.locator('.tab', { hasText: '.svg' }).waitFor();
  const picture = page.locator('iframe.webview').first().contentFrame().locator('iframe').contentFrame().locator('img');
  await picture.waitFor();
  say('the flame graph of a profile is shown');
  await choose(page, 'Notifications: Clear All Notifications');
  await page.keyboard.press('Control+j');
  await page.locator('.part.panel').waitFor({ state: 'hidden' });
  await shot('flames');
  await page.locator('.tab', { hasText: '.svg' }).click({ button: 'middle' });
}

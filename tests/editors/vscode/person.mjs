// What a person does in VS Code with a Lisp file: trusts it, compiles, evaluates, leaves a stop, answers a run.
import { execFileSync } from 'node:child_process';
import { answer, choose, drive, expectFocusInEditor, hover, openFile, pick, row, say, status } from './page.mjs';
import { viewIcon as view } from './page.mjs';
import { trust } from './trust.mjs';

const lens = (page, title) => page.locator('.codelens-decoration a', { hasText: title }).first();

async function compile({ page, shot }) {
  await choose(page, 'Descartes: Compile and Load File');
  await page.locator('.squiggly-info, .squiggly-warning, .squiggly-hint').first().waitFor({ state: 'attached' });
  await status(page, '⇒ compiled').waitFor();
  say('a note of the compiler stands in the text');
  await hover(page, /^share$/, 'Return PART divided by WHOLE.');
  say('the hover shows the documentation');
  await shot('hover');
  await page.mouse.move(900, 650);
  await page.locator('.monaco-hover-content', { hasText: 'Return PART' }).waitFor({ state: 'hidden' });
}

async function stop(page) {
  await page.locator('.view-line', { hasText: 'share 84 0' }).click();
  await choose(page, 'Descartes: Evaluate…');
  await answer(page, 'Evaluate', '(answer 1)');
  await lens(page, 'USE-VALUE').waitFor();
  await status(page, '1 stopped thread').waitFor();
}

async function leaveByLens({ page, shot }) {
  await stop(page);
  say('the restarts stand above the form');
  await view(page).locator('.badge-content', { hasText: '1' }).waitFor();
  await expectFocusInEditor(page);
  await page.keyboard.press('Control+End');
  await page.keyboard.type(';typed');
  await page.locator('.view-line', { hasText: ';typed' }).waitFor();
  await page.keyboard.press('Control+z');
  await page.locator('.view-line', { hasText: ';typed' }).waitFor({ state: 'detached' });
  say('typing goes on in the editor');
  await shot('lenses');
  await lens(page, 'USE-VALUE').click();
  await answer(page, 'USE-VALUE', '(* 6 7)');
  await status(page, '⇒ 42').waitFor();
  await lens(page, 'USE-VALUE').waitFor({ state: 'detached' });
  say('the evaluation finished with the value given');
}

async function leaveByView({ page, shot }) {
  await stop(page);
  await view(page).click();
  await row(page, 'DIVISION-BY-ZERO').waitFor();
  const frame = row(page, '(SHARE 84 0)');
  await frame.locator('.monaco-tl-twistie').click();
  await row(page, 'whole').waitFor();
  say('the view shows restarts, frames and variables');
  await shot('stopped');
  await row(page, 'DIVIDE').click();
  await answer(page, 'part: ', '86');
  await answer(page, 'whole: ', '2');
  await status(page, '⇒ 43').waitFor();
  await page.locator('.pane-body', { hasText: 'No thread is stopped' }).waitFor();
  say('the view invokes a restart with two arguments');
}

async function stopElsewhere({ page }) {
  await page.locator('.view-line', { hasText: 'share 84 0' }).click();
  await choose(page, 'Descartes: Evaluate…');
  await answer(page, 'Evaluate', '(error "Nothing to see")');
  const toast = page.locator('.notification-toast', { hasText: 'SIMPLE-ERROR: Nothing to see' });
  await toast.waitFor();
  await expectFocusInEditor(page);
  say('a stop that stands in no text is announced');
  await toast.locator('.monaco-button', { hasText: 'Show' }).click();
  const stopped = row(page, 'SIMPLE-ERROR');
  await stopped.hover();
  await stopped.locator('.action-label[aria-label="Abort"]').click();
  await status(page, '⇒ aborted').waitFor();
}

async function answerRun({ page, folder, shot }) {
  await page.locator('.view-line', { hasText: 'share 84 0' }).click();
  const model = `scripted:${process.env.DESCARTES_TEST_SCRIPT}`;
  const words = ['-m', 'descartes_server', 'spawn', '--trust', '--task', 'Reword the report', '--model', model];
  execFileSync(process.env.DESCARTES_TEST_PYTHON, words, { cwd: folder });
  const toast = page.locator('.notification-toast', { hasText: 'A run asks: edit ratio.lisp' });
  await toast.waitFor();
  await expectFocusInEditor(page);
  await lens(page, 'held by').waitFor();
  await row(page, 'Reword the report').waitFor();
  say('the question of a run is announced beside the code');
  await shot('question');
  await toast.locator('.monaco-button', { hasText: 'Accept' }).first().click();
  await page.locator('.view-line', { hasText: 'a better value' }).waitFor();
  await row(page, 'completed').waitFor();
  say('the run went on when its step was accepted');
}

async function goBack({ page, shot }) {
  await page.keyboard.press('Control+End');
  await page.keyboard.type(';typed');
  await page.locator('.view-line', { hasText: ';typed' }).waitFor();
  await row(page, 'Reword the report').hover();
  await row(page, 'Reword the report').locator('.action-label[aria-label^="Show History"]').click();
  await lens(page, 'restore here').waitFor();
  await shot('history');
  const present = (text) => page.locator('.view-line', { hasText: text });
  while ((await present(/▶\s\d+.*began\sthe\srun/).count()) === 0) {
    const [before] = /▶\s\d+/.exec((await present(/▶\s\d+/).innerText()).replaceAll('\u00a0', ' '));
    await lens(page, '◀ previous').click();
    await present(before).waitFor({ state: 'detached' });
    await present(/▶\s\d+/).waitFor();
  }
  say('what the run did is walked through');
  await lens(page, 'restore here').click();
  await chooseWhatGoesBack({ page, shot });
  await page.locator('.tab', { hasText: 'ratio.lisp' }).click();
  await page.locator('.view-line', { hasText: 'another value' }).waitFor();
  await page.keyboard.press('Control+End');
  await page.keyboard.type(';mine');
  await page.keyboard.press('Control+s');
  await page.locator('.tab.dirty', { hasText: 'ratio.lisp' }).waitFor({ state: 'detached' });
  await choose(page, 'Descartes: Undo Last Restore');
  const refusal = page.locator('.notification-toast', { hasText: 'ratio.lisp was changed since the restore' });
  await refusal.waitFor();
  await shot('undo');
  await refusal.locator('.monaco-button', { hasText: 'Undo all the same' }).click();
  await page.locator('.view-line', { hasText: 'a better value' }).waitFor();
  say('what was typed since is only taken away when one chooses so');
  say('the files were put back as they were before the run, and that was undone');
}

/** The question is left while a file is not saved, and taken up again: the files go back, the conversation stays. */
async function chooseWhatGoesBack({ page, shot }) {
  const choice = (text) => page.locator('.quick-input-list .monaco-list-row', { hasText: text });
  const toast = page.locator('.notification-toast', { hasText: 'Go back to' });
  await toast.locator('.monaco-button', { hasText: 'More…' }).click();
  await choice('Go back').click();
  await choice('The image').waitFor();
  await choice('The conversation').click();
  await shot('bodies');
  await page.keyboard.press('Enter');
  await choice('ratio.lisp').filter({ hasText: 'unsaved in' }).waitFor();
  await shot('restore');
  await page.keyboard.press('Escape');
  say('what goes back can be chosen, and a file that is not saved is told');
  await page.locator('.tab', { hasText: 'ratio.lisp' }).click();
  await page.keyboard.press('Control+z');
  await page.locator('.view-line', { hasText: ';typed' }).waitFor({ state: 'detached' });
  await choose(page, 'Descartes: Answer a Question…');
  await choice('Go back').click();
  await choice('The conversation').click();
  await page.keyboard.press('Enter');
  await choice('ratio.lisp').waitFor();
  await page.keyboard.press('Enter');
}

/** A symbol is replaced in the files that are left marked, after a look at the diff, and that is undone. */
async function replaceInWorkspace({ page, shot }) {
  await choose(page, 'Descartes: Replace in Workspace…');
  await pick(page, 'Lisp Symbol');
  await answer(page, 'Lisp Symbol to look for', 'share');
  await answer(page, 'What stands in place of share', 'part-of');
  await page.locator('.view-line', { hasText: '+(defun part-of' }).waitFor();
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'ratio.lisp' }).waitFor();
  await shot('replace');
  await page.locator('.quick-input-widget .monaco-button', { hasText: 'OK' }).click();
  const toast = page.locator('.notification-toast', { hasText: '1 file changed' });
  await toast.waitFor();
  await page.locator('.tab', { hasText: 'ratio.lisp' }).click();
  await page.locator('.view-line', { hasText: '(defun part-of' }).waitFor();
  await toast.locator('.monaco-button', { hasText: 'Undo' }).click();
  await page.locator('.view-line', { hasText: '(defun share' }).waitFor();
  say('a symbol was replaced in the workspace after a look at the diff, and that was undone');
}

await drive('', async (window) => {
  await window.open();
  await openFile(window.page, 'ratio.lisp');
  await trust(window);
  await compile(window);
  await leaveByLens(window);
  await leaveByView(window);
  await stopElsewhere(window);
  await answerRun(window);
  await goBack(window);
  await replaceInWorkspace(window);
});

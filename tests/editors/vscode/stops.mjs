// The debugger's view: levels, frames with variables and catch tags, a console in a frame, a frame called anew.
import { act, answer, choose, fromMenu, row, say, status } from './page.mjs';
import { send, shows, typesInto } from './repl.mjs';

const SEEK = "(progn (defun seek () (catch 'found (list (ratio:answer 1)))) (seek))";

async function consoleInFrame(page) {
  await act(page, row(page, 'SHARE 84 0)'), 'Console in Frame');
  await typesInto(page, '[0]>', '#v');
  await send(page, '(+ part 1)');
  await shows(page, '85');
  await send(page, '(setf whole 3)');
  await row(page, '3  (was 0)').waitFor();
  await send(page, '(setf whole 0)');
  await row(page, '0  (was 3 ← 0)').waitFor();
  say('a variable shows what it was before');
  await send(page, '(error "deeper ~a" part)');
  await row(page, '2 levels').waitFor();
  await row(page, /^deeper 84/).waitFor();
  say('an error in a frame is a level of its own');
  await act(page, row(page, 'level 2'), 'Abort');
  await row(page, '2 levels').waitFor({ state: 'detached' });
}

async function stop(page) {
  await choose(page, 'Descartes: Evaluate…');
  await answer(page, 'Evaluate', SEEK);
  await row(page, 'SHARE 84 0)').waitFor();
}

async function restartFrame(page) {
  await fromMenu(page, row(page, 'SHARE 84 0)'), 'Restart Frame with Arguments…');
  await answer(page, 'argument 1 of 2', '84');
  await answer(page, 'argument 2 of 2', '2');
  await status(page, '⇒ (42)').waitFor();
  await shows(page, 'the frame was left');
  say('a frame is called anew with other arguments');
}

async function retryWithFix(page) {
  await stop(page);
  await page.locator('.view-line', { hasText: 'restart-case' }).click();
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Control+Backspace');
  await page.keyboard.type('4');
  await fromMenu(page, row(page, 'SHARE 84 0)'), 'Retry with Fix');
  await status(page, '⇒ (21)').waitFor();
  say('a corrected form is compiled and its frame called again');
  await page.locator('.view-line', { hasText: 'restart-case' }).click();
  await page.keyboard.press('Control+z');
  await page.keyboard.press('Control+z');
  await page.locator('.view-line', { hasText: '(/ part whole)' }).first().waitFor();
  await choose(page, 'Descartes: Compile Top-Level Form');
  await status(page, '⇒ compiled').waitFor();
}

/** Stop, look into it, and leave by calling the frame anew: with other arguments, and corrected. */
export async function stops({ page, shot }) {
  await stop(page);
  await row(page, 'SHARE 84 0)').locator('.monaco-tl-twistie').click();
  await row(page, 'whole').waitFor();
  await row(page, '(SEEK)').locator('.monaco-tl-twistie').click();
  await row(page, 'catch tag').filter({ hasText: 'FOUND' }).waitFor();
  say('a frame shows its variables and catch tags');
  await consoleInFrame(page);
  await choose(page, 'Notifications: Clear All Notifications');
  await shot('debugger');
  await restartFrame(page);
  await retryWithFix(page);
}

// Systems, the journal of the image, a replay of it, and other images.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { answer, choose, closeTab, evaluate, evaluatesTo, forgetOutcome, pick, say, status } from './page.mjs';

const line = (page, text) => page.locator('.view-line', { hasText: text }).first();
const toast = (page, text) => page.locator('.notification-toast', { hasText: text });

/** Load and compile a system by name, and reload it after its file changed. */
export async function systems({ page, folder }) {
  await choose(page, 'Descartes: Load System…');
  await pick(page, /^ratio(?!\/)/);
  await status(page, '⇒ compiled').waitFor();
  await forgetOutcome(page);
  await choose(page, 'Descartes: Compile System…');
  await page.locator('.quick-input-list .monaco-list-row', { hasText: /^ratio.*loaded/ }).first().click();
  await status(page, '⇒ compiled').waitFor();
  const file = path.join(folder, 'ratio.lisp');
  writeFileSync(file, readFileSync(file, 'utf8').replace('84 0', '84 4'));
  await choose(page, 'Descartes: Reload What Changed in Loaded Systems');
  await evaluatesTo(page, '(list :now (handler-case (ratio:answer 1) (division-by-zero () :none)))', '(:NOW 21)');
  say('a system is loaded, compiled, and reloaded when its file has changed');
  writeFileSync(file, readFileSync(file, 'utf8').replace('84 4', '84 0'));
  // The editor hears of the file's change a moment later, and what it has not heard of is not loaded.
  for (let tries = 10; ; tries -= 1) {
    await choose(page, 'Descartes: Load What Changed in All Loaded Files');
    await evaluate(page, '(list :again (handler-case (ratio:answer 1) (division-by-zero () :none)))');
    const loaded = status(page, '⇒ (:AGAIN :NONE)').waitFor({ timeout: 6000 });
    if (tries === 0 || (await loaded.then(() => true, () => false))) {
      await loaded;
      break;
    }
  }
  say('all that has changed in loaded files is loaded');
}

/** Look at the journal of the image. */
export async function journal({ page, shot }) {
  await evaluate(page, '(defparameter cl-user::*mark* 4711)');
  await status(page, '*MARK*').waitFor();
  await choose(page, 'Descartes: Show the Journal of the Image');
  await line(page, '4711').waitFor();
  await shot('journal');
  await closeTab(page, 'Journal');
  say('the journal has what was evaluated');
}

/** Compare the image with a fresh one in which the journal is repeated. */
export async function compare({ page, shot }) {
  await choose(page, 'Descartes: Compare This Image with Another…');
  await answer(page, 'Compare this image with', 'replay');
  await page.locator('.tab.active', { hasText: 'Comparison' }).waitFor();
  await shot('comparison');
  await closeTab(page, 'Comparison');
  say('the image is compared with a fresh one');
}

/** Repeat the journal in a fresh image that takes the place of this one. */
export async function replay({ page }) {
  await choose(page, 'Descartes: Replay the Journal in a Fresh Image…');
  await page.locator('.monaco-dialog-box .monaco-button', { hasText: 'Replay' }).click();
  await line(page, /\d+\sentries\swere\srepeated/).waitFor();
  await closeTab(page, 'Replay');
  await evaluate(page, '(list :mark cl-user::*mark*)');
  await status(page, '⇒ (:MARK 4711)').waitFor();
  say('a fresh image has what the journal has');
}

/** Start a Lisp with Swank as somebody else does; resolves to its process and port. */
async function someLisp() {
  const lisp = spawn('sbcl', ['--noinform', '--no-userinit', '--eval', '(require :asdf)', '--load', process.env.DESCARTES_TEST_SWANK]);
  const port = await new Promise((resolve, reject) => {
    let said = '';
    lisp.stdout.on('data', (text) => {
      said += text;
      const [, found] = /PORT (\d+)/.exec(said) ?? [];
      if (found) {
        resolve(found);
      }
    });
    lisp.on('exit', () => reject(new Error(`the other Lisp ended: ${said}`)));
  });
  return { lisp, port };
}

/** Connect to a Lisp that runs already; an address that is none is refused where it is typed. */
export async function connect({ page }) {
  const { lisp, port } = await someLisp();
  try {
    await choose(page, 'Descartes: Stop Lisp');
    await page.locator('.statusbar-item[aria-label*="Lisp is stopped"]').waitFor();
    await choose(page, 'Descartes: Connect to a Running Lisp…');
    await answer(page, 'Connect to a Running Lisp', 'nowhere');
    await page.locator('.quick-input-message', { hasText: 'host:port is expected' }).waitFor();
    await answer(page, 'Connect to a Running Lisp', `127.0.0.1:${port}`);
    await toast(page, `connected to SBCL`).waitFor();
    await evaluate(page, '(list :here cl-user::*whose*)');
    await status(page, '⇒ (:HERE :SOMEBODY-ELSES)').waitFor();
    say('a Lisp that runs already is connected to');
  } finally {
    lisp.kill('SIGKILL');
  }
}

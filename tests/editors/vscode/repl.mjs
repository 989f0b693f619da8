// The REPL in a terminal.
import { act, answer, choose, row, say } from './page.mjs';

const rows = (page) => page.locator('.terminal-wrapper.active:visible .xterm-rows');

/** Wait until TEXT, or what matches it, stands in the terminal that is shown. */
export async function shows(page, text) {
  await rows(page).filter({ hasText: text }).waitFor();
}

/** Wait until what is typed goes into a terminal with PROMPT, without WORDS of another one. */
export async function typesInto(page, prompt, words) {
  const wanted = rows(page).filter({ hasText: prompt, hasNotText: words });
  for (let tries = 20; ; tries -= 1) {
    await wanted.waitFor();
    // What asked for a name gives the focus back to where it was, and that may come late;
    // the terminal that was shown may make room for another one before it can be clicked.
    const focused = page
      .locator('.terminal-wrapper.active:visible')
      .click({ position: { x: 400, y: 150 }, timeout: 3000 })
      .then(() => page.locator('.terminal-wrapper.active:visible .xterm.focus').waitFor({ timeout: 3000 }));
    if ((await focused.then(() => true, () => false)) && (await wanted.count()) > 0) {
      return;
    }
    if (tries === 0) {
      throw new Error(`no terminal with ${prompt} takes what is typed`);
    }
  }
}

/** Type TEXT and send it. */
export async function send(page, text) {
  await page.keyboard.type(text);
  await page.keyboard.press('Enter');
}

async function talk(page) {
  await send(page, '(list 1 (+ 1 1))');
  await shows(page, '#v1 (1 2)');
  await send(page, '(reverse #v1)');
  await shows(page, '#v2 (2 1)');
  say('the REPL answers, and takes earlier results by number');
  await send(page, '(defun twice (x)');
  await send(page, '(* 2 x))');
  await shows(page, '#v3 TWICE');
  await page.keyboard.type('(twic');
  await page.keyboard.press('Tab');
  await send(page, ' 21)');
  await shows(page, '#v4 42');
  say('a form of two lines, and a completed name');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Backspace');
  await send(page, '0)');
  await shows(page, '#v5 420');
  say('what was typed before is there again');
}

async function inspectResult(page) {
  const { x, y } = await rows(page).locator('> div', { hasText: '#v2 (2 1)' }).boundingBox();
  await page.mouse.move(x + 20, y + 8);
  await page.mouse.move(x + 30, y + 8);
  await page.locator('.terminal-wrapper.active:visible .xterm-rows span[style*="underline"]').first().waitFor();
  await page.keyboard.down('Control');
  await page.mouse.click(x + 30, y + 8);
  await page.keyboard.up('Control');
  await row(page, /^\(2 1\)/).waitFor();
  say('a click on a result inspects it');
}

async function readAndInterrupt(page) {
  await choose(page, 'Descartes: Open REPL');
  await typesInto(page, '#v5', 'Frame');
  await send(page, '(progn (format t "name? ") (finish-output) (list :got (read-line)))');
  await shows(page, /name\? *$/m);
  await send(page, 'Ada');
  await shows(page, '(:GOT "Ada")');
  say('a program reads a line that is typed in the REPL');
  await send(page, '(progn (princ :round) (finish-output) (loop))');
  await shows(page, /ROUND/);
  await page.keyboard.press('Control+c');
  await shows(page, '; stopped: interrupt');
  say('Ctrl+C stops what runs');
}

async function another(page) {
  await choose(page, 'Descartes: New REPL…');
  await answer(page, 'Name of the REPL', 'side');
  await typesInto(page, 'CL-USER>', /#v\d|aborted/);
  await send(page, '(in-package :ratio)');
  await shows(page, 'RATIO>');
  await send(page, '(share 1 2)');
  await shows(page, '#v2 1/2');
  say('another REPL has its own package and results');
}

/** Use the REPL as a person does. */
export async function repl({ page, shot }) {
  await choose(page, 'Descartes: Open REPL');
  await typesInto(page, 'CL-USER>', 'Frame');
  await talk(page);
  await inspectResult(page);
  await readAndInterrupt(page);
  await shot('repl');
  await act(page, row(page, /^interrupt/), 'Abort');
  await shows(page, '; aborted');
  await another(page);
}

// The REPL in a terminal.
import { choose, say } from './page.mjs';

const rows = (page) => page.locator('.terminal-wrapper.active .xterm-rows');

/** Wait until TEXT, or what matches it, stands in the terminal that is shown. */
export async function shows(page, text) {
  await rows(page).filter({ hasText: text }).waitFor();
}

/** Type TEXT and send it. */
export async function send(page, text) {
  await page.keyboard.type(text);
  await page.keyboard.press('Enter');
}

/** Use the REPL as a person does. */
export async function repl({ page, shot }) {
  await choose(page, 'Descartes: Open REPL');
  await shows(page, 'CL-USER>');
  await send(page, '(list 1 (+ 1 1))');
  await shows(page, '(1 2)');
  say('the REPL answers');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Control+a');
  await shows(page, /\(list 1 \(\+ 1 1\)\)(.|\n)*\(list 1 \(\+ 1 1\)\)/);
  await page.keyboard.press('Control+c');
  await send(page, '(in-package :cl-user)');
  await send(page, '(progn (format t "name? ") (finish-output) (list :got (read-line)))');
  await shows(page, /name\? *$/m);
  await send(page, 'Ada');
  await shows(page, '(:GOT "Ada")');
  say('a program reads a line that is typed in the REPL');
  await send(page, '(loop)');
  await page.locator('.statusbar-item', { hasText: 'Lisp' }).first().waitFor();
  await page.keyboard.press('Control+c');
  await shows(page, 'stopped');
  say('Ctrl+C stops what runs');
  await shot('repl');
}

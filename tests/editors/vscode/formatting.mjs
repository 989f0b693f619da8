// What is typed stands where it belongs, and a whole file is put right.
import { choose, closeTab, goTo, say, status } from './page.mjs';

/** Wait until the editor shows WANTED, lines that follow each other. */
function shows(page, wanted) {
  return page.waitForFunction((text) => {
    const lines = [...document.querySelectorAll('.editor-instance .view-line')]
      .sort((one, other) => parseFloat(one.style.top) - parseFloat(other.style.top))
      .map((each) => each.textContent.replaceAll('\u00a0', ' '));
    return lines.join('\n').includes(text);
  }, wanted.join('\n'));
}

/** Begin a new line; where names are still offered, Enter would take one of them. */
async function enter(page) {
  await page.locator('.suggest-widget.visible').waitFor({ state: 'hidden' });
  await page.keyboard.press('Enter');
}

export async function formatting({ page, shot }) {
  await goTo(page, 'walk.lisp', '(in-package');
  await page.keyboard.press('Control+End');
  // VS Code drops what comes for a line that is typed into meanwhile, which a person is too slow for.
  for (const [place, line] of [['11, Col 1', '(defun typed (list)'], ['12, Col 3', '(unless (null list)'], ['13, Col 5', "(mapcar #'1+"]]) {
    await enter(page);
    await status(page, `Ln ${place}`).waitFor();
    await page.keyboard.type(line);
  }
  await enter(page);
  await shows(page, ['(defun typed (list)', '  (unless (null list)', "    (mapcar #'1+", '            )))']);
  await page.keyboard.type('list');
  say('indented while typing');
  await page.keyboard.press('Control+End');
  await page.keyboard.insertText('\n(let ((a 1)\n(b 2))\n        (list a\nb))\n');
  await status(page, 'Ln 19, Col 1').waitFor();
  await choose(page, 'Format Document');
  await shows(page, ['(let ((a 1)', '      (b 2))', '  (list a', '        b))']);
  say('formatted');
  await shot('formatting');
  await choose(page, 'File: Revert File');
  await closeTab(page, 'walk.lisp');
}

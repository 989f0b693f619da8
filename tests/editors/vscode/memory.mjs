// The whiteboard of a session, and what was learned.
import { execFileSync } from 'node:child_process';
import { act, answer, choose, closeTab, onlyView, openView, pick, row, say } from './page.mjs';

/** Post on the whiteboard, and write beside what stands there. */
export async function board({ page, folder, shot }) {
  execFileSync(process.env.DESCARTES_TEST_PYTHON, ['-m', 'descartes_server', 'spawn', '--trust', '--', 'true'], { cwd: folder });
  await onlyView(page, 'Whiteboard');
  await page.locator('.pane-body', { hasText: 'Nothing is on the whiteboard' }).waitFor();
  await choose(page, 'Descartes: Post on the Whiteboard…');
  await pick(page, 'decision');
  await answer(page, 'Post on the Whiteboard', 'Read ratios before floats');
  await act(page, row(page, 'Read ratios before floats'), 'Write Beside It…');
  await pick(page, 'correction');
  await answer(page, 'Write Beside', 'not in the printer');
  await row(page, 'not in the printer').waitFor();
  await shot('whiteboard');
  await row(page, 'Read ratios before floats').click();
  await page.locator('.view-line', { hasText: '(correction): not in the printer' }).waitFor();
  await closeTab(page, 'Whiteboard');
  await openView(page, 'Whiteboard', false);
  await openView(page, 'Stopped Threads');
  say('the whiteboard is written and read');
}

/** Add what was learned, say that it helped, and find it by a task. */
export async function wisdom({ page, shot }) {
  await openView(page, 'Wisdom');
  await choose(page, 'Descartes: Add Wisdom…');
  await answer(page, 'Add Wisdom', 'Load the system with :force t before the lexer tests');
  await answer(page, 'Add Wisdom', 'tests');
  await row(page, 'Load the system').filter({ hasText: '75 %' }).waitFor();
  await act(page, row(page, 'Load the system'), 'It Helped');
  await row(page, 'Load the system').filter({ hasText: '83 %' }).waitFor();
  await shot('wisdom');
  await choose(page, 'Descartes: Find Wisdom About…');
  await answer(page, 'Wisdom About', 'run the lexer tests');
  await row(page, 'Load the system').waitFor();
  await openView(page, 'Wisdom', false);
  say('what was learned is kept, trusted more when it helped, and found');
}

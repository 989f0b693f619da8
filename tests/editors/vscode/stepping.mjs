// Stepping from a breakpoint at a form, leaving a frame with a value, and two threads stopped at the same time.
import {
  act, answer, choose, closeTab, evaluate, evaluatesTo, forgetOutcome, fromMenu, goTo, openView, pick, row, say, status,
} from './page.mjs';

const stop = (page, type) => row(page, new RegExp(`^${type}`, 'i'));
const BEHIND = `(sb-thread:make-thread
  (lambda () (setf cl-user::*got* (restart-case (error "behind") (use-value (v) :report "Use a value." v)))))`;

/** Lisp that says whether the image breaks on signals: nothing in the editor shows that. */
const BREAKS = "(list :breaks (and (sb-ext:symbol-global-value '*break-on-signals*) t))";

/** Break at a form, step to the call, into it and out of it, and look at the condition. */
export async function stepping({ page, shot }) {
  await forgetOutcome(page);
  await goTo(page, 'walk.lisp', '(area n 3)');
  await choose(page, 'Descartes: Compile and Load File');
  await status(page, '⇒ compiled').waitFor();
  await choose(page, 'Descartes: Break at the Form at the Cursor…');
  await answer(page, 'Condition', '');
  await page.locator('.codelens-decoration', { hasText: '● breakpoint' }).waitFor();
  await evaluate(page, '(cl-user::total 2)');
  await stop(page, 'breakpoint').waitFor();
  say('a breakpoint at a form stops before it');
  await act(page, stop(page, 'breakpoint'), 'Step to the Next Call');
  await row(page, 'Next: (AREA N 3)').waitFor();
  await act(page, stop(page, 'step'), 'Step Into');
  await row(page, /^\(.*AREA 2 3\)/).waitFor();
  await shot('stepping');
  say('a step goes to the next call, another one into it');
  await row(page, 'Next: (* A B)').click();
  await row(page, 'DESCARTES-BOOT').waitFor();
  say('the condition of a stop is inspected');
  await act(page, stop(page, 'step'), 'Step Out');
  await row(page, 'Next: the rest of TOTAL').waitFor();
  say('a step goes out of the function');
  await act(page, stop(page, 'step'), 'Step Out');
  await status(page, '⇒ (:TOTAL (2 6))').waitFor();
  await closeTab(page, 'walk.lisp');
}

/** Return a value from a frame, as if its function had returned it. */
export async function leaving({ page }) {
  await evaluate(page, '(list :got (ratio:share 1 0))');
  await fromMenu(page, row(page, 'SHARE 1 0)'), 'Return from Frame…');
  await answer(page, 'Return from frame', '(* 6 7)');
  await status(page, '⇒ (:GOT 42)').waitFor();
  say('a frame is left with a value');
}

/** Stop a thread of the image behind that of an evaluation: each is left by its own restart. */
export async function threads({ page, shot }) {
  await evaluate(page, `(progn (defvar cl-user::*got*) ${BEHIND} :begun)`);
  await row(page, /^behind/).waitFor();
  await evaluate(page, '(list (ratio:share 84 0))');
  await status(page, '2 stopped threads').waitFor();
  await shot('threads');
  await row(page, 'Use a value.').click();
  await answer(page, 'USE-VALUE', ':to-the-image');
  await status(page, '1 stopped thread').waitFor();
  await stop(page, 'SIMPLE-ERROR').waitFor({ state: 'detached' });
  await row(page, 'Use another value.').click();
  await answer(page, 'USE-VALUE', '42');
  await status(page, '⇒ (42)').waitFor();
  await evaluate(page, 'cl-user::*got*');
  await status(page, '⇒ :TO-THE-IMAGE').waitFor();
  say('of two stopped threads each is left by its own restart');
}

/** Stop where a condition is signalled that is handled, and no more. */
export async function signals({ page }) {
  await evaluate(page, '(defun cl-user::guarded (x) (handler-case (parse-integer x) (error () :none)))');
  await status(page, 'GUARDED').waitFor();
  await choose(page, 'Descartes: Break on Signals…');
  await answer(page, 'Break on signals', 'parse-error');
  await evaluatesTo(page, BREAKS, '(:BREAKS T)');
  await evaluate(page, '(cl-user::guarded "a")');
  await row(page, '(GUARDED').waitFor();
  await act(page, stop(page, 'SIMPLE-CONDITION'), 'Continue');
  await status(page, '⇒ :NONE').waitFor();
  await choose(page, 'Descartes: Break on Signals…');
  await answer(page, 'Break on signals', '');
  await evaluatesTo(page, BREAKS, '(:BREAKS NIL)');
  await evaluate(page, '(list (cl-user::guarded "a"))');
  await status(page, '⇒ (:NONE)').waitFor();
  say('a handled condition stops where it is signalled, until that is switched off');
}

/** Compile the function of a frame with full debug, so that its variables are seen and it can be called again. */
export async function recompiling({ page }) {
  await evaluate(page, '(list (ratio:share 84 0))');
  await fromMenu(page, row(page, 'SHARE 84 0)'), 'Disassemble');
  await page.locator('.view-line', { hasText: /disassembly\sfor\sRATIO:SHARE/ }).waitFor();
  await closeTab(page, 'Disassemble');
  say('the function of a frame is disassembled');
  await fromMenu(page, row(page, 'SHARE 84 0)'), 'Recompile with Full Debug');
  await status(page, '⇒ compiled').waitFor();
  await act(page, row(page, 'SHARE 84 0)'), 'Restart Frame');
  await row(page, 'SHARE 84 0)').locator('.monaco-tl-twistie').click();
  await row(page, 'whole').waitFor();
  await act(page, stop(page, 'DIVISION'), 'Abort');
  await status(page, '⇒ aborted').waitFor();
  say('the function of a frame is compiled anew and its frame called again');
}

/** Profile what happens between two commands. */
export async function profiling({ page }) {
  await choose(page, 'Descartes: Start Profiling');
  await pick(page, 'cpu');
  await evaluate(page, '(loop repeat 3000 sum (length (princ-to-string (expt 7 2000))))');
  await status(page, /⇒ \d+/).waitFor();
  await choose(page, 'Descartes: Stop Profiling and Show the Flame Graph');
  await page.locator('.tab', { hasText: '.svg' }).waitFor();
  await page.locator('.notification-toast', { hasText: 'samples' }).locator('.monaco-button', { hasText: 'Show the Report' }).click();
  await page.locator('.view-line', { hasText: /EXPT|PRINC|OUTPUT|BIGNUM/i }).first().waitFor();
  say('what ran between two commands is profiled');
}

/** End a thread of the image that would go on for ever. */
export async function endThread({ page }) {
  await evaluate(page, '(progn (sb-thread:make-thread (lambda () (loop (sleep 1))) :name "endless") :begun)');
  await status(page, '⇒ :BEGUN').waitFor();
  await openView(page, 'Threads');
  await act(page, row(page, 'endless'), 'End Thread…');
  await page.locator('.monaco-dialog-box .monaco-button', { hasText: 'End It' }).click();
  await row(page, 'endless').waitFor({ state: 'detached' });
  await openView(page, 'Threads', false);
  say('a thread is ended');
}

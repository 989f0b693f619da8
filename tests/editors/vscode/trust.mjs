// A folder that is not trusted: what is static works, evaluation is refused until the person trusts the folder.
import { answer, choose, drive, openFile, say } from './page.mjs';

await drive('', async ({ page, open, shot }) => {
  await open();
  await openFile(page, 'ratio.lisp');
  await page.locator('.view-line span span', { hasText: /^share$/ }).last().hover();
  await page.locator('.monaco-hover-content', { hasText: 'Return PART divided by WHOLE.' }).waitFor();
  say('the hover needs no trust');
  await choose(page, 'Descartes: Evaluate…');
  await answer(page, 'Evaluate', '(+ 1 2)');
  const refusal = page.locator('.notification-toast', { hasText: 'not trusted' });
  await refusal.waitFor();
  say('evaluation is refused');
  await shot('refused');
  await refusal.locator('.monaco-button', { hasText: 'Manage Workspace Trust' }).click();
  await page.locator('.workspace-trust-editor .monaco-button', { hasText: /^Trust$/ }).first().click();
  await page.locator('.tab', { hasText: 'ratio.lisp' }).click();
  await choose(page, 'Descartes: Evaluate…');
  await answer(page, 'Evaluate', '(+ 1 2)');
  await page.locator('.statusbar-item', { hasText: '⇒ 3' }).waitFor();
  say('trust given, evaluation works');
});

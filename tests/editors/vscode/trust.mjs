// A folder that is not trusted: what is static works, evaluation is refused until the person trusts the folder.
import { answer, choose, hover, say } from './page.mjs';

async function evaluate(page) {
  await choose(page, 'Descartes: Evaluate…');
  await answer(page, 'Evaluate', '(+ 1 2)');
}

/** Trust the folder as a person does who was refused. */
export async function trust({ page, shot }) {
  await hover(page, /^share$/, 'Return PART divided by WHOLE.');
  say('the hover needs no trust');
  await evaluate(page);
  const refusal = page.locator('.notification-toast', { hasText: 'not trusted' });
  await refusal.waitFor();
  await shot('refused');
  say('evaluation is refused');
  await refusal.locator('.monaco-button', { hasText: 'Manage Workspace Trust' }).click();
  await page.locator('.workspace-trust-editor .monaco-button', { hasText: /^Trust$/ }).first().click();
  await page.locator('.workspace-trust-editor', { hasText: 'You trust this folder' }).waitFor();
  await page.locator('.tab', { hasText: 'Workspace Trust' }).click({ button: 'middle' });
  await evaluate(page);
  await page.locator('.statusbar-item', { hasText: '⇒ 3' }).waitFor();
  say('in a trusted folder it is not');
}

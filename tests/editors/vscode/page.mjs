// A page of VS Code: opening it, the palette, and where the keyboard's focus is.
import { createRequire } from 'node:module';
import path from 'node:path';

const { chromium } = createRequire(process.env.PLAYWRIGHT)('playwright-core');
const began = Date.now();
const DEADLINE = 60_000;

/** The item of the status bar with TEXT. */
export const status = (page, text) => page.locator('.statusbar-item', { hasText: text });

/** The first line with TEXT in a view of the side bar. */
export const row = (page, text) => page.locator('.pane-body .monaco-list-row', { hasText: text }).first();

/** Click on what ACTION is called beside LINE. */
export async function act(page, line, action) {
  await line.hover();
  await line.locator(`.action-label[aria-label^="${action}"]`).click();
}

/** Choose ACTION in the menu of LINE. */
export async function fromMenu(page, line, action) {
  await line.click({ button: 'right' });
  // A menu takes clicks only some time after it opened, and the Return key at once.
  await page.locator('.monaco-menu .action-item', { hasText: action }).hover();
  await page.locator('.monaco-menu .action-item.focused', { hasText: action }).waitFor();
  await page.keyboard.press('Enter');
}

/** Open the view NAME where it is closed; with OPEN false close it. */
export async function openView(page, name, open = true) {
  const header = page.locator('.pane-header', { hasText: new RegExp(`^${name}`) }).first();
  if ((await header.getAttribute('aria-expanded')) !== String(open)) {
    await header.click();
  }
}

/** Close every view but NAME: lines that are out of sight are not in the page. */
export async function onlyView(page, name) {
  await openView(page, name);
  const others = page.locator('.pane-header[aria-expanded="true"]').filter({ visible: true, hasNotText: name });
  while ((await others.count()) > 0) {
    await others.first().click();
  }
}

/** What opens the views of Descartes. */
export const viewIcon = (page) =>
  page.locator('.activitybar .action-item', { has: page.locator('[aria-label^="Descartes"]') });

/** Print WORDS with the seconds since the start. */
export function say(...words) {
  console.log(((Date.now() - began) / 1000).toFixed(1).padStart(5), ...words);
}

/** Run STEPS with a page of VS Code; a failure leaves a picture and exit status 1. */
export async function drive(query, steps) {
  const [, , port, folder] = process.argv;
  const shots = process.env.DESCARTES_TEST_SHOTS;
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  const page = await browser.newPage({ viewport: { width: 1280, height: Number(process.env.DESCARTES_TEST_HEIGHT ?? 800) } });
  page.setDefaultTimeout(DEADLINE);
  const open = () => page.goto(`http://127.0.0.1:${port}/?folder=${encodeURIComponent(folder)}${query}`);
  const shot = (name) => page.screenshot({ path: path.join(shots, `${name}.png`) });
  try {
    await steps({ page, folder, open, shot });
    say('all done');
  } catch (error) {
    say('failed:', error.stack);
    await choose(page, 'Notifications: Show Notifications').catch(() => undefined);
    say(await page.locator('.notifications-center').innerText({ timeout: 2000 }).catch(() => 'no notification'));
    await shot('failed');
    say('picture:', path.join(shots, 'failed.png'));
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}

/** Rest the mouse on the word NAME until its hover shows TEXT; one that comes before the page is ready is lost. */
export async function hover(page, name, text) {
  const word = page.locator('.view-line span span', { hasText: name }).last();
  const shown = page.locator('.monaco-hover-content', { hasText: text });
  for (let tries = 10; ; tries -= 1) {
    await word.hover();
    if (await shown.waitFor({ timeout: 3000 }).then(() => true, () => false)) {
      return;
    }
    if (tries === 0) {
      throw new Error(`the hover did not show ${text}`);
    }
    await page.mouse.move(900, 650);
  }
}

/** Choose COMMAND in the palette. */
export async function choose(page, command) {
  await page.keyboard.press('F1');
  await page.locator('.quick-input-widget input').fill(`>${command}`);
  await page.locator('.quick-input-list .focused', { hasText: command }).waitFor();
  await page.keyboard.press('Enter');
}

/** Type TEXT into the input box whose title is TITLE. */
export async function answer(page, title, text) {
  await page.locator('.quick-input-widget', { hasText: title }).waitFor();
  await page.locator('.quick-input-widget input').fill(text);
  await page.keyboard.press('Enter');
}

/** Choose the line of a list of choices that matches TEXT. */
export async function pick(page, text) {
  await page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first().click();
}

/** Evaluate CODE as a person types it. */
export async function evaluate(page, code) {
  await choose(page, 'Descartes: Evaluate…');
  await answer(page, 'Evaluate', code);
}

let outcomes = 0;

/** Have the status bar show something else than what was done before, so that the same outcome is seen to come anew. */
export async function forgetOutcome(page) {
  outcomes += 1;
  await evaluate(page, `(list :outcome ${outcomes})`);
  await status(page, `⇒ (:OUTCOME ${outcomes})`).waitFor();
}

/** Evaluate CODE until its value is VALUE: what makes it so announces itself nowhere in the editor. */
export async function evaluatesTo(page, code, value) {
  for (let tries = 20; ; tries -= 1) {
    await evaluate(page, code);
    const shown = status(page, `⇒ ${value}`).waitFor({ timeout: 3000 });
    if (await shown.then(() => true, () => false)) {
      return;
    }
    if (tries === 0) {
      throw new Error(`${code} is not ${value}`);
    }
  }
}

/** Open the file NAME by its name, and put the cursor before the first TEXT of it. */
export async function goTo(page, name, text) {
  await page.keyboard.press('Control+p');
  await page.locator('.quick-input-widget input').fill(name);
  await page.locator('.quick-input-list .focused', { hasText: name }).waitFor();
  await page.keyboard.press('Enter');
  await page.locator('.tab.active', { hasText: name }).waitFor();
  await putCursor(page, text);
}

/** Put the cursor before the first TEXT of the editor: it is searched for as a person does. */
export async function putCursor(page, text) {
  await page.locator('.editor-instance .view-lines').first().click();
  await page.keyboard.press('Control+Home');
  await page.keyboard.press('Control+f');
  const found = page.locator('.find-widget.visible');
  await found.locator('textarea').first().fill(text);
  await found.locator('.matchesCount', { hasText: /^\d+ of \d+$/ }).waitFor();
  // A key that comes while the editor still scrolls to the place may be lost.
  for (let tries = 10; tries > 0 && (await found.count()) > 0; tries -= 1) {
    await page.keyboard.press('Escape');
    await found.waitFor({ state: 'detached', timeout: 3000 }).catch(() => undefined);
  }
  await page.keyboard.press('ArrowLeft');
}

/** Open the file NAME as a person does; wait until the server has told what is in it. */
export async function openFile(page, name) {
  await page.locator('.explorer-folders-view', { hasText: name }).waitFor();
  await page.locator('.explorer-folders-view .monaco-list-row', { hasText: name }).first().dblclick();
  await page.locator('.breadcrumbs-control', { hasText: /\.lisp\s*\w/ }).waitFor();
}

/** Close the tab NAME; what is typed goes into the editor behind it then. */
export async function closeTab(page, name) {
  const tab = page.locator('.tab', { hasText: name });
  await tab.click({ button: 'middle' });
  await tab.waitFor({ state: 'detached' });
  await page.keyboard.press('Control+1');
  // Where the focus comes late, it closes what asks for something.
  await page.waitForFunction(() => document.activeElement?.closest('.monaco-editor') !== null);
}

/** Fail unless what is typed goes into the editor; what was asked of the person before may give the focus back late. */
export async function expectFocusInEditor(page) {
  const inside = page.waitForFunction(() => document.activeElement?.closest('.monaco-editor') !== null);
  await inside.catch(async () => {
    throw new Error(`the focus is in ${await page.evaluate(() => document.activeElement?.className)}`);
  });
}

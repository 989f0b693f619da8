// Stands where the desktop's `code` would: the same VS Code without its window, opened with the words it is given.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { choose, drive, pick, status } from './page.mjs';

const given = process.argv.slice(2);
const option = (name) => given.find((word) => word.startsWith(`--${name}=`)).slice(name.length + 3);
const [folder, file] = given.filter((word) => !word.startsWith('--'));
const data = option('user-data-dir');

const server = spawn(
  process.execPath,
  [
    ...[process.env.DESCARTES_TEST_SERVER, '--host', '127.0.0.1', '--port', '0', '--without-connection-token'],
    // The flag lets a page name what it opens, as the desktop's words do.
    ...['--accept-server-license-terms', '--disable-telemetry', '--enable-smoke-test-driver'],
    ...['--server-data-dir', `${data}-server`, '--user-data-dir', data, '--extensions-dir', `${data}-extensions`],
  ],
  { detached: true, stdio: ['ignore', 'pipe', 'inherit'] },
);
const port = await new Promise((resolve) => {
  createInterface(server.stdout).on('line', (line) => {
    const bound = /^Server bound to \S+:(\d+)/.exec(line);
    if (bound) {
      resolve(bound[1]);
    }
  });
});

const remote = (path) => `vscode-remote://127.0.0.1:${port}${path}`;
const payload = JSON.stringify([
  ['extensionDevelopmentPath', remote(option('extensionDevelopmentPath'))],
  ['openFile', remote(file)],
]);
process.argv = [...process.argv.slice(0, 2), port, folder];
await drive(`&payload=${encodeURIComponent(payload)}`, async ({ page, open, shot }) => {
  await open();
  await page.locator('.tab.active', { hasText: 'story.lisp' }).waitFor();
  await page.locator('.explorer-folders-view .monaco-list-row', { hasText: 'alexandria.asd' }).first().waitFor();
  await page.locator('.view-line', { hasText: '(defun average (numbers)' }).waitFor();
  await status(page, 'Lisp').waitFor();
  // Nothing is asked first: the workspace is trusted, and the extension knows its server.
  await choose(page, 'Descartes: Load System…');
  await pick(page, /^alexandria\b/);
  await status(page, '⇒ compiled').waitFor();
  await choose(page, 'Descartes: Compile and Load File');
  await page.locator('.squiggly-warning').first().waitFor();
  await shot('demo');
});
process.kill(-server.pid, 'SIGKILL');
